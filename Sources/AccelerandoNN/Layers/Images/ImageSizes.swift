// Layers that give images another size: the same one for all, whatever they are for.

import AccelerandoCore
import AccelerandoFormats

/// Resizes images: `[N, H, W, C]` to `[N, height, width, C]`.
public struct Resizing: ConfigurableLayer {
  /// The new number of rows.
  public let height: Int
  /// The new number of columns.
  public let width: Int
  /// How pixels are computed.
  public let interpolation: Interpolation
  /// Whether the middle is cut out of images of other proportions, which are stretched otherwise.
  public let cropsToAspectRatio: Bool
  /// Whether images of other proportions get margins.
  public let padsToAspectRatio: Bool
  /// The value of the margins.
  public let fillValue: Double
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(
    height: Int, width: Int, interpolation: Interpolation = .bilinear, cropsToAspectRatio: Bool = false,
    padsToAspectRatio: Bool = false, fillValue: Double = 0, dataFormat: DataFormat = .channelsLast, name: String? = nil
  ) {
    self.height = height
    self.width = width
    self.interpolation = interpolation
    self.cropsToAspectRatio = cropsToAspectRatio
    self.padsToAspectRatio = padsToAspectRatio
    self.fillValue = fillValue
    self.dataFormat = dataFormat
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard let images = x.asSpatial(2, dataFormat) else { return x }
    var part = images
    if cropsToAspectRatio { part = images.fitted(height, width, crops: true) }
    if padsToAspectRatio { part = images.fitted(height, width, crops: false, with: fillValue) }
    return part.resized(height, width, interpolation).inFormat(dataFormat)
  }

  public static var summary: String { "Resizes images." }

  public init(config: ConfigReader) throws {
    self.init(
      height: try config.int("height", in: .counts), width: try config.int("width", in: .counts),
      interpolation: try config.choice("interpolation", default: .bilinear),
      cropsToAspectRatio: try config.bool("crop_to_aspect_ratio", default: false),
      padsToAspectRatio: try config.bool("pad_to_aspect_ratio", default: false),
      fillValue: try config.double("fill_value", default: 0), dataFormat: try config.dataFormat(),
      name: try config.optionalString("name"))
    // What Keras offers besides.
    _ = try config.choice("fill_mode", default: FillMode.constant, among: [.constant])
    if try config.bool("antialias", default: false) { throw config.refused("antialias", "false") }
    if cropsToAspectRatio, padsToAspectRatio {
      throw config.refused("pad_to_aspect_ratio", "false where 'crop_to_aspect_ratio' is true")
    }
  }

  public func config() -> Config {
    Config(
      name: name,
      [
        ("height", Config(.int(height))), ("width", Config(.int(width))),
        ("interpolation", interpolation == .bilinear ? nil : Config(.string(interpolation.rawValue))),
        ("crop_to_aspect_ratio", cropsToAspectRatio ? true : nil),
        ("pad_to_aspect_ratio", padsToAspectRatio ? true : nil),
        ("fill_value", fillValue == 0 ? nil : Config(.double(fillValue))), ("data_format", dataFormat.config),
      ])
  }
}

/// Cuts the middle out of images: `[N, H, W, C]` to `[N, height, width, C]`. Images that are smaller are resized first.
public struct CenterCrop: ConfigurableLayer {
  /// The new number of rows.
  public let height: Int
  /// The new number of columns.
  public let width: Int
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(height: Int, width: Int, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.height = height
    self.width = width
    self.dataFormat = dataFormat
    self.name = name
  }

  public var acceptsIntegers: Bool { true }

  public func forward(_ x: Tensor) -> Tensor {
    guard let images = x.asSpatial(2, dataFormat) else { return x }
    guard images.dim(1) >= height, images.dim(2) >= width else {
      return images.fitted(height, width, crops: true).resized(height, width, .bilinear).inFormat(dataFormat)
    }
    let (top, left) = ((images.dim(1) - height) / 2, (images.dim(2) - width) / 2)
    return images.sliced(axis: 1, top..<top + height).sliced(axis: 2, left..<left + width).inFormat(dataFormat)
  }

  public static var summary: String { "Cuts the middle out of images." }

