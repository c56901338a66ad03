// Softmax as a layer, along any axis.

import AccelerandoCore

/// eˣ / Σ eˣ along an axis. Along positions that the mask says do not count, the result is zero and adds nothing to the sum.
public struct Softmax: ConfigurableLayer {
  /// The axis; negative ones count from the last.
  public let axis: Int
  public let name: String?
  public var passesMask: Bool { true }

  /// Makes the layer.
  public init(axis: Int = -1, name: String? = nil) {
    self.axis = axis
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard (-x.rank..<x.rank).contains(axis) else {
      return x.rejected("needs an input with an axis \(axis); received \(x.shape).")
    }
    let along = axis < 0 ? axis + x.rank : axis
    guard let mask = x.mask, along < mask.rank else { return x.softmax(axis: axis) }
    let counts = mask.broadcast(to: x.shape, axes: Array(0..<mask.rank))
    let lowest = x.filled(x.dtype == .float16 ? -3e4 : -1e9)
    return select(counts, select(counts, x, lowest).softmax(axis: axis), x.zerosLike())
  }

  public static var summary: String { "Softmax along an axis." }

  public init(config: ConfigReader) throws {
    self.init(axis: try config.int("axis", default: -1), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(["name": name.map { Config(.string($0)) }, "axis": Config(.int(axis))])
  }
}
