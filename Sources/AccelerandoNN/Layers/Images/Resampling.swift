// Images of another size inside a program: rows and columns are weighted sums of the old ones, which is a product with a
// matrix along each axis.

import AccelerandoCore
import AccelerandoFormats

extension Tensor {
  /// Images `[N, H, W, C]` in another size, in the same floating-point type.
  func resized(to size: (height: Int, width: Int), by interpolation: Interpolation) -> Tensor {
    var result = self
    // The axis that gets shorter goes first: the other one then has less to do.
    let axes = size.height * dim(2) <= size.width * dim(1) ? [1, 2] : [2, 1]
    for axis in axes {
      let count = axis == 1 ? size.height : size.width
      let resampling = Resampling(from: dim(axis), to: count, by: interpolation)
      if interpolation == .nearest {
        result = result.taking(constant(NDArray(resampling.indices.map { Int32($0) })), axis: axis)
      } else if count != dim(axis) || interpolation == .area {
        let weights = constant(resampling.matrix(from: dim(axis)).converted(to: dtype))
        result = axis == 1 ? einsum("nhwc,yh->nywc", result, weights) : einsum("nywc,xw->nyxc", result, weights)
      }
    }
    return result
  }
}

extension Resampling {
  /// The weights as a matrix, `[output, input]`.
  fileprivate func matrix(from input: Int) -> NDArray {
    let output = weights.count / max(taps, 1)
    var matrix = [Float](repeating: 0, count: output * input)
    for place in weights.indices { matrix[place / taps * input + indices[place]] += weights[place] }
    return (try? NDArray(matrix, shape: [output, input])) ?? NDArray(zeros: TensorType(.float32, [output, input]))
  }
}
