// Layers that change colours while training: what a picture shows does not depend on the light. The formulas are in
// ColorAdjustments.swift.

import AccelerandoCore

/// While training, adds a random number to each image.
public struct RandomBrightness: ImageAugmentation {
  /// The range of the number, in widths of the values' range: −1 to 1.
  public let factor: ClosedRange<Double>
  /// The lowest and the highest value of pixels.
  public let valueRange: ClosedRange<Double>
  public var dataFormat: DataFormat { .channelsLast }
  public let name: String?

  /// Makes the layer.
  public init(_ factor: ClosedRange<Double>, valueRange: ClosedRange<Double> = 0...255, name: String? = nil) {
    self.factor = factor
    self.valueRange = valueRange
    self.name = name
  }

  public func augmented(_ images: Tensor, in scope: Scope) -> Tensor {
    let width = valueRange.upperBound - valueRange.lowerBound
    return images.brightened(by: scope.draw(factor, for: images) * width, valueRange)
  }

  public static var summary: String { "While training, makes each image brighter or darker." }

  public init(config: ConfigReader) throws {
    self.init(
      try config.factor("factor", within: -1...1), valueRange: try config.valueRange(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("factor", Config(range: factor)), ("value_range", .valueRange(valueRange))])
  }
}

/// While training, multiplies the distances of each image's values from their mean, channel by channel.
public struct RandomContrast: ImageAugmentation {
  /// What is taken off the factor 1 at most, and what is added at most: 0.2...0.3 draws from 0.8 to 1.3.
  public let lower: Double
  /// What is added to the factor 1 at most.
  public let upper: Double
  /// The lowest and the highest value of pixels.
  public let valueRange: ClosedRange<Double>
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  /// - Parameters:
  ///   - lower: what is taken off the factor 1 at most, 0 to 1.
  ///   - upper: what is added to it at most, 0 to 1.
  ///   - valueRange: the lowest and the highest value of pixels.
  ///   - dataFormat: where the channels are.
  ///   - name: the layer's name.
  public init(
    lower: Double, upper: Double, valueRange: ClosedRange<Double> = 0...255, dataFormat: DataFormat = .channelsLast,
    name: String? = nil
  ) {
    self.lower = lower
    self.upper = upper
    self.valueRange = valueRange
    self.dataFormat = dataFormat
    self.name = name
  }

  /// Makes the layer, with the same number in both directions.
  public init(
    _ factor: Double, valueRange: ClosedRange<Double> = 0...255, dataFormat: DataFormat = .channelsLast,
    name: String? = nil
  ) {
    self.init(lower: factor, upper: factor, valueRange: valueRange, dataFormat: dataFormat, name: name)
  }

  public func augmented(_ images: Tensor, in scope: Scope) -> Tensor {
    images.contrasted(by: scope.draw((1 - abs(lower))...(1 + abs(upper)), for: images), valueRange)
  }

  public static var summary: String { "While training, strengthens or weakens the contrast of each image." }

  public init(config: ConfigReader) throws {
    _ = try config.factor("factor", within: 0...1)
    let (lower, upper) = try config.contrast("factor") ?? (0, 0)
    self.init(
      lower: lower, upper: upper, valueRange: try config.valueRange(),
      dataFormat: try config.dataFormat(), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(
      name: name,
      [
        ("factor", Config(.array([Config(.double(lower)), Config(.double(upper))]))),
        ("value_range", .valueRange(valueRange)), ("data_format", dataFormat.config),
      ])
  }
}

/// While training, makes the colours of each image stronger or weaker.
public struct RandomSaturation: ImageAugmentation {
  /// The range to draw from, 0 to 1: 0 is gray, 0.5 changes nothing, 1 is full saturation.
  public let factor: ClosedRange<Double>
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(_ factor: ClosedRange<Double>, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.factor = factor
    self.dataFormat = dataFormat
    self.name = name
  }

  public func augmented(_ images: Tensor, in scope: Scope) -> Tensor {
    guard images.hasColors() else { return images }
    let draw = scope.draw(factor, for: images)
    return images.saturated(by: draw / (1 - draw + 1e-7))
  }

  public static var summary: String { "While training, makes the colours of each image stronger or weaker." }

  public init(config: ConfigReader) throws {
    let factor = try config.factor("factor", within: 0...1)
    // The same for all values of pixels; Keras asks for it.
    _ = try config.valueRange()
    self.init(factor, dataFormat: try config.dataFormat(), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("factor", Config(range: factor)), ("data_format", dataFormat.config)])
  }
}

/// While training, turns the hues of each image.
public struct RandomHue: ImageAugmentation {
  /// The range of the turn in half turns, 0 to 1; half of the images turn the other way.
  public let factor: ClosedRange<Double>
  /// The lowest and the highest value of pixels.
  public let valueRange: ClosedRange<Double>
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(
    _ factor: ClosedRange<Double>, valueRange: ClosedRange<Double> = 0...255, dataFormat: DataFormat = .channelsLast,
    name: String? = nil
  ) {
    self.factor = factor
    self.valueRange = valueRange
    self.dataFormat = dataFormat
    self.name = name
  }

