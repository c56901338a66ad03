// What follows the gradient of max pooling can often be done before it, on the windows instead of all elements: a mask
// computed from the pooled tensor is needed only at the argmax, and a sum over the image is a sum over its windows.

/// select(p(x), scatter(x, g), 0), where p compares x with a number, is scatter(x, select(p(pooled x), g, 0)): what is
/// scattered lands where x is the largest of its window, and everything else is zero anyway.
func simplerMaskedScatter(_ predicate: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor? {
  guard b.isUniform(0), let (scatter, operands) = a.made(by: SelectAndScatter.self),
    let (compare, sides) = predicate.made(by: Compare.self), sides[0].isSame(as: operands[0]),
    let limit = sides[1].uniformValue, hasWinners(scatter.window, operands[0].shape)
  else { return nil }
  let pooled = a.graph.add(ReduceWindow(scatter.selectsMax ? .max : .min, scatter.window), operands[0])
  let kept = a.graph.add(compare, pooled, pooled.filled(limit))
  return a.graph.add(scatter, operands[0], select(kept, operands[1], operands[1].zerosLike()))
}

/// The sum of scattered values is the sum of the source, if all the axes that the windows slide over are summed.
func simplerScatteredSum(_ operation: Reduce, _ x: Tensor) -> Tensor? {
  guard operation.function == .sum, let (scatter, operands) = x.made(by: SelectAndScatter.self),
    hasWinners(scatter.window, x.shape),
    x.shape.indices.allSatisfy({ axis in
      operation.axes.contains(axis)
        || scatter.window.size[axis] == 1 && scatter.window.strides[axis] == 1 && scatter.window.paddingLow[axis] == 0
          && scatter.window.paddingHigh[axis] == 0
    })
  else { return nil }
  return x.graph.add(operation, operands[1])
}

/// Whether every window covers at least one element, so that each has an argmax.
private func hasWinners(_ window: WindowGeometry, _ shape: [Int]) -> Bool {
  shape.indices.allSatisfy { axis in
    let (low, high, size) = (window.paddingLow[axis], window.paddingHigh[axis], window.size[axis])
    return shape[axis] > 0 && (0..<size).contains(low) && (0..<size).contains(high)
  }
}
