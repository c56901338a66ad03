// Limits that weights are brought back to after each update of the optimizer, in the same step.

import AccelerandoCore

/// What holds for a weight after each step of training.
public protocol Constraint: Sendable {
  /// The weight that holds to the constraint and is nearest to the given one, by the constraint's own measure; of the same
  /// type.
  func constrained(_ weight: Tensor) -> Tensor
}

/// Vectors along the axes have at most a given length. In a dense kernel `[inputs, units]`, axis 0 is the vector of one unit;
/// in a convolution's `[height, width, channels, filters]`, axes 0, 1 and 2 are that of a filter.
public struct MaxNorm: Constraint, Hashable {
  /// The largest length.
  public let maximum: Double
  /// The axes of a vector; negative ones count from the last.
  public let axes: [Int]

  /// Makes the constraint.
  public init(_ maximum: Double = 2, axes: [Int] = [0]) {
    self.maximum = maximum
    self.axes = axes
  }

  public func constrained(_ weight: Tensor) -> Tensor {
    weight.withLengths(axes) { $0.clamped($0.scalar(0), $0.scalar(maximum)) }
  }
}

/// Vectors along the axes have a length between two limits.
public struct MinMaxNorm: Constraint, Hashable {
  /// The smallest length.
  public let minimum: Double
  /// The largest length.
  public let maximum: Double
  /// The part of the way to the nearest allowed length that a step goes, 0 to 1.
  public let rate: Double
  /// The axes of a vector; negative ones count from the last.
  public let axes: [Int]

  /// Makes the constraint.
  public init(_ minimum: Double = 0, _ maximum: Double = 1, rate: Double = 1, axes: [Int] = [0]) {
    self.minimum = minimum
    self.maximum = maximum
    self.rate = rate
    self.axes = axes
  }

  public func constrained(_ weight: Tensor) -> Tensor {
    weight.withLengths(axes) { $0.clamped($0.scalar(minimum), $0.scalar(maximum)) * rate + $0 * (1 - rate) }
  }
}

/// No element is negative.
public struct NonNeg: Constraint, Hashable {
  /// Makes the constraint.
  public init() {}

  public func constrained(_ weight: Tensor) -> Tensor { weight.maximum(0) }
}

/// Vectors along the axes have the length 1.
public struct UnitNorm: Constraint, Hashable {
  /// The axes of a vector; negative ones count from the last.
  public let axes: [Int]

  /// Makes the constraint.
  public init(axes: [Int] = [0]) { self.axes = axes }

  public func constrained(_ weight: Tensor) -> Tensor { weight.withLengths(axes) { $0.onesLike() } }
}

extension Tensor {
  /// The tensor with vectors of other lengths. As in Keras, 10⁻⁷ is added to what is divided by, so that lengths are
  /// smaller by that part, and vectors of zeros stay.
  fileprivate func withLengths(_ axes: [Int], _ desired: (Tensor) -> Tensor) -> Tensor {
    let along = axes.map { $0 < 0 ? $0 + rank : $0 }
    guard !along.isEmpty, Set(along).count == along.count, along.allSatisfy((0..<rank).contains) else {
      return rejected("needs different axes that the constrained weight \(shape) has; received \(axes).")
    }
    let lengths = squared().sum(axes: along.sorted(), keepDims: true).sqrt()
    return self * (desired(lengths) / (lengths + 1e-7))
  }
}

extension Constraint where Self == MaxNorm {
  /// Vectors along the axes have at most a given length.
  public static func maxNorm(_ maximum: Double = 2, axes: [Int] = [0]) -> Self { MaxNorm(maximum, axes: axes) }
}

extension Constraint where Self == MinMaxNorm {
  /// Vectors along the axes have a length between two limits.
  public static func minMaxNorm(
    _ minimum: Double = 0, _ maximum: Double = 1, rate: Double = 1, axes: [Int] = [0]
  ) -> Self {
    MinMaxNorm(minimum, maximum, rate: rate, axes: axes)
  }
}

extension Constraint where Self == NonNeg {
  /// No element is negative.
  public static var nonNeg: Self { NonNeg() }
}

extension Constraint where Self == UnitNorm {
  /// Vectors along the axes have the length 1.
  public static func unitNorm(axes: [Int] = [0]) -> Self { UnitNorm(axes: axes) }
}

// MARK: - Files

extension Catalog where Item == any Constraint {
  /// The built-in constraints, by Keras' names.
  public static var constraints: Catalog { builtInConstraints }
}

/// Made once: every layer that is traced asks for it.
private let builtInConstraints: Catalog<any Constraint> = {
  Catalog("constraint")
    .adding("max_norm", number: "max_value", "Vectors along the axes have at most this length.") {
      MaxNorm(try $0.double("max_value", default: 2, in: .notNegative), axes: try $0.ints("axis", default: [0]))
    }
    .adding("min_max_norm", "Vectors along the axes have a length between two limits.") { reader in
      let low = try reader.double("min_value", default: 0, in: .notNegative)
      let high = try reader.double("max_value", default: 1, in: .notNegative)
      guard low <= high else { throw reader.refused("max_value", "a number of at least 'min_value', \(low)") }
      return MinMaxNorm(
        low, high, rate: try reader.double("rate", default: 1, in: .fraction),
        axes: try reader.ints("axis", default: [0]))
    }
    .adding("non_neg", "No element is negative.") { _ in NonNeg() }
    .adding("unit_norm", "Vectors along the axes have the length 1.") {
      UnitNorm(axes: try $0.ints("axis", default: [0]))
    }
}()

extension MaxNorm: Configurable {
  public var configName: String { "max_norm" }
  public func config() -> Config { Config(["max_value": Config(.double(maximum)), "axis": .ints(axes)]) }
}

extension MinMaxNorm: Configurable {
  public var configName: String { "min_max_norm" }
  public func config() -> Config {
    Config([
      "min_value": Config(.double(minimum)), "max_value": Config(.double(maximum)), "rate": Config(.double(rate)),
      "axis": .ints(axes),
    ])
  }
}

extension NonNeg: Configurable {
  public var configName: String { "non_neg" }
  public func config() -> Config { Config([:]) }
}

extension UnitNorm: Configurable {
  public var configName: String { "unit_norm" }
  public func config() -> Config { Config(["axis": .ints(axes)]) }
}

extension ConfigReader {
  /// A constraint by name or as an object, if it is set.
  public func constraint(_ key: String) throws -> (any Constraint)? {
    try value(key, kind: "a constraint, like non_neg or {max_norm: 3}").map { try Catalog.constraints.make($0) }
  }
}
