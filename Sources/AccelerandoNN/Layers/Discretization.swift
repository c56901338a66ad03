// Numbers whose size says little, such as hours of the day, become bins that a network can treat one by one.

import AccelerandoCore

/// The bin of each number: bin i holds numbers from boundary i − 1 on and below boundary i.
///
/// Boundaries are given, or learned from the training data as quantiles, so that each bin holds as many numbers.
public struct Discretization: ConfigurableLayer, AdaptiveLayer {
  /// The boundaries in ascending order, if they are given.
  public let binBoundaries: [Double]?
  /// The number of bins to learn boundaries of.
  public let numBins: Int?
  /// The part of the numbers by which quantiles may be off: the larger, the less memory they take to learn.
  public let epsilon: Double
  /// The form of the result.
  public let outputMode: CategoryMode
  public let name: String?
  public var acceptsIntegers: Bool { true }
  public var passesMask: Bool { outputMode == .int }
  let boundaries: Parameter
  let count: Parameter

  /// Makes a layer with given boundaries.
  /// - Parameters:
  ///   - binBoundaries: the boundaries in ascending order.
  ///   - outputMode: the form of the result.
  ///   - name: the layer's name.
  public init(binBoundaries: [Double], outputMode: CategoryMode = .int, name: String? = nil) {
    self.init(binBoundaries, nil, 0.01, outputMode, name)
  }

  /// Makes a layer that learns its boundaries by `Model.adapt(to:)`.
  /// - Parameters:
  ///   - numBins: the number of bins.
  ///   - epsilon: the part of the numbers by which quantiles may be off.
  ///   - outputMode: the form of the result.
  ///   - name: the layer's name.
  public init(
    numBins: Int, epsilon: Double = 0.01, outputMode: CategoryMode = .int, name: String? = nil
  ) {
    self.init(nil, numBins, epsilon, outputMode, name)
  }

  private init(
    _ binBoundaries: [Double]?, _ numBins: Int?, _ epsilon: Double, _ mode: CategoryMode,
    _ name: String?
  ) {
    self.binBoundaries = binBoundaries
    self.numBins = numBins
    self.epsilon = epsilon
    outputMode = mode
    self.name = name
    boundaries = Parameter(.zeros, role: .state, keepsPrecision: true)
    count = Parameter(.zeros, role: .state, dtype: .int32)
  }

  public var adaptationCount: Parameter? { binBoundaries == nil ? count : nil }

  /// The number of learned boundaries. Keras steps from 0 to 1 by 1/bins and drops the last step; rounding may add one.
  private var boundaryCount: Int { QuantileSummary.steps(1 / Double(max(numBins ?? 1, 1))) - 1 }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.rank >= 1 else { return x.rejected("needs numbers [N, …]; received \(x.type).") }
    let total = binBoundaries?.count ?? boundaryCount
    if binBoundaries == nil { _ = count[shape: []] }
    guard total > 0 else {
      return x.converted(to: .int32).zerosLike().encoded(outputMode, depth: 1)
    }
    let bounds =
      binBoundaries.map { x.graph.add(Constant(NDArray($0.map { Float($0) }))) }
      ?? boundaries[shape: [total]]
    // What is not below a boundary lies behind it, as in Keras also what is no number.
    let (values, all) = (x.converted(to: .float32).expandingDims(-1), x.shape + [total])
    let isBelow = values.broadcast(to: all).less(than: bounds.broadcast(to: all, axes: [x.rank]))
    let below = isBelow.converted(to: .int32).sum(axes: [x.rank])
    return (below.filled(Double(total)) - below).encoded(outputMode, depth: total + 1)
  }

  public func makeAdaptation(for input: TensorType) -> any LayerAdaptation {
    Quantiles(layer: self, numBins: numBins ?? 1, boundaryCount: boundaryCount)
  }

  public static var summary: String {
    "The bin that each number falls into, by boundaries that are given or learned."
  }

  public init(config: ConfigReader) throws {
    let kind = "a list of numbers in ascending order"
    let given =
      config.value("bin_boundaries", kind: kind) == nil ? nil : try config.doubles("bin_boundaries")
    if let given, zip(given, given.dropFirst()).contains(where: { $0 > $1 }) {
      throw config.refused("bin_boundaries", kind)
    }
    let bins = try config.optionalInt(
      "num_bins", in: 1...(1 << 20),
      about: "The number of bins whose boundaries are learned from the training data")
    guard given != nil || bins != nil || config.isDescribing else {
      throw ConfigError(
        "\(config.subject) needs 'bin_boundaries' or 'num_bins'.", at: config.config.location)
    }
    let epsilon = try config.double(
      "epsilon", default: 0.01, in: .positiveFraction,
      about: "The part of the numbers by which boundaries may be off")
    let mode = try config.choice("output_mode", default: CategoryMode.int)
    try config.refuseSparse()
    self.init(
      given, given == nil ? bins ?? 1 : nil, epsilon, mode, try config.optionalString("name"))
  }

  public func config() -> Config {
    Config([
      "name": name.map { Config(.string($0)) },
      "bin_boundaries": binBoundaries.map { Config(.array($0.map { Config(.double($0)) })) },
      "num_bins": numBins.map { Config(.int($0)) }, "epsilon": Config(.double(epsilon)),
      "output_mode": Config(.string(outputMode.rawValue)),
    ])
  }
}

/// Boundaries of bins that hold as many numbers each.
private struct Quantiles: LayerAdaptation {
  let layer: Discretization
  let numBins: Int
  let boundaryCount: Int
  /// Numbers that are not summarized yet. They are summarized by the millions, whatever the batches, so that the result
  /// does not depend on these.
  private var waiting: [Float] = []
  private var summary = QuantileSummary()
  private var total = 0
  private static let most = 1 << 24

  init(layer: Discretization, numBins: Int, boundaryCount: Int) {
    (self.layer, self.numBins, self.boundaryCount) = (layer, numBins, boundaryCount)
  }

  mutating func add(_ samples: NDArray) {
    total += samples.elementCount
    for number in samples.elements(as: Float.self) {
      waiting.append(number)
      if waiting.count == Self.most {
        summary.add(waiting, epsilon: layer.epsilon)
        waiting.removeAll(keepingCapacity: true)
      }
    }
  }

  func values() throws -> [(parameter: Parameter, value: NDArray)] {
    guard total > 0 else { throw GraphError("has no samples to learn boundaries of bins from.") }
    var whole = summary
    if !waiting.isEmpty { whole.add(waiting, epsilon: layer.epsilon) }
    // Fewer numbers than bins: the bins behind the last boundary stay empty.
    let found = whole.boundaries(of: numBins).prefix(boundaryCount)
    let filled =
      found + [Float](repeating: .greatestFiniteMagnitude, count: boundaryCount - found.count)
    let bounds = boundaryCount > 0 ? [(layer.boundaries, NDArray(Array(filled)))] : []
    return bounds + [(layer.count, .adaptationCount(total))]
  }
}
