// Layers that move images while training: what a picture shows does not depend on where, how large and how upright it is.

import AccelerandoCore
import AccelerandoFormats

/// Which way images are flipped.
public enum FlipMode: String, Hashable, Sendable, CaseIterable {
  /// Left and right change places.
  case horizontal
  /// Top and bottom change places.
  case vertical
  /// Both, each on its own.
  case both = "horizontal_and_vertical"
}

/// While training, flips each image with probability one half.
public struct RandomFlip: ImageAugmentation {
  /// Which way.
  public let mode: FlipMode
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(_ mode: FlipMode = .both, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.mode = mode
    self.dataFormat = dataFormat
    self.name = name
  }

  /// Bytes stay bytes, a quarter of the numbers that they become.
  public var acceptsIntegers: Bool { true }

  public func augmented(_ images: Tensor, in scope: Scope) -> Tensor {
    let axes = [(2, mode != .vertical), (1, mode != .horizontal)].filter(\.1).map(\.0)
    return axes.reduce(images) { images, axis in
      images.replaced(by: images.reversed(axes: [axis]), where: scope.happens(0.5, to: images))
    }
  }

  public static var summary: String { "While training, flips each image with probability one half." }

  public init(config: ConfigReader) throws {
    self.init(
      try config.choice("mode", default: .both), dataFormat: try config.dataFormat(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(
      name: name,
      [("mode", mode == .both ? nil : Config(.string(mode.rawValue))), ("data_format", dataFormat.config)])
  }
}

/// While training, moves each image by random parts of its height and width.
public struct RandomTranslation: ImageAugmentation {
  /// The range of the movement down, in heights: −1 to 1.
  public let heightFactor: ClosedRange<Double>
  /// The range of the movement to the right, in widths: −1 to 1.
  public let widthFactor: ClosedRange<Double>
  let sampling: Sampling
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(
    height: ClosedRange<Double>, width: ClosedRange<Double>, fillMode: FillMode = .reflect, fillValue: Double = 0,
    interpolation: Interpolation = .bilinear, dataFormat: DataFormat = .channelsLast, name: String? = nil
  ) {
    heightFactor = height
    widthFactor = width
    sampling = Sampling(fillMode, fillValue, interpolation)
    self.dataFormat = dataFormat
    self.name = name
  }

  public func augmented(_ images: Tensor, in scope: Scope) -> Tensor {
    let down = scope.draw(heightFactor, for: images) * Double(images.dim(1))
    let right = scope.draw(widthFactor, for: images) * Double(images.dim(2))
    let (one, zero) = (down.onesLike(), down.zerosLike())
    return images.warped(AffineMap(a: one, b: zero, c: -1 * right, d: zero, e: one, f: -1 * down), sampling)
  }

  public static var summary: String { "While training, moves each image by random parts of its height and width." }

  public init(config: ConfigReader) throws {
    let height = try config.factor("height_factor", within: -1...1)
    let width = try config.factor("width_factor", within: -1...1)
    let sampling = try Sampling(config: config)
    self.init(
      height: height, width: width, fillMode: sampling.fillMode, fillValue: sampling.fillValue,
      interpolation: sampling.interpolation, dataFormat: try config.dataFormat(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(
      name: name,
      [("height_factor", Config(range: heightFactor)), ("width_factor", Config(range: widthFactor))]
        + sampling.config + [("data_format", dataFormat.config)])
  }
}

/// While training, turns each image around its middle.
public struct RandomRotation: ImageAugmentation {
  /// The range of the angle in full turns, against the clock: −1 to 1.
  public let factor: ClosedRange<Double>
  let sampling: Sampling
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(
    _ factor: ClosedRange<Double>, fillMode: FillMode = .reflect, fillValue: Double = 0,
    interpolation: Interpolation = .bilinear, dataFormat: DataFormat = .channelsLast, name: String? = nil
  ) {
    self.factor = factor
    sampling = Sampling(fillMode, fillValue, interpolation)
    self.dataFormat = dataFormat
    self.name = name
  }

  public func augmented(_ images: Tensor, in scope: Scope) -> Tensor {
    images.warped(.rotation(by: scope.draw(factor, for: images) * (2 * .pi), of: images), sampling)
  }

  public static var summary: String { "While training, turns each image around its middle." }

  public init(config: ConfigReader) throws {
    let factor = try config.factor("factor", within: -1...1)
    let sampling = try Sampling(config: config)
    self.init(
      factor, fillMode: sampling.fillMode, fillValue: sampling.fillValue, interpolation: sampling.interpolation,
      dataFormat: try config.dataFormat(), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("factor", Config(range: factor))] + sampling.config + [("data_format", dataFormat.config)])
  }
}

/// While training, makes each image larger or smaller around its middle.
public struct RandomZoom: ImageAugmentation {
  /// The range of the height that is seen, less one: −0.2 shows 80 % of the height, larger; 0.2 shows 120 %, smaller.
  public let heightFactor: ClosedRange<Double>
  /// The same of the width; nil for that of the height.
  public let widthFactor: ClosedRange<Double>?
  let sampling: Sampling
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(
    height: ClosedRange<Double>, width: ClosedRange<Double>? = nil, fillMode: FillMode = .reflect,
    fillValue: Double = 0, interpolation: Interpolation = .bilinear, dataFormat: DataFormat = .channelsLast,
    name: String? = nil
  ) {
    heightFactor = height
    widthFactor = width
    sampling = Sampling(fillMode, fillValue, interpolation)
    self.dataFormat = dataFormat
    self.name = name
  }

  public func augmented(_ images: Tensor, in scope: Scope) -> Tensor {
    let height = scope.draw(heightFactor, for: images) + 1
    let width = widthFactor.map { scope.draw($0, for: images) + 1 } ?? height
    return images.warped(.zoom(height: height, width: width, of: images), sampling)
  }

  public static var summary: String { "While training, makes each image larger or smaller around its middle." }

  public init(config: ConfigReader) throws {
    let height = try config.factor("height_factor", within: -1...1)
    let width = try config.optionalFactor("width_factor", within: -1...1)
    let sampling = try Sampling(config: config)
    self.init(
      height: height, width: width, fillMode: sampling.fillMode, fillValue: sampling.fillValue,
      interpolation: sampling.interpolation, dataFormat: try config.dataFormat(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(
      name: name,
      [("height_factor", Config(range: heightFactor)), ("width_factor", widthFactor.map { Config(range: $0) })]
        + sampling.config + [("data_format", dataFormat.config)])
  }
}

/// While training, shears each image: rows move to the side by parts of their number, columns down by parts of theirs.
public struct RandomShear: ImageAugmentation {
  /// The range of the movement of a row for each row, 0 to 1; half of the images go the other way.
  public let xFactor: ClosedRange<Double>
  /// The range of the movement of a column for each column, 0 to 1; half of the images go the other way.
  public let yFactor: ClosedRange<Double>
  let sampling: Sampling
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(
    x: ClosedRange<Double> = 0...0, y: ClosedRange<Double> = 0...0, fillMode: FillMode = .reflect,
    fillValue: Double = 0, interpolation: Interpolation = .bilinear, dataFormat: DataFormat = .channelsLast,
    name: String? = nil
  ) {
    xFactor = x
    yFactor = y
    sampling = Sampling(fillMode, fillValue, interpolation)
    self.dataFormat = dataFormat
    self.name = name
  }

  public func augmented(_ images: Tensor, in scope: Scope) -> Tensor {
    let draw = scope.draw(0...1, for: images)
    let direction = select(draw.greater(than: draw.filled(0.5)), draw.filled(-1), draw.onesLike())
    let (one, zero) = (draw.onesLike(), draw.zerosLike())
    return images.warped(
      AffineMap(
        a: one, b: scope.draw(xFactor, for: images) * direction, c: zero,
        d: scope.draw(yFactor, for: images) * direction, e: one, f: zero), sampling)
  }

  public static var summary: String { "While training, shears each image." }

  public init(config: ConfigReader) throws {
    let x = try config.factor("x_factor", within: 0...1, default: 0...0)
    let y = try config.factor("y_factor", within: 0...1, default: 0...0)
    let sampling = try Sampling(config: config)
    self.init(
      x: x, y: y, fillMode: sampling.fillMode, fillValue: sampling.fillValue, interpolation: sampling.interpolation,
      dataFormat: try config.dataFormat(), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(
      name: name,
      [("x_factor", Config(range: xFactor)), ("y_factor", Config(range: yFactor))] + sampling.config
        + [("data_format", dataFormat.config)])
  }
}

extension AffineMap {
  /// Images turned around their middles by angles in radians, `float32[N]`.
  static func rotation(by angle: Tensor, of images: Tensor) -> AffineMap {
    let (cosine, sine) = (angle.cos(), angle.sin())
    let (x, y) = (Double(images.dim(2) - 1) / 2, Double(images.dim(1) - 1) / 2)
    return AffineMap(
      a: cosine, b: -1 * sine, c: x - cosine * x + sine * y, d: sine, e: cosine, f: y - sine * x - cosine * y)
  }

  /// Images of which parts of height and width are seen, `float32[N]`.
  static func zoom(height: Tensor, width: Tensor, of images: Tensor) -> AffineMap {
    let zero = height.zerosLike()
    return AffineMap(
      a: width, b: zero, c: (1 - width) * (Double(images.dim(2) - 1) / 2), d: zero, e: height,
      f: (1 - height) * (Double(images.dim(1) - 1) / 2))
  }
}

extension RandomFlip {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate.where(dataFormat) }
}

extension RandomTranslation {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate.where(dataFormat) }
}

extension RandomRotation {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate.where(dataFormat) }
}

extension RandomZoom {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate.where(dataFormat) }
}

extension RandomShear {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow { .separate.where(dataFormat) }
}
