// What can be done to the colours of images: formulas with a number for each image, which random layers draw.

import AccelerandoCore

extension Tensor {
  /// Images with a number added, within a range.
  func brightened(by delta: Tensor, _ range: ValueRange) -> Tensor {
    (self + delta.acrossPixels(of: self)).clamped(range)
  }

  /// Images whose distances from the mean of each channel are multiplied, within a range.
  func contrasted(by factor: Tensor, _ range: ValueRange) -> Tensor {
    let mean = mean(axes: [1, 2], keepDims: true).broadcast(to: shape)
    return ((self - mean) * factor.acrossPixels(of: self) + mean).clamped(range)
  }

  /// Colours whose saturation is multiplied, up to full saturation; hue and value stay.
  func saturated(by factor: Tensor) -> Tensor {
    let (value, lowest) = (max(axes: [3], keepDims: true), min(axes: [3], keepDims: true))
    // Saturation is chroma / value: the distances of the channels from the largest one are in proportion to it.
    let most = value / (value - lowest).maximum(1e-7)
    let wanted = factor.converted(to: dtype).broadcast(to: most.shape, axes: [0])
    let top = value.broadcast(to: shape)
    return top - (top - self) * wanted.minimum(most).broadcast(to: shape)
  }

  /// Colours of 0 to 1 whose hue is turned by parts of a full turn; saturation and value stay.
  func hueTurned(by turn: Tensor) -> Tensor {
    let (red, green, blue) = (channel(0), channel(1), channel(2))
    let (value, lowest) = (max(axes: [3], keepDims: true), min(axes: [3], keepDims: true))
    let chroma = value - lowest
    let divisor = select(chroma.greater(than: chroma.zerosLike()), chroma, chroma.onesLike())
    // The hue in sixths of a turn, from the channel that is largest.
    let sector = select(
      red.equal(to: value), (green - blue) / divisor,
      select(green.equal(to: value), (blue - red) / divisor + 2, (red - green) / divisor + 4))
    let hue = sector + turn.converted(to: dtype).broadcast(to: sector.shape, axes: [0]) * 6
    return Tensor.concatenating(
      [5.0, 3, 1].map { offset in
        let place = hue + offset
        let inTurn = place - (place / 6).floor() * 6
        return value - chroma * inTurn.minimum(4 - inTurn).clamped(0...1)
      }, axis: 3)
  }

  /// Brightness in all three channels (ITU-R BT.601).
  func grayscale() -> Tensor {
    (channel(0) * 0.2989 + channel(1) * 0.587 + channel(2) * 0.114).broadcast(to: shape)
  }

  /// Values of 0 to 255 of which only the upper bits are kept.
  func posterized(bits: Tensor) -> Tensor {
    let step = (8 - bits).scaledToPowerOfTwo().acrossPixels(of: self)
    return (floor() / step).floor() * step
  }

  /// 2 to the power of whole numbers of 0 to 8.
  private func scaledToPowerOfTwo() -> Tensor { (self * 0.6931471805599453).exp().round() }

  /// Values of 0 to 255 that are inverted from a threshold on, after a number has been added.
  func solarized(adding addition: Tensor, from threshold: Tensor) -> Tensor {
    let sum = (self + addition.acrossPixels(of: self)).clamped(0...255)
    return select(sum.less(than: threshold.acrossPixels(of: self)), sum, 255 - sum)
  }

  /// Images in which each channel fills its range.
  func autoContrasted(_ range: ValueRange) -> Tensor {
    let (low, high) = (min(axes: [1, 2], keepDims: true), max(axes: [1, 2], keepDims: true))
    let width = high - low
    let isFlat = width.lessOrEqual(to: width.zerosLike())
    let scale = (range.upperBound - range.lowerBound) / select(isFlat, width.onesLike(), width)
    let stretched = (self - low.broadcast(to: shape)) * scale.broadcast(to: shape) + range.lowerBound
    return select(isFlat.broadcast(to: shape), self, stretched.clamped(range))
  }

  /// Values moved from one range to another.
  func moved(from old: ValueRange, to new: ValueRange) -> Tensor {
    if old == new { return self }
    let scale = (new.upperBound - new.lowerBound) / (old.upperBound - old.lowerBound)
    return (self - old.lowerBound) * scale + new.lowerBound
  }

  /// One channel of images, `[N, H, W, 1]`.
  private func channel(_ index: Int) -> Tensor { sliced(axis: 3, index..<index + 1) }

  /// Whether images have colours; otherwise reports that they do not.
  func hasColors() -> Bool {
    if dim(3) == 3 { return true }
    graph.report(GraphError("needs images of three channels, red, green and blue; received \(shape)."))
    return false
  }
}
