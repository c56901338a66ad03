// How one value can be read from another's memory without copying: transposes, slices, broadcasts and reversals are
// strides. Kernels that understand strides read views; for the others the planner copies.

import AccelerandoCore

/// A strided view of a value: element [i, j, …] is at offset `offset + i·strides[0] + j·strides[1] + …`, in elements.
struct View: Hashable, Sendable {
  /// The value whose memory is read.
  var root: Int
  var offset: Int
  var strides: [Int]
  var type: TensorType

  init(root: Int, type: TensorType) {
    self.root = root
    offset = 0
    strides = type.shape.rowMajorStrides
    self.type = type
  }

  /// Whether the elements lie one after another in row-major order from the root's start.
  var isContiguous: Bool {
    offset == 0 && isDense
  }

  /// Whether the elements lie one after another in row-major order.
  var isDense: Bool {
    let expected = type.shape.rowMajorStrides
    return zip(type.shape, zip(strides, expected)).allSatisfy { size, pair in size == 1 || pair.0 == pair.1 }
  }

  func transposed(_ permutation: [Int]) -> View {
    var view = self
    view.strides = permutation.map { strides[$0] }
    view.type.shape = permutation.map { type.shape[$0] }
    return view
  }

  func broadcast(to shape: [Int], axes: [Int]) -> View {
    var view = self
    view.strides = shape.map { _ in 0 }
    for (source, axis) in axes.enumerated() where type.shape[source] == shape[axis] {
      view.strides[axis] = type.shape[source] == 1 ? 0 : strides[source]
    }
    view.type.shape = shape
    return view
  }

  func sliced(_ slice: Slice, shape: [Int]) -> View {
    var view = self
    for axis in strides.indices {
      view.offset += slice.starts[axis] * strides[axis]
      // A step over an axis of one element may be too large for any integer, and is not taken.
      view.strides[axis] = strides[axis] &* slice.strides[axis]
    }
    view.type.shape = shape
    return view
  }

  func reversed(_ axes: [Int]) -> View {
    var view = self
    for axis in axes where type.shape[axis] > 0 {
      view.offset += (type.shape[axis] - 1) * strides[axis]
      view.strides[axis] = -strides[axis]
    }
    return view
  }

  /// The view in another shape, if the strides allow it without a copy.
  func reshaped(_ shape: [Int]) -> View? {
    if type.elementCount == 0 {
      var view = self
      view.type.shape = shape
      view.strides = shape.rowMajorStrides
      return view
    }
    // Runs of axes that can be merged are matched with runs of the new axes of the same size.
    let merged = collapsed()
    var strides: [Int] = []
    var group = 0
    var left = merged.first?.size ?? 1
    for size in shape {
      if size == 1 {
        strides.append(0)
        continue
      }
      while left == 1, group + 1 < merged.count {
        group += 1
        left = merged[group].size
      }
      guard group < merged.count, left % size == 0 else { return nil }
      left /= size
      strides.append(merged[group].stride * left)
    }
    var view = self
    view.type.shape = shape
    view.strides = strides
    return view
  }

  /// The axes, with neighbours merged if possible and those of size 1 dropped.
  func collapsed() -> [(size: Int, stride: Int)] {
    var result: [(size: Int, stride: Int)] = []
    for (size, stride) in zip(type.shape, strides) where size != 1 {
      if let last = result.last, last.stride == stride * size {
        result[result.count - 1] = (last.size * size, stride)
      } else {
        result.append((size, stride))
      }
    }
    return result
  }
}
