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
    return x.padded(low: [0, top, left, 0], high: [0, bottom, right, 0])
  }

  public static var summary: String { "Adds rows and columns of zeros around images." }

  public init(config: ConfigReader) throws {
    let name = try config.optionalString("name")
    // One margin for all, one for each axis, or two for each axis.
    func margin(_ value: Config) throws -> Int {
      guard case .int(let margin) = value.value, ClosedRange.notNegative.contains(margin) else {
        throw config.complaint("padding", Self.margins, value)
      }
      return margin
    }
    func sides(_ value: Config) throws -> (low: Int, high: Int) {
      guard case .array(let sides) = value.value else { return (try margin(value), try margin(value)) }
      guard sides.count == 2 else { throw config.complaint("padding", Self.margins, value) }
      return (try margin(sides[0]), try margin(sides[1]))
    }
    let value = config.value("padding", kind: Self.margins, default: 1) ?? 1
    var (rows, columns) = (value, value)
    if case .array(let axes) = value.value {
      guard axes.count == 2 else { throw config.complaint("padding", Self.margins, value) }
      (rows, columns) = (axes[0], axes[1])
    }
    let (vertical, horizontal) = (try sides(rows), try sides(columns))
    self.init(
      top: vertical.low, bottom: vertical.high, left: horizontal.low, right: horizontal.high, name: name)
  }

  private static let margins =
    "a whole number, [rows, columns] or [[top, bottom], [left, right]], each of at least 0 and at most \(Int32.max)"

  public func config() -> Config {
    Config([
      "name": name.map { Config(.string($0)) },
      "padding": Config(.array([.ints([top, bottom]), .ints([left, right])])),
    ])
  }
}
