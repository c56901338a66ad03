// Resizing runs over every pixel of every image that is read, so it works on bytes directly: first down the columns, where
// neighbours in memory go through the same arithmetic, then along the rows, all channels of a pixel at a time.

import AccelerandoFormats
import Foundation

extension Pixels {
  /// The image in another size. Pixels are computed in `float32`, as TensorFlow does, and rounded to bytes.
  func resized(to size: ImageForm.Size, _ form: ImageForm) -> Pixels {
    if height == size.height, width == size.width { return self }
    let window = Window(height: height, width: width, size: size, aspectRatio: form.aspectRatio)
    let down = Resampling(from: window.height, to: size.height, by: form.interpolation)
    let across = Resampling(from: window.width, to: size.width, by: form.interpolation)
    let rowCount = width * channels
    // Behind the row are zeros: what the window has beyond the image, and room to read four channels at any place.
    let places = across.indices.map { index in
      let column = index + window.left
      return column >= 0 && column < width ? column * channels : rowCount
    }
    let outputRow = size.width * channels
    let result = [UInt8](unsafeUninitializedCapacity: size.height * outputRow) { result, made in
      made = size.height * outputRow
      withUnsafeTemporaryAllocation(of: Float.self, capacity: rowCount + 4) { line in
        bytes.withUnsafeBufferPointer { source in
          guard let source = source.baseAddress, let sums = line.baseAddress, var target = result.baseAddress else {
            return
          }
          (sums + rowCount).initialize(repeating: 0, count: 4)
          for row in 0..<size.height {
            Self.add(source, window, down, row, height: height, to: sums, count: rowCount)
            Self.write(sums, places, across, channels, to: target, count: size.width)
            target += outputRow
          }
        }
      }
    }
    return Pixels(height: size.height, width: size.width, channels: channels, bytes: result)
  }

  /// The weighted sum of the rows that make one.
  private static func add(
    _ source: UnsafePointer<UInt8>, _ window: Window, _ down: Resampling, _ row: Int, height: Int,
    to sums: UnsafeMutablePointer<Float>, count: Int
  ) {
    var isFirst = true
    for tap in row * down.taps..<(row + 1) * down.taps where down.weights[tap] != 0 {
      let place = down.indices[tap] + window.top
      if place < 0 || place >= height { continue }
      let (from, weight) = (source + place * count, down.weights[tap])
      if isFirst {
        for index in 0..<count { sums[index] = weight * Float(from[index]) }
      } else {
        for index in 0..<count { sums[index] += weight * Float(from[index]) }
      }
      isFirst = false
    }
    if isFirst { sums.update(repeating: 0, count: count) }
  }

  /// Writes one row.
  private static func write(
    _ sums: UnsafePointer<Float>, _ places: [Int], _ across: Resampling, _ channels: Int,
    to target: UnsafeMutablePointer<UInt8>, count: Int
  ) {
    // Added to a number of 0 to 255, it leaves the number, rounded to the nearest even one, in the lowest bits.
    let rounding: Float = 0x1.8p23
    let taps = across.taps
    places.withUnsafeBufferPointer { places in
      across.weights.withUnsafeBufferPointer { weights in
        var out = target
        for column in 0..<count {
          var sum = SIMD4<Float>()
          for tap in column * taps..<(column + 1) * taps {
            let pixel = UnsafeRawPointer(sums + places[tap]).loadUnaligned(as: SIMD4<Float>.self)
            sum += pixel * weights[tap]
          }
          sum.clamp(lowerBound: SIMD4(repeating: 0), upperBound: SIMD4(repeating: 255))
          let rounded = unsafeBitCast(sum + rounding, to: SIMD4<UInt32>.self)
          for channel in 0..<channels { out[channel] = UInt8(truncatingIfNeeded: rounded[channel]) }
          out += channels
        }
      }
    }
  }
}

/// The part of an image that becomes the new one; it is larger than the image where there are margins.
private struct Window {
  var top = 0
  var left = 0
  var height: Int
  var width: Int

  init(height: Int, width: Int, size: ImageForm.Size, aspectRatio: ImageForm.AspectRatio) {
    (self.height, self.width) = (height, width)
    if aspectRatio == .stretch { return }
    // The sides that have the proportions of the new size.
    let fittingHeight = width * size.height / size.width
    let fittingWidth = height * size.width / size.height
    if aspectRatio == .crop {
      self.height = max(min(height, fittingHeight), 1)
      self.width = max(min(width, fittingWidth), 1)
      (top, left) = ((height - self.height) / 2, (width - self.width) / 2)
    } else {
      self.height = max(height, fittingHeight)
      self.width = max(width, fittingWidth)
      (top, left) = (-((self.height - height) / 2), -((self.width - width) / 2))
    }
  }
}
