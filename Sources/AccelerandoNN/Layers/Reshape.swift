// The features of a sample in another shape.

import AccelerandoCore

/// `[N, …]` to `[N] + shape`, row-major. One size of the shape may be -1 and is then computed.
public struct Reshape: ConfigurableLayer {
  /// The shape of a sample.
  public let shape: [Int]
  public let name: String?

  /// Makes the layer.
  public init(_ shape: [Int], name: String? = nil) {
    self.shape = shape
    self.name = name
  }

  public var acceptsIntegers: Bool { true }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.rank >= 1 else { return x.rejected("needs an input with a batch axis; received a scalar.") }
    let features = Array(x.shape.dropFirst()).elementCount
    var target = shape
    // Sizes that no tensor has saturate, and so match nothing.
    let fixed = shape.filter { $0 != -1 }.elementCount
    if let free = shape.firstIndex(of: -1), fixed > 0 { target[free] = features / fixed }
    guard target.allSatisfy({ $0 >= 0 }), target.elementCount == features else {
      return x.rejected(
        "needs as many features as \(shape) has; received samples \(Array(x.shape.dropFirst())) "
          + "with \(features) features.")
    }
    return x.reshaped([x.shape[0]] + target)
  }

  public static var summary: String {
    "The features of a sample in another shape; one size may be -1 and is then computed."
  }

  public init(config: ConfigReader) throws {
    self.init(try config.ints("target_shape", in: -1...Int(Int32.max)), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(["name": name.map { Config(.string($0)) }, "target_shape": .ints(shape)])
  }
}
