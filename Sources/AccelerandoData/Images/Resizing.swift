// Resizing runs over every pixel of every image that is read, so it works on bytes directly: first down the columns, where
// neighbours in memory go through the same arithmetic, then along the rows.

import AccelerandoFormats
import Foundation

extension Pixels {
  /// The image in another size. Pixels are computed in `float32`, as TensorFlow does, and rounded to bytes.
  func resized(to size: ImageForm.Size, _ form: ImageForm) -> Pixels {
    if height == size.height, width == size.width { return self }
    let window = Window(height: height, width: width, size: size, aspectRatio: form.aspectRatio)
    let down = Resampling(from: window.height, to: size.height, by: form.interpolation)
    let across = Resampling(from: window.width, to: size.width, by: form.interpolation)
    // The place of each tap in a row, or nothing where the window reaches beyond the image.
    let places = across.indices.map { index in
      let column = index + window.left
      return column >= 0 && column < width ? column * channels : -1
    }
    let rowCount = width * channels
    let outputRow = size.width * channels
    let result = [UInt8](unsafeUninitializedCapacity: size.height * outputRow) { result, made in
      made = size.height * outputRow
      withUnsafeTemporaryAllocation(of: Float.self, capacity: max(rowCount, 1)) { line in
        bytes.withUnsafeBufferPointer { source in
          guard let source = source.baseAddress, let sums = line.baseAddress, var target = result.baseAddress else {
            return
          }
          for row in 0..<size.height {
            sums.initialize(repeating: 0, count: rowCount)
            for tap in row * down.taps..<(row + 1) * down.taps where down.weights[tap] != 0 {
              let place = down.indices[tap] + window.top
              if place < 0 || place >= height { continue }
              let (from, weight) = (source + place * rowCount, down.weights[tap])
              for index in 0..<rowCount { sums[index] += weight * Float(from[index]) }
            }
            Self.write(sums, places, across, channels, to: target, count: size.width)
            target += outputRow
          }
        }
      }
    }
    return Pixels(height: size.height, width: size.width, channels: channels, bytes: result)
  }

  /// Writes one row.
  private static func write(
    _ sums: UnsafePointer<Float>, _ places: [Int], _ across: Resampling, _ channels: Int,
    to target: UnsafeMutablePointer<UInt8>, count: Int
  ) {
    places.withUnsafeBufferPointer { places in
      across.weights.withUnsafeBufferPointer { weights in
        for column in 0..<count {
          for channel in 0..<channels {
            var sum: Float = 0
            for tap in column * across.taps..<(column + 1) * across.taps where places[tap] >= 0 {
              sum += weights[tap] * sums[places[tap] + channel]
            }
            target[column * channels + channel] = UInt8(max(0, min(255, sum.rounded(.toNearestOrEven))))
          }
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
