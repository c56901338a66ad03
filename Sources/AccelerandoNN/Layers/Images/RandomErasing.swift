// Boxes: erased while training, so that a model does not rely on one part of a picture.

import AccelerandoCore

/// While training, erases a box of each image.
public struct RandomErasing: ImageAugmentation {
  /// The range of the probability.
  public let factor: ClosedRange<Double>
  /// The range of the squares of the box's sides, in parts of the image's: 0 to 1.
  public let scale: ClosedRange<Double>
  /// What the box is filled with; nil for normally distributed noise.
  public let fillValue: Double?
  /// The lowest and the highest value of pixels.
  public let valueRange: ClosedRange<Double>
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(
    _ factor: ClosedRange<Double> = 0...1, scale: ClosedRange<Double> = 0.02...0.33, fillValue: Double? = nil,
    valueRange: ClosedRange<Double> = 0...255, dataFormat: DataFormat = .channelsLast, name: String? = nil
  ) {
    self.factor = factor
    self.scale = scale
    self.fillValue = fillValue
    self.valueRange = valueRange
    self.dataFormat = dataFormat
    self.name = name
  }

  public func augmented(_ images: Tensor, in scope: Scope) -> Tensor {
    let (width, height) = (scope.draw(scale, for: images).sqrt(), scope.draw(scale, for: images).sqrt())
    let box = Boxes(width: width, height: height, in: images, scope)
    let filling =
      fillValue.map { images.filled(min(max($0, valueRange.lowerBound), valueRange.upperBound)) }
      ?? (scope.normal(images) * valueRange.upperBound).clamped(valueRange).converted(to: images.dtype)
    let isErased = box.covered(of: images).and(scope.happens(factor, to: images).acrossPixels(of: images))
    return select(isErased, filling, images)
  }

  public static var summary: String { "While training, erases a box of each image." }

  public init(config: ConfigReader) throws {
    self.init(
      try config.factor("factor", within: 0...1, default: 0...1),
      scale: try config.factor("scale", within: 0...1, default: 0.02...0.33),
      fillValue: try config.optionalDouble("fill_value"), valueRange: try config.valueRange(),
      dataFormat: try config.dataFormat(), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(
      name: name,
      [
        ("factor", Config(range: factor)), ("scale", Config(range: scale)),
        ("fill_value", fillValue.map { Config(.double($0)) }), ("value_range", .valueRange(valueRange)),
        ("data_format", dataFormat.config),
      ])
  }
}

/// A box in each image, anywhere inside it: its edges in pixels, `float32[N]`.
struct Boxes {
  let left: Tensor
  let right: Tensor
  let top: Tensor
  let bottom: Tensor

  /// Draws places for boxes whose sides are parts of the image's.
  init(width: Tensor, height: Tensor, in images: Tensor, _ scope: Scope) {
    func ends(_ part: Tensor, _ size: Int) -> (Tensor, Tensor) {
      let length = part * Double(size)
      let start = scope.draw(0...1, for: images) * (Double(size) - length)
      return (start, start + length)
    }
    (left, right) = ends(width, images.dim(2))
    (top, bottom) = ends(height, images.dim(1))
  }

  /// Which elements of images are inside: `bool[N, H, W, C]`.
  func covered(of images: Tensor) -> Tensor {
    let plane = TensorType(.float32, Array(images.shape.prefix(3)))
    func isBetween(_ axis: Int, _ low: Tensor, _ high: Tensor) -> Tensor {
      let place = images.iota(plane, axis: axis)
      return place.greaterOrEqual(to: low.broadcast(to: plane.shape, axes: [0]))
        .and(place.less(than: high.broadcast(to: plane.shape, axes: [0])))
    }
    return isBetween(2, left, right).and(isBetween(1, top, bottom)).broadcast(to: images.shape, axes: [0, 1, 2])
  }

  /// The part of each image that is inside, `float32[N]`.
  func area(of images: Tensor) -> Tensor {
    (right - left) * (bottom - top) / Double(max(images.dim(1) * images.dim(2), 1))
  }
}
