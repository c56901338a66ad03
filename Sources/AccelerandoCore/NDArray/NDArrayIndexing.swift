// Parts of arrays by index, with NumPy's rules: a number selects one element of an axis and removes the axis, a range
// keeps the axis, negative numbers count from the end. Indices often come from data, so that a wrong one is an error and
// not a trap.

/// What selects elements along one axis of an array: a number or a range of numbers.
public protocol NDArrayIndex: Sendable {
  /// The selected elements of an axis of `count` elements; nil if some of them do not exist.
  func elements(of count: Int) -> Range<Int>?
  /// Whether the result has the axis.
  var keepsAxis: Bool { get }
}

extension NDArrayIndex {
  public var keepsAxis: Bool { true }

  /// A range between bounds of which negative ones count from the end.
  fileprivate func range(_ lower: Int, _ upper: Int, of count: Int) -> Range<Int>? {
    let (lower, upper) = (lower < 0 ? lower + count : lower, upper < 0 ? upper + count : upper)
    return lower >= 0 && lower <= upper && upper <= count ? lower..<upper : nil
  }
}

extension Int: NDArrayIndex {
  public func elements(of count: Int) -> Range<Int>? {
    let place = self < 0 ? self + count : self
    return place >= 0 && place < count ? place..<place + 1 : nil
  }
  public var keepsAxis: Bool { false }
}

extension Range<Int>: NDArrayIndex {
  public func elements(of count: Int) -> Range<Int>? { range(lowerBound, upperBound, of: count) }
}

extension ClosedRange<Int>: NDArrayIndex {
  public func elements(of count: Int) -> Range<Int>? { (lowerBound...).until(upperBound, of: count) }
}

extension PartialRangeFrom<Int>: NDArrayIndex {
  public func elements(of count: Int) -> Range<Int>? { range(lowerBound, count, of: count) }

  /// From the lower bound to `last` and with it.
  fileprivate func until(_ last: Int, of count: Int) -> Range<Int>? {
    last.elements(of: count).flatMap { range(lowerBound, $0.upperBound, of: count) }
  }
}

extension PartialRangeUpTo<Int>: NDArrayIndex {
  public func elements(of count: Int) -> Range<Int>? { range(0, upperBound, of: count) }
}

extension PartialRangeThrough<Int>: NDArrayIndex {
  public func elements(of count: Int) -> Range<Int>? { (0...).until(upperBound, of: count) }
}

