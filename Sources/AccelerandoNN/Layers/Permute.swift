// The axes of a sample in another order.

import AccelerandoCore

/// Axis `i` of the result is axis `dims[i - 1]` of the input; the axes of a sample count from 1, as in Keras.
public struct Permute: ConfigurableLayer {
  /// The order, from 1.
  public let dims: [Int]
  public let name: String?

  /// Makes the layer.
  public init(_ dims: [Int], name: String? = nil) {
    self.dims = dims
    self.name = name
  }

  public var acceptsIntegers: Bool { true }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.rank >= 1, dims.sorted() == Array(1..<x.rank) else {
      return x.rejected(
        "needs an order of a sample's axes, 1 to \(max(x.rank - 1, 1)); received \(dims) for an input \(x.shape).")
    }
    return x.transposed([0] + dims)
  }

  public static var summary: String { "The axes of a sample in another order, counted from 1." }

  public init(config: ConfigReader) throws {
    self.init(try config.ints("dims", in: .counts), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(["name": name.map { Config(.string($0)) }, "dims": .ints(dims)])
  }
}