  public func augmented(_ images: Tensor, in scope: Scope) -> Tensor {
    guard images.hasColors() else { return images }
    let turn = scope.draw(factor, for: images) * 0.5
    let turned = select(scope.happens(0.5, to: images), -1 * turn, turn)
    return images.moved(from: valueRange, to: 0...1).hueTurned(by: turned).clamped(0...1)
      .moved(from: 0...1, to: valueRange)
  }

  public static var summary: String { "While training, turns the hues of each image." }

  public init(config: ConfigReader) throws {
    self.init(
      try config.factor("factor", within: 0...1), valueRange: try config.valueRange(),
      dataFormat: try config.dataFormat(), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(
      name: name,
      [
        ("factor", Config(range: factor)), ("value_range", .valueRange(valueRange)),
        ("data_format", dataFormat.config),
      ])
  }
}

/// While training, replaces colours by their brightness in some images.
public struct RandomGrayscale: ImageAugmentation {
  /// The probability.
  public let factor: Double
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(_ factor: Double = 0.5, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.factor = factor
    self.dataFormat = dataFormat
    self.name = name
  }

  public func augmented(_ images: Tensor, in scope: Scope) -> Tensor {
    guard images.hasColors() else { return images }
    return images.replaced(by: images.grayscale(), where: scope.happens(factor, to: images))
  }

  public static var summary: String { "While training, replaces colours by their brightness in some images." }

  public init(config: ConfigReader) throws {
    self.init(
      try config.double("factor", default: 0.5, in: .fraction), dataFormat: try config.dataFormat(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("factor", Config(.double(factor))), ("data_format", dataFormat.config)])
  }
}

/// While training, inverts some images: the highest value minus each value.
public struct RandomInvert: ImageAugmentation {
  /// The range of the probability.
  public let factor: ClosedRange<Double>
  /// The lowest and the highest value of pixels.
  public let valueRange: ClosedRange<Double>
  public var dataFormat: DataFormat { .channelsLast }
  public let name: String?

  /// Makes the layer.
  public init(_ factor: ClosedRange<Double> = 0...1, valueRange: ClosedRange<Double> = 0...255, name: String? = nil) {
    self.factor = factor
    self.valueRange = valueRange
    self.name = name
  }

  public func augmented(_ images: Tensor, in scope: Scope) -> Tensor {
    images.replaced(
      by: valueRange.upperBound - images, where: scope.happens(factor, to: images))
  }

  public static var summary: String { "While training, inverts some images." }

  public init(config: ConfigReader) throws {
    self.init(
      try config.factor("factor", within: 0...1, default: 0...1), valueRange: try config.valueRange(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("factor", Config(range: factor)), ("value_range", .valueRange(valueRange))])
  }
}

/// While training, keeps only the upper bits of the values of each image.
public struct RandomPosterization: ImageAugmentation {
  /// The range of the number of bits, 1 to 8, of which the upper end is not drawn.
  public let factor: ClosedRange<Double>
  /// The lowest and the highest value of pixels.
  public let valueRange: ClosedRange<Double>
  public var dataFormat: DataFormat { .channelsLast }
  public let name: String?

  /// Makes the layer.
  public init(_ factor: ClosedRange<Double>, valueRange: ClosedRange<Double> = 0...255, name: String? = nil) {
    self.factor = factor
    self.valueRange = valueRange
    self.name = name
  }

  public func augmented(_ images: Tensor, in scope: Scope) -> Tensor {
    let (low, high) = (factor.lowerBound.rounded(), factor.upperBound.rounded())
    let bits = scope.draw(low...high, for: images).floor().clamped(low...max(low, high - 1))
    return images.moved(from: valueRange, to: 0...255).posterized(bits: bits).moved(from: 0...255, to: valueRange)
  }

  public static var summary: String { "While training, keeps only the upper bits of the values of each image." }

  public init(config: ConfigReader) throws {
    self.init(
      try config.factor("factor", within: 1...8), valueRange: try config.valueRange(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("factor", Config(range: factor)), ("value_range", .valueRange(valueRange))])
  }
}

/// While training, inverts the values of each image from a random threshold on, after adding a random number.
public struct Solarization: ImageAugmentation {
  /// The range of the number to add, in widths of the values' range: 0 to 1.
  public let additionFactor: ClosedRange<Double>
  /// The range of the threshold, in widths of the values' range: 0 to 1.
  public let thresholdFactor: ClosedRange<Double>
  /// The lowest and the highest value of pixels.
  public let valueRange: ClosedRange<Double>
  public var dataFormat: DataFormat { .channelsLast }
  public let name: String?