extension NDArray {
  /// The elements at `indices`, one for each axis from the first on; the remaining axes are taken whole. A number removes
  /// its axis, a range keeps it, negative numbers count from the end:
  ///
  ///     let first = try images[0]              // [N, H, W, C] → [H, W, C]
  ///     let red = try images[0..., 2..<10, -1, 0]
  ///
  /// - Throws: `GraphError` for more indices than axes, and for elements that do not exist.
  public subscript(_ indices: any NDArrayIndex...) -> NDArray {
    get throws {
      let selection = try Selection(indices, of: self)
      let width = dtype.byteCount * selection.run
      var result = NDArray(zeros: type.with(selection.shape))
      guard result.elementCount > 0 else { return result }
      withUnsafeBytes { source in
        result.withUnsafeMutableBytes { target in
          for (place, start) in selection.starts.enumerated() {
            let first = start * dtype.byteCount
            UnsafeMutableRawBufferPointer(rebasing: target[place * width..<(place + 1) * width])
              .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[first..<first + width]))
          }
        }
      }
      return result
    }
  }

  /// Writes elements in place of those at `indices`, which mean the same as in a subscript.
  /// - Parameters:
  ///   - indices: what to replace.
  ///   - values: elements of the selected shape, or of one that broadcasts to it; converted to the array's type.
  /// - Throws: `GraphError` for elements that do not exist, and for values of another shape.
  public mutating func set(_ indices: any NDArrayIndex..., to values: NDArray) throws {
    try write(values, Selection(indices, of: self))
  }

  /// Writes one number in place of each element at `indices`; see `set(_:to:)`.
  public mutating func set(_ indices: any NDArrayIndex..., to value: Double) throws {
    try write(NDArray(repeating: value, type: type.with([])), Selection(indices, of: self))
  }

  private mutating func write(_ values: NDArray, _ selection: Selection) throws {
    let values = try values.broadcast(to: selection.shape).converted(to: dtype)
    let (size, width) = (dtype.byteCount, dtype.byteCount * selection.run)
    guard values.elementCount > 0 else { return }
    withUnsafeMutableBytes { target in
      values.withUnsafeBytes { source in
        for (place, start) in selection.starts.enumerated() {
          UnsafeMutableRawBufferPointer(rebasing: target[start * size..<start * size + width])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[place * width..<(place + 1) * width]))
        }
      }
    }
  }

  /// The only element of an array that has one, whatever its shape.
  /// - Throws: `GraphError` for arrays of another size.
  public func item<Scalar: TensorScalar>(as _: Scalar.Type = Double.self) throws -> Scalar {
    guard elementCount == 1, let element = elements(as: Scalar.self).first else {
      throw GraphError("needs an array of one element; received \(type), which has \(elementCount).")
    }
    return element
  }

  /// The axes in another order, all of them reversed for nil, as a copy.
  /// - Throws: `GraphError` if `axes` are not all axes, once each.
  public func transposed(_ axes: [Int]? = nil) throws -> NDArray {
    let axes = axes ?? Array(shape.indices.reversed())
    guard axes.sorted() == Array(shape.indices) else {
      throw GraphError("needs an order of the axes 0 ..< \(shape.count); received \(axes).")
    }
    let strides = shape.rowMajorStrides
    return gathered(axes.map { shape[$0] }, strides: axes.map { strides[$0] })
  }

  /// The elements repeated along new axes in front and axes of one element, as a copy.
  /// - Throws: `GraphError` if the shape does not broadcast to the other one.
  public func broadcast(to target: [Int]) throws -> NDArray {
    if target == shape { return self }
    let added = target.count - shape.count
    guard added >= 0, zip(shape, target.dropFirst(added)).allSatisfy({ $0 == $1 || $0 == 1 }),
      target.allSatisfy({ $0 >= 0 })
    else {
      throw GraphError("an array of shape \(shape) does not broadcast to \(target).")
    }
    let strides = zip(shape, shape.rowMajorStrides).map { $0 == 1 ? 0 : $1 }
    return gathered(target, strides: [Int](repeating: 0, count: added) + strides)
  }

  /// An array of a shape whose elements lie at these strides in this one.
  private func gathered(_ shape: [Int], strides: [Int]) -> NDArray {
    if shape == self.shape, strides == shape.rowMajorStrides { return self }
    var result = NDArray(zeros: type.with(shape))
    let (size, count, stride) = (dtype.byteCount, shape.last ?? 1, strides.last ?? 1)
    withUnsafeBytes { source in
      result.withUnsafeMutableBytes { target in
        var place = 0
        forEachPlace(of: shape.dropLast(), strides.dropLast()) { start in
          for index in 0..<count {
            let from = (start + index * stride) * size
            for byte in 0..<size { target[place + byte] = source[from + byte] }
            place += size
          }
        }
      }
    }
    return result
  }
}

/// Visits the elements of a shape in row-major order; gives the place of each, by its strides.
private func forEachPlace(of shape: some Sequence<Int>, _ strides: some Sequence<Int>, _ body: (Int) -> Void) {
  let axes = Array(zip(shape, strides))
  guard axes.allSatisfy({ $0.0 > 0 }) else { return }
  var index = axes.map { _ in 0 }
  var place = 0
  while true {
    body(place)
    var axis = axes.count - 1
    while axis >= 0 {
      index[axis] += 1
      place += axes[axis].1
      if index[axis] < axes[axis].0 { break }
      place -= axes[axis].0 * axes[axis].1
      index[axis] = 0
      axis -= 1
    }
    if axis < 0 { return }
  }
}

/// What indices select: runs of adjacent elements.
private struct Selection {
  /// The shape of the result.
  let shape: [Int]
  /// The elements in a run.
  let run: Int
  /// Where the runs begin.
  let starts: [Int]

  init(_ indices: [any NDArrayIndex], of array: NDArray) throws {
    guard indices.count <= array.shape.count else {
      throw GraphError("\(array.type) has \(array.shape.count) axes; received \(indices.count) indices.")
    }
    var ranges = array.shape.map { 0..<$0 }
    var isKept = [Bool](repeating: true, count: ranges.count)
    for (axis, index) in indices.enumerated() {
      guard let range = index.elements(of: array.shape[axis]) else {
        throw GraphError(
          "axis \(axis) of \(array.type) has \(array.shape[axis]) elements; received the index \(index).")
      }
      (ranges[axis], isKept[axis]) = (range, index.keepsAxis)
    }
    shape = zip(ranges, isKept).filter(\.1).map(\.0.count)
    let strides = array.shape.rowMajorStrides
    // Axes that are taken whole, and the last one before them, lie together.
    var outer = ranges.count
    var length = 1
    while outer > 0 {
      outer -= 1
      length *= ranges[outer].count
      if ranges[outer].count != array.shape[outer] { break }
    }
    run = length
    let first = zip(ranges, strides).reduce(0) { $0 + $1.0.lowerBound * $1.1 }
    var starts: [Int] = []
    if length > 0 {
      forEachPlace(of: ranges[..<outer].map(\.count), strides[..<outer]) { starts.append(first + $0) }
    }
    self.starts = starts
  }
}
