// Moved, turned, stretched and sheared images are one thing: every new pixel is read at a place in the old image that is an
// affine function of its own place. What lies beyond the edges is said by a fill mode.

import AccelerandoCore
import AccelerandoFormats

/// What stands beyond the edges of an image.
public enum FillMode: String, Hashable, Sendable, CaseIterable {
  /// A constant.
  case constant
  /// The nearest pixel: `a a a | a b c d | d d d`.
  case nearest
  /// The image in a mirror: `c b a | a b c d | d c b`.
  case reflect
  /// The image again: `b c d | a b c d | a b c`.
  case wrap
}

/// How a layer reads between pixels and beyond edges.
struct Sampling: Hashable, Sendable {
  var fillMode: FillMode
  /// What `constant` fills with.
  var fillValue: Double
  /// Nearest or bilinear.
  var interpolation: Interpolation

  init(_ fillMode: FillMode, _ fillValue: Double, _ interpolation: Interpolation) {
    self.fillMode = fillMode
    self.fillValue = fillValue
    self.interpolation = interpolation
  }

  init(config: ConfigReader) throws {
    fillMode = try config.choice("fill_mode", default: .reflect)
    interpolation = try config.choice("interpolation", default: .bilinear, among: [.nearest, .bilinear])
    fillValue = try config.double("fill_value", default: 0)
  }

  var config: [(String, Config?)] {
    [
      ("fill_mode", fillMode == .reflect ? nil : Config(.string(fillMode.rawValue))),
      ("interpolation", interpolation == .bilinear ? nil : Config(.string(interpolation.rawValue))),
      ("fill_value", fillValue == 0 ? nil : Config(.double(fillValue))),
    ]
  }
}

/// Where the new pixels are read: the new pixel at (x, y) at (a·x + b·y + c, d·x + e·y + f), each number `float32[N]`.
struct AffineMap {
  var a: Tensor
  var b: Tensor
  var c: Tensor
  var d: Tensor
  var e: Tensor
  var f: Tensor
}

extension Tensor {
  /// Images `[N, H, W, C]` read at other places, as TensorFlow's `ImageProjectiveTransformV3` does.
  func warped(_ map: AffineMap, _ sampling: Sampling) -> Tensor {
    let (count, height, width) = (dim(0), dim(1), dim(2))
    let grid = TensorType(.float32, [count, height, width])
    let (columns, rows) = (iota(grid, axis: 2), iota(grid, axis: 1))
    func at(_ x: Tensor, _ y: Tensor, _ offset: Tensor) -> Tensor {
      func spread(_ number: Tensor) -> Tensor { number.converted(to: .float32).broadcast(to: grid.shape, axes: [0]) }
      return spread(x) * columns + spread(y) * rows + spread(offset)
    }
    return read(
      x: at(map.a, map.b, map.c).inside(width, sampling.fillMode),
      y: at(map.d, map.e, map.f).inside(height, sampling.fillMode), sampling)
  }

  /// Images read at places `float32[N, H', W']`.
  private func read(x: Tensor, y: Tensor, _ sampling: Sampling) -> Tensor {
    let (count, height, width, channels) = (dim(0), dim(1), dim(2), dim(3))
    guard count * height * width <= Int(Int32.max) else {
      return rejected("reads at most 2147483647 pixels of a batch; received \(shape).")
    }
    // The images one below the other: a pixel is a row of a table.
    let table = reshaped([count * height * width, channels])
    let first = iota(TensorType(.int32, x.shape), axis: 0) * Double(height * width)
    let target = x.shape + [channels]
    func whole(_ place: Tensor, _ size: Int) -> Tensor {
      place.clamped(0...Double(size - 1)).converted(to: .int32)
    }
    /// The pixels at whole places.
    func pixels(_ x: Tensor, _ y: Tensor) -> Tensor {
      let found = table.taking(first + whole(y, height) * Double(width) + whole(x, width))
      guard sampling.fillMode == .constant else { return found }
      func isInside(_ place: Tensor, _ size: Int) -> Tensor {
        place.greaterOrEqual(to: place.zerosLike()).and(place.lessOrEqual(to: place.filled(Double(size - 1))))
      }
      let isThere = isInside(x, width).and(isInside(y, height)).broadcast(to: target, axes: [0, 1, 2])
      return select(isThere, found, found.filled(sampling.fillValue))
    }
    if sampling.interpolation == .nearest { return pixels(x.roundAwayFromZero(), y.roundAwayFromZero()) }
    let (left, top) = (x.floor(), y.floor())
    func weight(_ part: Tensor) -> Tensor { part.converted(to: dtype).broadcast(to: target, axes: [0, 1, 2]) }
    let (right, below) = (weight(x - left), weight(y - top))
    let upper = pixels(left, top) * (1 - right) + pixels(left + 1, top) * right
    let lower = pixels(left, top + 1) * (1 - right) + pixels(left + 1, top + 1) * right
    return upper * (1 - below) + lower * below
  }

  /// Places on an axis, those beyond its ends brought back by a fill mode.
  fileprivate func inside(_ size: Int, _ mode: FillMode) -> Tensor {
    let last = Double(size - 1)
    switch mode {
    case .constant: return self
    case .nearest: return clamped(0...last)
    case .reflect:
      // The axis and its mirror image are a period; halves of it are at the same distance from its middle.
      let period = Double(2 * size)
      let place = self - (self / period).floor() * period
      let isMirrored = place.greater(than: place.filled(last))
      return select(isMirrored, period - 1 - place, place).clamped(0...last)
    case .wrap:
      guard size > 1 else { return zerosLike() }
      // As TensorFlow has it, between the last pixel and the first one there is a gap of one.
      let periods = (abs() / last).floor()
      let below = self + (periods + 1) * Double(size)
      let above = self - periods * Double(size)
      let isBelow = less(than: zerosLike())
      let isAbove = greater(than: filled(last))
      return select(isBelow, below, select(isAbove, above, self)).clamped(0...last)
    }
  }

  /// Images with more pixels at all edges.
  func padded(by margin: Int, _ mode: FillMode, _ value: Double) -> Tensor {
    if margin == 0 { return self }
    if mode == .constant {
      return padded(low: [0, margin, margin, 0], high: [0, margin, margin, 0], with: value)
    }
    return [1, 2].reduce(self) { images, axis in
      let size = images.dim(axis)
      let places = (-margin..<size + margin).map { place -> Int32 in
        switch mode {
        case .constant, .nearest: return Int32(clamping: Swift.min(Swift.max(place, 0), size - 1))
        case .wrap: return Int32(clamping: (place % size + size) % size)
        case .reflect:
          let inPeriod = (place % (2 * size) + 2 * size) % (2 * size)
          return Int32(clamping: Swift.min(inPeriod, 2 * size - 1 - inPeriod))
        }
      }
      return images.taking(images.constant(NDArray(places)), axis: axis)
    }
  }

  /// A window of each image.
  /// - Parameters:
  ///   - top: the first row of each, `int32[N]`.
  ///   - left: the first column of each.
  func windows(top: Tensor, left: Tensor, height: Int, width: Int) -> Tensor {
    let count = dim(0)
    let starts = Tensor.concatenating([top.reshaped([count, 1]), left.reshaped([count, 1])], axis: 1)
    let dimensions = Gather.Dimensions(
      offset: [1, 2, 3], collapsed: [], operandBatching: [0], indicesBatching: [0], startIndexMap: [1, 2],
      indexVector: 1)
    return graph.add(Gather(dimensions, sliceSizes: [1, height, width, dim(3)]), self, starts)
  }
}
