// From one vector to a sequence: between an encoder and a decoder.

import AccelerandoCore

/// The same features in each of `count` elements: `[N, features]` to `[N, count, features]`.
public struct RepeatVector: ConfigurableLayer {
  /// The length of the sequences.
  public let count: Int
  public let name: String?

  /// Makes the layer.
  public init(_ count: Int, name: String? = nil) {
    self.count = count
    self.name = name
  }

  public var acceptsIntegers: Bool { true }

  public func forward(_ x: Tensor) -> Tensor {
    guard x.rank == 2 else { return x.rejected("needs vectors [N, features]; received \(x.shape).") }
    return x.expandingDims(1).broadcast(to: [x.shape[0], count, x.shape[1]])
  }

  public static var summary: String { "The same features n times: [N, features] to [N, n, features]." }

  public init(config: ConfigReader) throws {
    self.init(try config.int("n", in: .counts), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(["name": name.map { Config(.string($0)) }, "n": Config(.int(count))])
  }
}