  /// Makes the layer.
  public init(
    addition: ClosedRange<Double> = 0...0, threshold: ClosedRange<Double> = 0...0,
    valueRange: ClosedRange<Double> = 0...255, name: String? = nil
  ) {
    additionFactor = addition
    thresholdFactor = threshold
    self.valueRange = valueRange
    self.name = name
  }

  public func augmented(_ images: Tensor, in scope: Scope) -> Tensor {
    images.moved(from: valueRange, to: 0...255).solarized(
      adding: scope.draw(additionFactor, for: images) * 255, from: scope.draw(thresholdFactor, for: images) * 255
    ).moved(from: 0...255, to: valueRange)
  }

  public static var summary: String { "While training, inverts the values of each image from a threshold on." }

  public init(config: ConfigReader) throws {
    self.init(
      addition: try config.factor("addition_factor", within: 0...1, default: 0...0),
      threshold: try config.factor("threshold_factor", within: 0...1, default: 0...0),
      valueRange: try config.valueRange(), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(
      name: name,
      [
        ("addition_factor", Config(range: additionFactor)), ("threshold_factor", Config(range: thresholdFactor)),
        ("value_range", .valueRange(valueRange)),
      ])
  }
}

/// While training, stretches the values of each image, channel by channel, over their whole range.
public struct AutoContrast: ImageAugmentation {
  /// The lowest and the highest value of pixels.
  public let valueRange: ClosedRange<Double>
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(valueRange: ClosedRange<Double> = 0...255, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.valueRange = valueRange
    self.dataFormat = dataFormat
    self.name = name
  }

  public func augmented(_ images: Tensor, in scope: Scope) -> Tensor { images.autoContrasted(valueRange) }

  public static var summary: String { "While training, stretches the values of each image over their whole range." }

  public init(config: ConfigReader) throws {
    self.init(
      valueRange: try config.valueRange(), dataFormat: try config.dataFormat(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("value_range", .valueRange(valueRange)), ("data_format", dataFormat.config)])
  }
}

/// While training, changes brightness, contrast, saturation and hue of each image, in this order, as far as they are given.
public struct RandomColorJitter: ImageAugmentation {
  /// The ranges of the layers that it consists of; nil for none.
  public let brightness, saturation, hue: ClosedRange<Double>?
  /// What is taken off the factor of the contrast, and added to it, at most; nil for none.
  public let contrast: (lower: Double, upper: Double)?
  /// The lowest and the highest value of pixels.
  public let valueRange: ClosedRange<Double>
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(
    brightness: ClosedRange<Double>? = nil, contrast: (lower: Double, upper: Double)? = nil,
    saturation: ClosedRange<Double>? = nil, hue: ClosedRange<Double>? = nil, valueRange: ClosedRange<Double> = 0...255,
    dataFormat: DataFormat = .channelsLast,
    name: String? = nil
  ) {
    self.brightness = brightness
    self.contrast = contrast
    self.saturation = saturation
    self.hue = hue
    self.valueRange = valueRange
    self.dataFormat = dataFormat
    self.name = name
  }

  public func augmented(_ images: Tensor, in scope: Scope) -> Tensor {
    let parts: [(any ImageAugmentation)?] = [
      brightness.map { RandomBrightness($0, valueRange: valueRange) },
      contrast.map { RandomContrast(lower: $0.lower, upper: $0.upper, valueRange: valueRange) },
      saturation.map { RandomSaturation($0) }, hue.map { RandomHue($0, valueRange: valueRange) },
    ]
    return parts.compactMap { $0 }.reduce(images) { $1.augmented($0, in: scope) }
  }

  public static var summary: String {
    "While training, changes brightness, contrast, saturation and hue of each image."
  }

  public init(config: ConfigReader) throws {
    self.init(
      brightness: try config.optionalFactor("brightness_factor", within: -1...1),
      contrast: try config.contrast("contrast_factor"),
      saturation: try config.optionalFactor("saturation_factor", within: 0...1),
      hue: try config.optionalFactor("hue_factor", within: 0...1),
      valueRange: try config.valueRange(), dataFormat: try config.dataFormat(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(
      name: name,
      [
        ("brightness_factor", brightness.map { Config(range: $0) }),
        ("contrast_factor", contrast.map { Config(.array([Config(.double($0.lower)), Config(.double($0.upper))])) }),
        ("saturation_factor", saturation.map { Config(range: $0) }), ("hue_factor", hue.map { Config(range: $0) }),
        ("value_range", .valueRange(valueRange)), ("data_format", dataFormat.config),
      ])
  }
}

extension ConfigReader {
  /// How much a factor of contrast may be below and above 1: a number for both, or two numbers; nil if it is not set.
  fileprivate func contrast(_ key: String) throws -> (lower: Double, upper: Double)? {
    guard let range = try optionalFactor(key, within: 0...1) else { return nil }
    guard case .array(let ends)? = value(key)?.value, ends.count == 2 else {
      return (range.upperBound, range.upperBound)
    }
    return (range.lowerBound, range.upperBound)
  }
}
