// Mixing shows a model two images in one and asks for both labels, in the same proportions. The layers mix the images and tell
// the step, which mixes the losses: whatever the loss, an image that is 70 % one thing and 30 % another counts so.

import AccelerandoCore
import Foundation

/// A layer that mixes each image with another one of its batch while training, and the labels in the same proportions.
public protocol MixingLayer: ConfigurableLayer {
  /// Where the channels are.
  var dataFormat: DataFormat { get }

  /// Images mixed with others.
  /// - Parameters:
  ///   - images: images `[N, H, W, C]`.
  ///   - others: the image that each is mixed with.
  ///   - scope: the source of randomness.
  /// - Returns: the images, and the part that each keeps of itself, `float32[N]`.
  func mixed(_ images: Tensor, with others: Tensor, in scope: Scope) -> (images: Tensor, kept: Tensor)
}

extension MixingLayer {
  public func forward(_ x: Tensor) -> Tensor {
    guard let images = x.asSpatial(2, dataFormat), let scope = Scope.current, scope.isTraining else { return x }
    guard scope.sampleMix == nil else {
      return x.rejected("cannot mix what is mixed already: a model has one layer that mixes samples.")
    }
    let mix = mixed(images, with: scope.partners(of: images), in: scope)
    scope.mixSamples(keeping: mix.kept)
    return mix.images.inFormat(dataFormat)
  }
}

/// While training, adds another image of the batch to each (mixup, Zhang et al., 2018). Labels are mixed in the same
/// proportions: the loss is that of both labels.
///
/// The other image is the next one of the batch, whose order is random.
public struct MixUp: MixingLayer {
  /// The parts follow a beta distribution with this parameter twice: small numbers leave most images nearly alone.
  public let alpha: Double
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(alpha: Double = 0.2, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.alpha = alpha
    self.dataFormat = dataFormat
    self.name = name
  }

  public func mixed(_ images: Tensor, with others: Tensor, in scope: Scope) -> (images: Tensor, kept: Tensor) {
    let kept = scope.beta(alpha, for: images)
    let part = kept.acrossPixels(of: images)
    return (images * part + others * (1 - part), kept)
  }

  public static var summary: String { "While training, adds another image to each, and mixes the labels." }

  public init(config: ConfigReader) throws {
    self.init(
      alpha: try config.double("alpha", default: 0.2, in: .betaParameter), dataFormat: try config.dataFormat(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("alpha", Config(.double(alpha))), ("data_format", dataFormat.config)])
  }
}

/// While training, puts a box of another image of the batch into each (CutMix, Yun et al., 2019). Labels are mixed by the
/// areas: the loss is that of both labels.
///
/// The other image is the next one of the batch, whose order is random.
public struct CutMix: MixingLayer {
  /// The areas follow a beta distribution with this parameter twice: 1 makes all equally likely.
  public let factor: Double
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(_ factor: Double = 1, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.factor = factor
    self.dataFormat = dataFormat
    self.name = name
  }

  /// Bytes stay bytes, a quarter of the numbers that they become.
  public var acceptsIntegers: Bool { true }

  public func mixed(_ images: Tensor, with others: Tensor, in scope: Scope) -> (images: Tensor, kept: Tensor) {
    let side = (1 - scope.beta(factor, for: images)).sqrt()
    let boxes = Boxes(width: side, height: side, in: images, scope)
    return (select(boxes.covered(of: images), others, images), 1 - boxes.area(of: images))
  }

  public static var summary: String { "While training, puts a box of another image into each, and mixes the labels." }

  public init(config: ConfigReader) throws {
    self.init(
      try config.double("factor", default: 1, in: .betaParameter), dataFormat: try config.dataFormat(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("factor", Config(.double(factor))), ("data_format", dataFormat.config)])
  }
}

extension NumberLimit {
  fileprivate static let betaParameter = NumberLimit("a number from 0.01 to 100") { (0.01...100).contains($0) }
}

extension Scope {
  /// The sample after each one in the batch; after the last one, the first.
  /// - Parameter rows: a tensor whose first axis is the batch.
  package func partners(of rows: Tensor) -> Tensor {
    guard let share, rows.shape.first == share.count else {
      let count = rows.dim(0)
      guard count > 1 else { return rows }
      return .concatenating([rows.sliced(axis: 0, 1..<count), rows.sliced(axis: 0, 0..<1)], axis: 0)
    }
    // Another worker may have it.
    let all = share.gathered(rows.dtype.isFloating ? rows : rows.converted(to: .float64))
    let places = rows.iota(TensorType(.int32, [share.count]), axis: 0) + share.offset.broadcast(to: [share.count]) + 1
    let count = places.filled(Double(max(share.globalCount, 1)))
    let next = select(places.less(than: count), places, places - count)
    return all.taking(next).converted(to: rows.dtype)
  }

  /// Numbers of the beta distribution with a parameter twice, `float32[N]`.
  func beta(_ parameter: Double, for images: Tensor) -> Tensor {
    let draw = draw(0...1, for: images)
    if parameter == 1 { return draw }
    // Between two quantiles the distribution is taken as uniform.
    let table = images.constant(NDArray(betaQuantiles(parameter)))
    let place = draw * Double(Self.betaSteps)
    let below = place.floor().clamped(0...Double(Self.betaSteps - 1))
    let index = below.converted(to: .int32)
    let (low, high) = (table.taking(index), table.taking(index + 1))
    return low + (high - low) * (place - below)
  }

  private static let betaSteps = 1024

  /// The quantiles 0, 1/1024, … 1 of the beta distribution with a parameter twice.
  private func betaQuantiles(_ parameter: Double) -> [Float] {
    let steps = 20_000
    // Up to one half, with x = t^(1/a) / 2 for small parameters, so that the density has no pole: then it is
    // (1 − x)^(a − 1) in t, otherwise (x · (1 − x))^(a − 1) in x.
    let root = min(parameter, 1)
    func place(_ step: Double) -> Double { pow(step / Double(steps), 1 / root) / 2 }
    var places: [Double] = [0]
    var sums: [Double] = [0]
    var sum = 0.0
    for step in 0..<steps {
      let middle = place(Double(step) + 0.5)
      sum += pow((parameter < 1 ? 1 : 4 * middle) * (1 - middle), parameter - 1)
      places.append(place(Double(step + 1)))
      sums.append(sum)
    }
    // The other half is the mirror image.
    var result: [Float] = []
    var at = 0
    for quantile in 0...Self.betaSteps / 2 {
      // The first step would reach to the end of the distribution, where it has nearly nothing.
      let wanted = max(Double(quantile), 0.1) / Double(Self.betaSteps / 2) * sum
      while at + 1 < sums.count - 1, sums[at + 1] < wanted { at += 1 }
      let width = sums[at + 1] - sums[at]
      let part = width > 0 ? min(max((wanted - sums[at]) / width, 0), 1) : 0
      result.append(Float(places[at] + (places[at + 1] - places[at]) * part))
    }
    return result + result.dropLast().reversed().map { 1 - $0 }
  }

}
