// Augmentation shows a model each image in another form every time, so that it cannot learn images by heart. The layers that do
// it have in common that they act while training only, and that what happens to a sample follows from the step's key and the
// sample's place in the batch: any number of workers draws the same numbers, and a run that is resumed goes on with them.

import AccelerandoCore

/// A layer that changes images at random while training: `[N, H, W, C]` to `[N, H, W, C]`. Otherwise it changes nothing.
public protocol ImageAugmentation: ConfigurableLayer {
  /// Where the channels are.
  var dataFormat: DataFormat { get }

  /// The images of a training step, changed.
  /// - Parameters:
  ///   - images: images `[N, H, W, C]`, of floating-point numbers unless the layer takes integers.
  ///   - scope: the source of randomness.
  func augmented(_ images: Tensor, in scope: Scope) -> Tensor
}

extension ImageAugmentation {
  public func forward(_ x: Tensor) -> Tensor {
    guard let images = x.asSpatial(2, dataFormat), let scope = Scope.current, scope.isTraining else { return x }
    return augmented(images, in: scope).inFormat(dataFormat)
  }
}

extension Scope {
  /// A number for each image, `float32[N]`, uniform in a range.
  func draw(_ range: ClosedRange<Double>, for images: Tensor) -> Tensor {
    uniform([images.dim(0)], images) * (range.upperBound - range.lowerBound) + range.lowerBound
  }

  /// Whether something happens to each image, `bool[N]`, with a probability.
  func happens(_ probability: Double, to images: Tensor) -> Tensor {
    let draw = uniform([images.dim(0)], images)
    return draw.less(than: draw.filled(probability))
  }

  /// Whether something happens to each image, `bool[N]`, with a probability for each, drawn from a range.
  func happens(_ probability: ClosedRange<Double>, to images: Tensor) -> Tensor {
    if probability.lowerBound == probability.upperBound { return happens(probability.lowerBound, to: images) }
    let limit = draw(probability, for: images)
    return uniform([images.dim(0)], images).less(than: limit)
  }
}

extension Tensor {
  /// A number for each image, spread over images in their type.
  func acrossPixels(of images: Tensor) -> Tensor {
    (dtype == .bool ? self : converted(to: images.dtype)).broadcast(to: images.shape, axes: [0])
  }

  /// Images in which those are replaced for which a condition holds.
  /// - Parameter isReplaced: a `bool` for each image.
  func replaced(by images: Tensor, where isReplaced: Tensor) -> Tensor {
    select(isReplaced.acrossPixels(of: self), images, self)
  }
}

/// The lowest and the highest value of pixels.
typealias ValueRange = ClosedRange<Double>

extension ConfigReader {
  /// A range to draw from, if it is set: a number for ± that number, or two numbers.
  /// - Parameter bounds: what lies outside is refused; the range of a single number ends there.
  func optionalFactor(
    _ key: String, within bounds: ClosedRange<Double>, default fallback: ClosedRange<Double>? = nil
  ) throws -> ClosedRange<Double>? {
    let kind = "a number, or a list of two, from \(bounds.lowerBound.short) to \(bounds.upperBound.short)"
    guard let value = value(key, kind: kind, default: fallback.map { Config(range: $0) }) else { return fallback }
    func number(_ config: Config) throws -> Double {
      let number: Double? =
        switch config.value {
        case .int(let number): Double(number)
        case .double(let number): number
        default: nil
        }
      guard let number, bounds.contains(number) else { throw refused(key, kind) }
      return number
    }
    guard case .array(let ends) = value.value else {
      let size = abs(try number(value))
      return max(-size, bounds.lowerBound)...size
    }
    guard ends.count == 2 else { throw refused(key, kind) }
    let (first, second) = (try number(ends[0]), try number(ends[1]))
    return min(first, second)...max(first, second)
  }

  /// A range to draw from that has to be there.
  func factor(_ key: String, within bounds: ClosedRange<Double>) throws -> ClosedRange<Double> {
    let kind = "a number, or a list of two, from \(bounds.lowerBound.short) to \(bounds.upperBound.short)"
    _ = try required(key, kind: kind)
    return try optionalFactor(key, within: bounds) ?? bounds
  }

  /// A range to draw from, or a fallback.
  func factor(
    _ key: String, within bounds: ClosedRange<Double>, default fallback: ClosedRange<Double>
  ) throws -> ClosedRange<Double> {
    try optionalFactor(key, within: bounds, default: fallback) ?? fallback
  }

  /// The lowest and the highest value of pixels.
  func valueRange() throws -> ValueRange {
    let range = try factor("value_range", within: -1e30...1e30, default: 0...255)
    guard range.lowerBound < range.upperBound else { throw refused("value_range", "two different numbers") }
    return range
  }
}

extension Double {
  /// Without a fraction of zero.
  fileprivate var short: String { self == rounded() && magnitude < 1e15 ? String(Int(self)) : String(self) }
}

extension Config {
  /// A range for files.
  init(range: ClosedRange<Double>) {
    self.init(.array([Config(.double(range.lowerBound)), Config(.double(range.upperBound))]))
  }

  /// The values of pixels for files; nil for bytes.
  static func valueRange(_ range: ValueRange) -> Config? { range == 0...255 ? nil : Config(range: range) }
}
