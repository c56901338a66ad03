// Padding images with zeros.

import AccelerandoCore

/// Adds rows and columns of zeros: `[N, H, W, C]` to `[N, top + H + bottom, left + W + right, C]`.
public struct ZeroPadding2D: ConfigurableLayer {
  /// Rows above the image.
  public let top: Int
  /// Rows below the image.
  public let bottom: Int
  /// Columns on the left.
  public let left: Int
  /// Columns on the right.
  public let right: Int
  public let name: String?

  /// Makes the layer.
  public init(top: Int, bottom: Int, left: Int, right: Int, name: String? = nil) {
    self.top = top
    self.bottom = bottom
    self.left = left
    self.right = right
    self.name = name
  }

  /// Makes a layer with the same padding on all sides.
  public init(_ padding: Int = 1, name: String? = nil) {
    self.init(top: padding, bottom: padding, left: padding, right: padding, name: name)
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard let x = x.asImages() else { return x }
    guard [top, bottom, left, right].allSatisfy({ $0 >= 0 }) else {
      return x.rejected("needs margins of at least 0; received \([top, bottom, left, right]).")
    }
    return x.padded(low: [0, top, left, 0], high: [0, bottom, right, 0])
  }

  public init(config: ConfigReader) throws {
    let name = try config.optionalString("name")
    guard let value = config.value("padding") else {
      self.init(1, name: name)
      return
    }
    // One margin for all, one for each axis, or two for each axis.
    var axes = [[1, 1], [1, 1]]
    switch value.value {
    case .int(let margin): axes = [[margin, margin], [margin, margin]]
    case .array(let values) where values.count == 2:
      for (axis, value) in values.enumerated() {
        switch value.value {
        case .int(let margin): axes[axis] = [margin, margin]
        case .array(let sides) where sides.count == 2:
          axes[axis] = try sides.map { side in
            guard case .int(let margin) = side.value else { throw Self.refused(value) }
            return margin
          }
        default: throw Self.refused(value)
        }
      }
    default: throw Self.refused(value)
    }
    guard axes.flatMap({ $0 }).allSatisfy({ $0 >= 0 }) else { throw Self.refused(value) }
    self.init(top: axes[0][0], bottom: axes[0][1], left: axes[1][0], right: axes[1][1], name: name)
  }

  private static func refused(_ value: Config) -> ConfigError {
    ConfigError(
      "ZeroPadding2D: 'padding' needs a whole number, [rows, columns] or [[top, bottom], [left, right]], "
        + "of at least 0; received \(value.summary).", at: value.location)
  }

  public func config() -> Config {
    Config([
      "name": name.map { Config(.string($0)) },
      "padding": Config(.array([.ints([top, bottom]), .ints([left, right])])),
    ])
  }
}
