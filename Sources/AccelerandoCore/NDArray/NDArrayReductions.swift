// Sums, means and the like of arrays on the host. They add in double precision: what people look at should not depend on
// the order of a long sum.

extension NDArray {
  /// The sum along `axes` (all for nil): of the same element type, but `int64` for integers and `bool`.
  /// - Parameters:
  ///   - axes: the axes to add along; all for nil.
  ///   - keepDims: whether the axes remain, with one element each.
  /// - Throws: `GraphError` for axes that do not exist. Negative axes count from the end.
  public func sum(axes: [Int]? = nil, keepDims: Bool = false) throws -> NDArray {
    dtype.isFloating
      ? try reduced(axes, keepDims) { (elements: [Double]) in elements.reduce(0, +) }.converted(to: dtype)
      : try reduced(axes, keepDims) { (elements: [Int64]) in elements.reduce(0, &+) }
  }

  /// The mean along `axes` (all for nil); NaN where there are no elements. The mean of integers is `float32`.
  public func mean(axes: [Int]? = nil, keepDims: Bool = false) throws -> NDArray {
    let numbers = numbers()
    return try numbers.reduced(axes, keepDims) { (elements: [Double]) in
      elements.reduce(0, +) / Double(elements.count)
    }.converted(to: numbers.dtype)
  }

  /// The variance along `axes` (all for nil), divided by the number of elements as in `Tensor.variance`. That of integers is
  /// `float32`.
  public func variance(axes: [Int]? = nil, keepDims: Bool = false) throws -> NDArray {
    let numbers = numbers()
    return try numbers.reduced(axes, keepDims) { (elements: [Double]) in
      let mean = elements.reduce(0, +) / Double(elements.count)
      return elements.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(elements.count)
    }.converted(to: numbers.dtype)
  }

  /// The square root of the variance; see `variance(axes:keepDims:)`.
  public func standardDeviation(axes: [Int]? = nil, keepDims: Bool = false) throws -> NDArray {
    try variance(axes: axes, keepDims: keepDims).map { $0.squareRoot() }
  }

  /// The largest element along `axes` (all for nil); NaN if there is one.
  /// - Throws: `GraphError` for axes that do not exist, and where there are no elements.
  public func max(axes: [Int]? = nil, keepDims: Bool = false) throws -> NDArray {
    try checkElements(axes ?? Array(shape.indices))
    return dtype == .int64
      ? try reduced(axes, keepDims) { (elements: [Int64]) in elements.reduce(.min, Swift.max) }
      : try extreme(axes, keepDims) { $0 > $1 }
  }

  /// The smallest element along `axes` (all for nil); NaN if there is one.
  /// - Throws: `GraphError` for axes that do not exist, and where there are no elements.
  public func min(axes: [Int]? = nil, keepDims: Bool = false) throws -> NDArray {
    try checkElements(axes ?? Array(shape.indices))
    return dtype == .int64
      ? try reduced(axes, keepDims) { (elements: [Int64]) in elements.reduce(.max, Swift.min) }
      : try extreme(axes, keepDims) { $0 < $1 }
  }

  /// The index of the largest element along an axis, `int32`; the first, if there are several.
  /// - Throws: `GraphError` for an axis that does not exist, and where there are no elements.
  public func argMax(axis: Int = -1, keepDims: Bool = false) throws -> NDArray {
    try firstIndex(axis, keepDims) { $0 > $1 }
  }

  /// The index of the smallest element along an axis, `int32`; the first, if there are several.
  /// - Throws: `GraphError` for an axis that does not exist, and where there are no elements.
  public func argMin(axis: Int = -1, keepDims: Bool = false) throws -> NDArray {
    try firstIndex(axis, keepDims) { $0 < $1 }
  }

  private func numbers() -> NDArray { dtype.isFloating ? self : converted(to: .float32) }

  private func extreme(_ axes: [Int]?, _ keepDims: Bool, _ isBetter: (Double, Double) -> Bool) throws -> NDArray {
    try reduced(axes, keepDims) { (elements: [Double]) in
      elements.reduce(elements[0]) { !$0.isNaN && ($1.isNaN || isBetter($1, $0)) ? $1 : $0 }
    }.converted(to: dtype)
  }

  private func firstIndex(_ axis: Int, _ keepDims: Bool, _ isBetter: (Double, Double) -> Bool) throws -> NDArray {
    try checkElements([axis])
    return try reduced([axis], keepDims) { (elements: [Double]) in
      var best = 0
      for (index, element) in elements.enumerated() {
        if elements[best].isNaN { break }
        if element.isNaN || isBetter(element, elements[best]) { best = index }
      }
      return Double(best)
    }.converted(to: .int32)
  }

  private func checkElements(_ axes: [Int]) throws {
    let axes = try existing(axes)
    if let empty = axes.first(where: { shape[$0] == 0 }) {
      throw GraphError("axis \(empty) of \(type) has no elements of which one could be the largest or smallest.")
    }
  }

  /// Axes counted from the first, in order.
  private func existing(_ axes: [Int]) throws -> [Int] {
    let rank = shape.count
    if let stranger = axes.first(where: { $0 < -rank || $0 >= rank }) {
      throw GraphError("\(type) has \(rank) axes; received the axis \(stranger).")
    }
    return Set(axes.map { $0 < 0 ? $0 + rank : $0 }).sorted()
  }

  /// A number computed from the elements along axes, for each place along the others.
  private func reduced<Scalar: TensorScalar>(
    _ axes: [Int]?, _ keepDims: Bool, _ function: ([Scalar]) -> Scalar
  ) throws -> NDArray {
    let axes = try existing(axes ?? Array(shape.indices))
    let kept = shape.indices.filter { !axes.contains($0) }
    let elements = try transposed(kept + axes).elements(as: Scalar.self)
    let groups = kept.map { shape[$0] }.elementCount
    let size = axes.map { shape[$0] }.elementCount
    let results = (0..<groups).map { function(Array(elements[$0 * size..<($0 + 1) * size])) }
    return try NDArray(
      results, shape: keepDims ? shape.indices.map { axes.contains($0) ? 1 : shape[$0] } : kept.map { shape[$0] })
  }
}
