// Features of different sizes, such as metres and years, become numbers around 0 with deviations of 1, which networks
// learn from at one rate.

import AccelerandoCore

/// `(x − mean) / max(√variance, 1e-7)`, with a mean and a variance that are given or learned from the training data.
///
/// It computes in float32, also where the layers behind it compute in 16 bits.
public struct Normalization: ConfigurableLayer, AdaptiveLayer {
  /// The axes along which each index has a mean and a variance of its own; the batch is axis 0, and negative axes count
  /// from the last. Empty for one mean and one variance of all elements.
  public let axis: [Int]
  /// The given means: one for all, or one for each index of the axes, or of the last of them. Nil to learn them.
  public let mean: [Double]?
  /// The given variances, as many as means.
  public let variance: [Double]?
  /// Whether normalized numbers become the original ones: `mean + x · max(√variance, 1e-7)`.
  public let invert: Bool
  public let name: String?
  public var passesMask: Bool { true }
  public var acceptsIntegers: Bool { true }
  let adaptedMean: Parameter
  let adaptedVariance: Parameter
  let count: Parameter

  /// Makes the layer.
  /// - Parameters:
  ///   - axis: the axes whose indices have a mean and a variance of their own; `[]` for one of all elements.
  ///   - mean: the means; nil to learn them by `Model.adapt(to:)`.
  ///   - variance: the variances, as many as means.
  ///   - invert: whether normalized numbers become the original ones.
  ///   - name: the layer's name.
  public init(
    axis: [Int] = [-1], mean: [Double]? = nil, variance: [Double]? = nil, invert: Bool = false,
    name: String? = nil
  ) {
    self.axis = axis
    self.mean = mean
    self.variance = variance
    self.invert = invert
    self.name = name
    adaptedMean = Parameter(.zeros, role: .state, keepsPrecision: true)
    adaptedVariance = Parameter(.ones, role: .state, keepsPrecision: true)
    count = Parameter(.zeros, role: .state, dtype: .int32)
  }

  public var adaptationCount: Parameter? { mean == nil ? count : nil }

  public func forward(_ x: Tensor) -> Tensor {
    let kept: [Int]
    do { kept = try keptAxes(of: x.shape) } catch { return x.rejected(error.message) }
    let sizes = kept.map { x.shape[$0] }
    let place = x.shape.indices.map { kept.contains($0) ? x.shape[$0] : 1 }
    let result =
      x.dtype.isFloating
      ? Scope.current?.computeType ?? x.dtype : Scope.current?.computeType ?? .float32
    let wide = x.converted(to: .float32)
    let (mean, variance): (Tensor, Tensor)
    if let givenMean = self.mean, let givenVariance = self.variance {
      guard let means = spread(givenMean, over: sizes),
        let variances = spread(givenVariance, over: sizes)
      else {
        return x.rejected(
          "needs a mean and a variance for each index of axis \(axis), of the sizes \(sizes), or one for all; has "
            + "\(givenMean.count) and \(givenVariance.count).")
      }
      mean = x.graph.add(Constant(means))
      variance = x.graph.add(Constant(variances))
    } else {
      (mean, variance) = (adaptedMean[shape: sizes], adaptedVariance[shape: sizes])
      _ = count[shape: []]
    }
    let deviation = variance.sqrt().maximum(1e-7).reshaped(place)
    let shifted = mean.reshaped(place)
    return (invert ? shifted + wide * deviation : (wide - shifted) / deviation).converted(
      to: result)
  }

  /// The axes with means of their own, in order.
  private func keptAxes(of shape: [Int]) throws(GraphError) -> [Int] {
    let axes = Set(axis.map { $0 < 0 ? $0 + shape.count : $0 })
    guard axes.allSatisfy({ (1..<max(shape.count, 1)).contains($0) }) else {
      let remedy =
        shape.count == 1 ? " With one number a sample, 'axis: null' has one mean of all." : ""
      throw GraphError(
        "needs axes beside the batch, 1 to \(shape.count - 1) or negative; has axis \(axis) for \(shape).\(remedy)"
      )
    }
    return axes.sorted()
  }

  /// Numbers as an array of the sizes of the axes: one for all, or those of the last axes.
  private func spread(_ numbers: [Double], over sizes: [Int]) -> NDArray? {
    let total = sizes.reduce(1, *)
    let fits =
      numbers.count == 1
      || (0...sizes.count).contains { sizes.suffix($0).reduce(1, *) == numbers.count }
    guard fits, !numbers.isEmpty else { return nil }
    return try? NDArray((0..<total).map { Float(numbers[$0 % numbers.count]) }, shape: sizes)
  }

  public func makeAdaptation(for input: TensorType) -> any LayerAdaptation {
    let kept = (try? keptAxes(of: input.shape)) ?? []
    return Moments(layer: self, kept: kept, sizes: kept.map { input.shape[$0] })
  }

  public static var summary: String {
    "(x − mean) / √variance, with a mean and a variance for each feature, given or learned before training."
  }