  public init(config: ConfigReader) throws {
    self.init(
      height: try config.int("height", in: .counts), width: try config.int("width", in: .counts),
      dataFormat: try config.dataFormat(), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(
      name: name,
      [("height", Config(.int(height))), ("width", Config(.int(width))), ("data_format", dataFormat.config)])
  }
}

/// Cuts a part of a size out of each image: at random while training, otherwise, as Keras does, the largest part of the same
/// proportions in the middle, resized.
///
/// Unlike Keras', which draws one place for a batch, each image has a place of its own; and images may get margins first.
public struct RandomCrop: ConfigurableLayer {
  /// The new number of rows.
  public let height: Int
  /// The new number of columns.
  public let width: Int
  /// The rows and columns that are added at each edge before, while training.
  public let padding: Int
  /// What the added ones show.
  public let fillMode: FillMode
  /// What `constant` fills with.
  public let fillValue: Double
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(
    height: Int, width: Int, padding: Int = 0, fillMode: FillMode = .constant, fillValue: Double = 0,
    dataFormat: DataFormat = .channelsLast, name: String? = nil
  ) {
    self.height = height
    self.width = width
    self.padding = padding
    self.fillMode = fillMode
    self.fillValue = fillValue
    self.dataFormat = dataFormat
    self.name = name
  }

  /// Bytes stay bytes while training, a quarter of the numbers that they become.
  public var acceptsIntegers: Bool { true }

  public func forward(_ x: Tensor) -> Tensor {
    guard let images = x.asSpatial(2, dataFormat) else { return x }
    let (spareRows, spareColumns) = (images.dim(1) + 2 * padding - height, images.dim(2) + 2 * padding - width)
    guard let scope = Scope.current, scope.isTraining, spareRows >= 0, spareColumns >= 0 else {
      return images.fitted(height, width, crops: true).resized(height, width, .bilinear).inFormat(dataFormat)
    }
    func start(_ spare: Int) -> Tensor {
      // The number is below one, but its product may round up.
      (scope.draw(0...1, for: images) * Double(spare + 1)).floor().clamped(0...Double(spare)).converted(to: .int32)
    }
    let (top, left) = (start(spareRows), start(spareColumns))
    return images.padded(by: padding, fillMode, fillValue)
      .windows(top: top, left: left, height: height, width: width).inFormat(dataFormat)
  }

  public static var summary: String {
    "While training, cuts a part out of each image at a random place; otherwise the middle, resized."
  }

  public init(config: ConfigReader) throws {
    self.init(
      height: try config.int("height", in: .counts), width: try config.int("width", in: .counts),
      padding: try config.int(
        "padding", default: 0, in: 0...4096, about: "Rows and columns added at each edge before, while training"),
      fillMode: try config.choice("fill_mode", default: .constant, about: "What the added ones show"),
      fillValue: try config.double("fill_value", default: 0), dataFormat: try config.dataFormat(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(
      name: name,
      [
        ("height", Config(.int(height))), ("width", Config(.int(width))),
        ("padding", padding == 0 ? nil : Config(.int(padding))),
        ("fill_mode", fillMode == .constant ? nil : Config(.string(fillMode.rawValue))),
        ("fill_value", fillValue == 0 ? nil : Config(.double(fillValue))), ("data_format", dataFormat.config),
      ])
  }
}

extension Tensor {
  /// Images in another size, if that is possible; otherwise reports that it is not.
  fileprivate func resized(_ height: Int, _ width: Int, _ interpolation: Interpolation) -> Tensor {
    if height == dim(1), width == dim(2) { return self }
    let target = type.with([dim(0), height, width, dim(3)])
    if let problem = target.problem { return rejected("makes \(target): \(problem)") }
    guard (1...2).allSatisfy({ shape[$0] >= 1 && shape[$0] * target.shape[$0] <= 1 << 27 }) else {
      return rejected("resizes from \(shape) to \(target): at most 134217728 weights along an axis.")
    }
    let numbers = dtype.isFloating ? self : converted(to: Scope.current?.computeType ?? .float32)
    return numbers.resized(to: (height, width), by: interpolation)
  }

  /// Images with the proportions of another size: their middle, or themselves with margins.
  fileprivate func fitted(_ height: Int, _ width: Int, crops: Bool, with value: Double = 0) -> Tensor {
    let fittingHeight = dim(2) * height / Swift.max(width, 1)
    let fittingWidth = dim(1) * width / Swift.max(height, 1)
    if crops {
      let rows = Swift.max(Swift.min(dim(1), fittingHeight), Swift.min(1, dim(1)))
      let columns = Swift.max(Swift.min(dim(2), fittingWidth), Swift.min(1, dim(2)))
      let (top, left) = ((dim(1) - rows) / 2, (dim(2) - columns) / 2)
      return sliced(axis: 1, top..<top + rows).sliced(axis: 2, left..<left + columns)
    }
    let (rows, columns) = (Swift.max(fittingHeight - dim(1), 0), Swift.max(fittingWidth - dim(2), 0))
    return padded(
      low: [0, rows / 2, columns / 2, 0], high: [0, rows - rows / 2, columns - columns / 2, 0], with: value)
  }
}

extension Resizing {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate.where(dataFormat) }
}

extension CenterCrop {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate.where(dataFormat) }
}

extension RandomCrop {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate.where(dataFormat) }
}
