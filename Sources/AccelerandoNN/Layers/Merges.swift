// Combining branches element by element: sums for residual connections, and similar layers.

import AccelerandoCore

/// The sum of the inputs, broadcasting.
public struct Add: MergeLayer, ConfigurableLayer {
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  public init(name: String? = nil) { self.name = name }

  public func forward(_ inputs: [Tensor]) -> Tensor { combined(inputs, +) }

  public static var summary: String { "The sum of several inputs." }

  public init(config: ConfigReader) throws { self.init(name: try config.optionalString("name")) }
  public func config() -> Config { Config(["name": name.map { Config(.string($0)) }]) }
}

/// The first input minus the second.
public struct Subtract: MergeLayer, ConfigurableLayer {
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  public init(name: String? = nil) { self.name = name }

  public func forward(_ inputs: [Tensor]) -> Tensor {
    guard inputs.count == 2 else {
      let first = inputs.first ?? Graph().input("no input", TensorType(.float32, []))
      return first.rejected("takes two inputs; received \(inputs.count).")
    }
    return combined(inputs, -)
  }

  public static var summary: String { "The first input minus the second." }

  public init(config: ConfigReader) throws { self.init(name: try config.optionalString("name")) }
  public func config() -> Config { Config(["name": name.map { Config(.string($0)) }]) }
}

/// The product of the inputs, element by element, broadcasting.
public struct Multiply: MergeLayer, ConfigurableLayer {
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  public init(name: String? = nil) { self.name = name }

  public func forward(_ inputs: [Tensor]) -> Tensor { combined(inputs, *) }

  public static var summary: String { "The product of several inputs, element by element." }

  public init(config: ConfigReader) throws { self.init(name: try config.optionalString("name")) }
  public func config() -> Config { Config(["name": name.map { Config(.string($0)) }]) }
}

/// The mean of the inputs, element by element, broadcasting.
public struct Average: MergeLayer, ConfigurableLayer {
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  public init(name: String? = nil) { self.name = name }

  public func forward(_ inputs: [Tensor]) -> Tensor {
    combined(inputs, +) * (1 / Double(max(inputs.count, 1)))
  }

  public static var summary: String { "The mean of several inputs, element by element." }

  public init(config: ConfigReader) throws { self.init(name: try config.optionalString("name")) }
  public func config() -> Config { Config(["name": name.map { Config(.string($0)) }]) }
}

/// The largest of the inputs, element by element, broadcasting.
public struct Maximum: MergeLayer, ConfigurableLayer {
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  public init(name: String? = nil) { self.name = name }

  public func forward(_ inputs: [Tensor]) -> Tensor { combined(inputs) { $0.maximum($1) } }

  public static var summary: String { "The largest of several inputs, element by element." }

  public init(config: ConfigReader) throws { self.init(name: try config.optionalString("name")) }
  public func config() -> Config { Config(["name": name.map { Config(.string($0)) }]) }
}

/// The smallest of the inputs, element by element, broadcasting.
public struct Minimum: MergeLayer, ConfigurableLayer {
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  public init(name: String? = nil) { self.name = name }

  public func forward(_ inputs: [Tensor]) -> Tensor { combined(inputs) { $0.minimum($1) } }

  public static var summary: String { "The smallest of several inputs, element by element." }

  public init(config: ConfigReader) throws { self.init(name: try config.optionalString("name")) }
  public func config() -> Config { Config(["name": name.map { Config(.string($0)) }]) }
}

/// Combines inputs from first to last; reports shapes that do not broadcast.
private func combined(_ inputs: [Tensor], _ combine: (Tensor, Tensor) -> Tensor) -> Tensor {
  guard let first = inputs.first else { return Graph().input("no input", TensorType(.float32, [])) }
  return inputs.dropFirst().reduce(first) { sum, input in
    guard broadcastShape(sum.shape, input.shape) != nil else {
      return sum.rejected(
        "needs inputs of one shape, or of shapes that broadcast; "
          + "received \(inputs.map { "\($0.shape)" }.joined(separator: ", ")).")
    }
    return combine(sum, input)
  }
}

extension Add {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate }
}

extension Subtract {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate }
}

extension Multiply {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate }
}

extension Average {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate }
}

extension Maximum {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate }
}

extension Minimum {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate }
}