  public init(config: ConfigReader) throws {
    // No axis (null) is something else than none said.
    let isNull = config.config["axis"].map { $0.value == .null } ?? false
    let axis = try config.ints("axis", default: [-1])
    let mean = try config.nestedDoubles(
      "mean", about: "Learned from the training data where it is not given")
    let variance = try config.nestedDoubles("variance", about: "With a mean", in: .notNegative)
    guard (mean == nil) == (variance == nil), mean?.count == variance?.count else {
      throw config.refused(
        mean == nil ? "mean" : "variance", "as many numbers as the other of 'mean' and 'variance'")
    }
    self.init(
      axis: isNull ? [] : axis, mean: mean, variance: variance,
      invert: try config.bool("invert", default: false),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    func numbers(_ values: [Double]?) -> Config? {
      values.map {
        $0.count == 1 ? Config(.double($0[0])) : Config(.array($0.map { Config(.double($0)) }))
      }
    }
    return Config([
      "name": name.map { Config(.string($0)) },
      "axis": axis.isEmpty ? Config(.null) : axis.count == 1 ? Config(.int(axis[0])) : .ints(axis),
      "mean": numbers(mean), "variance": numbers(variance), "invert": Config(.bool(invert)),
    ])
  }
}

extension Normalization {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow {
    if axis.isEmpty { return .separate }
    guard let rank = inputs.first?.rank, axis == [-1] || axis == [rank - 1] else { return .mixed }
    return mean == nil ? ChannelFlow.separate.with(adaptedMean).with(adaptedVariance) : .mixed
  }
}

/// Means and variances of samples, in double precision: those of parts are joined without loss (Chan, Golub and LeVeque,
/// 1979), so that the result does not depend on the batches.
private struct Moments: LayerAdaptation {
  let layer: Normalization
  let kept: [Int]
  let sizes: [Int]
  /// The number of elements for each mean.
  var count = 0.0
  var means: [Double]
  /// The sums of squared distances from the means.
  var squares: [Double]

  init(layer: Normalization, kept: [Int], sizes: [Int]) {
    (self.layer, self.kept, self.sizes) = (layer, kept, sizes)
    means = [Double](repeating: 0, count: sizes.reduce(1, *))
    squares = means
  }

  mutating func add(_ samples: NDArray) {
    let cells = means.count
    guard samples.elementCount > 0, cells > 0 else { return }
    let each = Double(samples.elementCount / cells)
    var partMeans = [Double](repeating: 0, count: cells)
    var partSquares = partMeans
    let cell = cellOfElement(samples.shape)
    samples.converted(to: .float32).withUnsafeBytes { bytes in
      let elements = bytes.bindMemory(to: Float.self)
      Self.visit(elements, cells, cell) { partMeans[$0] += $1 }
      for index in 0..<cells { partMeans[index] /= each }
      Self.visit(elements, cells, cell) { index, element in
        let distance = element - partMeans[index]
        partSquares[index] += distance * distance
      }
    }
    let total = count + each
    for index in 0..<cells {
      let distance = partMeans[index] - means[index]
      means[index] += distance * each / total
      squares[index] += partSquares[index] + distance * distance * count * each / total
    }
    count = total
  }

  /// Calls `body` with each element and the mean that it belongs to.
  private static func visit(
    _ elements: UnsafeBufferPointer<Float>, _ cells: Int, _ cell: ((Int) -> Int)?,
    _ body: (Int, Double) -> Void
  ) {
    if let cell {
      for place in elements.indices { body(cell(place), Double(elements[place])) }
      return
    }
    for row in stride(from: 0, to: elements.count, by: cells) {
      for index in 0..<cells { body(index, Double(elements[row + index])) }
    }
  }

  /// Which mean an element belongs to, by its place in row-major order; nil where means follow one another, over and over:
  /// features along the last axis, or one mean of all.
  private func cellOfElement(_ shape: [Int]) -> ((Int) -> Int)? {
    if kept.isEmpty || kept == [shape.count - 1] { return nil }
    var parts: [(stride: Int, size: Int, weight: Int)] = []
    var weight = 1
    for axis in kept.reversed() {
      parts.append((shape[(axis + 1)...].reduce(1, *), shape[axis], weight))
      weight *= shape[axis]
    }
    return { place in parts.reduce(0) { $0 + place / $1.stride % $1.size * $1.weight } }
  }

  func values() throws -> [(parameter: Parameter, value: NDArray)] {
    guard count > 0 else { throw GraphError("has no samples to learn a mean and a variance from.") }
    return [
      (layer.adaptedMean, try NDArray(means.map { Float($0) }, shape: sizes)),
      (layer.adaptedVariance, try NDArray(squares.map { Float($0 / count) }, shape: sizes)),
      (layer.count, .adaptationCount(Int(min(count * Double(means.count), 2e9)))),
    ]
  }
}

extension ConfigReader {
  /// A number, or numbers in lists of any depth, row by row; nil if it is not set.
  fileprivate func nestedDoubles(_ key: String, about: String, in limit: NumberLimit = .finite)
    throws -> [Double]?
  {
    let kind = "a number or a list of numbers"
    guard let value = value(key, kind: kind, about: about) else { return nil }
    func numbers(_ node: Config) throws -> [Double] {
      switch node.value {
      case .int(let number) where limit.contains(Double(number)): return [Double(number)]
      case .double(let number) where limit.contains(number): return [number]
      case .array(let nodes): return try nodes.flatMap(numbers)
      default: throw refused(key, "\(kind), each \(limit.description)")
      }
    }
    let all = try numbers(value)
    guard !all.isEmpty else { throw refused(key, kind) }
    return all
  }
}
