// An image of another size is a weighted sum of the old pixels along each axis. Which pixels and which weights is said here
// once, for images that are read and for images inside a model, so that both see the same picture.

import Foundation

/// How the pixels of a resized image follow from the old ones. Nothing is smoothed when an image gets smaller, except by
/// `area`, as with `antialias=False` in TensorFlow.
public enum Interpolation: String, CaseIterable, Hashable, Sendable {
  /// The nearest pixel.
  case nearest
  /// The two nearest pixels along each axis, by distance.
  case bilinear
  /// Four pixels along each axis, by Keys' cubic polynomial.
  case bicubic
  /// The mean of the pixels that the new one covers.
  case area
  /// Six pixels along each axis, by Lanczos' windowed sinc.
  case lanczos3
  /// Ten pixels along each axis, by Lanczos' windowed sinc.
  case lanczos5
}

/// The old pixels that each new pixel along one axis is a weighted sum of.
package struct Resampling: Sendable {
  /// The pixels of each new one.
  package let taps: Int
  /// The indices of the old pixels, `taps` for each new one.
  package private(set) var indices: [Int] = []
  /// Their weights.
  package private(set) var weights: [Float] = []

  /// Works out the weights. Pixels are squares: the centre of the first is at 0.5.
  /// - Parameters:
  ///   - input: the old size, at least 1.
  ///   - output: the new size, at least 1.
  package init(from input: Int, to output: Int, by interpolation: Interpolation) {
    let scale = Float(input) / Float(output)
    taps =
      switch interpolation {
      case .nearest: 1
      case .bilinear: 2
      case .bicubic: 4
      case .area: Int(scale.rounded(.up)) + 1
      case .lanczos3: 6
      case .lanczos5: 10
      }
    indices.reserveCapacity(taps * output)
    weights.reserveCapacity(taps * output)
    for place in 0..<output {
      let position = Float(place)
      switch interpolation {
      case .nearest: add([(Int(((position + 0.5) * scale).rounded(.down)), 1)], input)
      case .bilinear:
        let center = (position + 0.5) * scale - 0.5
        let below = center.rounded(.down)
        add([(Int(below), 1 - (center - below)), (Int(center.rounded(.up)), center - below)], input)
      case .bicubic: add(Self.cubic(at: (position + 0.5) * scale - 0.5, input), input)
      case .area: add(Self.covered(from: position * scale, to: (position + 1) * scale, by: scale), input)
      case .lanczos3: add(Self.lanczos(at: (position + 0.5) * scale, radius: 3, input), input)
      case .lanczos5: add(Self.lanczos(at: (position + 0.5) * scale, radius: 5, input), input)
      }
    }
  }

  /// Adds the pixels of one new pixel; those beyond an edge are the one at the edge.
  private mutating func add(_ pixels: [(index: Int, weight: Float)], _ input: Int) {
    for tap in 0..<taps {
      indices.append(tap < pixels.count ? min(max(pixels[tap].index, 0), input - 1) : 0)
      weights.append(tap < pixels.count ? pixels[tap].weight : 0)
    }
  }

  /// Weights that pixels beyond the edges have no part in, with the sum 1.
  private static func inside(_ pixels: [(index: Int, weight: Float)], _ input: Int) -> [(index: Int, weight: Float)] {
    let kept = pixels.map { (index: $0.index, weight: (0..<input).contains($0.index) ? $0.weight : 0) }
    let sum = kept.reduce(0) { $0 + $1.weight }
    return sum.magnitude > 1e-30 ? kept.map { ($0.index, $0.weight / sum) } : kept
  }

  /// Keys' polynomial with a = −1/2, at distances in steps of 1/1024, as TensorFlow tabulates it.
  private static func cubic(at center: Float, _ input: Int) -> [(index: Int, weight: Float)] {
    let below = center.rounded(.down)
    let step = ((center - below) * 1024).rounded(.toNearestOrEven) / 1024
    func near(_ x: Float) -> Float { ((1.5 * x) - 2.5) * x * x + 1 }
    func far(_ x: Float) -> Float { ((-0.5 * x + 2.5) * x - 4) * x + 2 }
    let first = Int(below) - 1
    let weights = [far(step + 1), near(step), near(1 - step), far(2 - step)]
    return inside(weights.enumerated().map { (first + $0.offset, $0.element) }, input)
  }

  /// The pixels between two positions, by how much of each lies there.
  private static func covered(from start: Float, to end: Float, by scale: Float) -> [(index: Int, weight: Float)] {
    (Int(start.rounded(.down))..<max(Int(end.rounded(.up)), Int(start.rounded(.down)) + 1)).map { index in
      (index, (min(Float(index + 1), end) - max(Float(index), start)) / scale)
    }
  }

  private static func lanczos(at center: Float, radius: Float, _ input: Int) -> [(index: Int, weight: Float)] {
    let first = Int((center - radius - 0.5).rounded(.up))
    return inside(
      (0..<Int(2 * radius)).map { offset in
        let x = (Float(first + offset) + 0.5 - center).magnitude
        if x > radius { return (first + offset, 0) }
        if x <= 1e-3 { return (first + offset, 1) }
        let angle = Float.pi * x
        return (first + offset, radius * sin(angle) * sin(angle / radius) / (angle * angle))
      }, input)
  }
}
