// Inputs as pictures: what a model was shown is best judged by looking at it.

import Accelerando

enum Picture {
  /// The largest side of a picture in a page; larger inputs are thinned out.
  private static let largestSide = 256

  /// A sample as a PNG file, if it has the shape of a picture: `[H, W]`, or `[H, W, C]` with 1, 3 or 4 channels.
  /// - Parameters:
  ///   - features: `[N, H, W]` or `[N, H, W, C]`. Bytes are shown as they are; of other numbers the smallest becomes black and the
  ///     largest white.
  ///   - sample: which of the samples.
  static func png(of features: NDArray, sample: Int) -> [UInt8]? {
    var shape = Array(features.shape.dropFirst())
    // Series have two axes as well; what has as many rows as columns, or bytes, is a picture.
    if shape.count == 2, shape[0] == shape[1] || features.dtype == .uint8 { shape.append(1) }
    guard shape.count == 3, [1, 3, 4].contains(shape[2]), shape[0] > 1, shape[1] > 1,
      let values = try? features.rows(sample..<sample + 1).elements(as: Float.self)
    else { return nil }
    let (low, high) =
      features.dtype == .uint8
      ? (0, 255) : (values.min { $0 < $1 } ?? 0, values.max { $0 < $1 } ?? 1)
    let scale = high > low ? 255 / (high - low) : 0
    let step = max((max(shape[0], shape[1]) + largestSide - 1) / largestSide, 1)
    var bytes: [UInt8] = []
    let (rows, columns) = (
      Array(stride(from: 0, to: shape[0], by: step)), Array(stride(from: 0, to: shape[1], by: step))
    )
    for row in rows {
      for column in columns {
        for channel in 0..<shape[2] {
          let value = (values[(row * shape[1] + column) * shape[2] + channel] - low) * scale
          bytes.append(value.isFinite ? UInt8(min(max(value.rounded(), 0), 255)) : 0)
        }
      }
    }
    return try? PNG.encoded(NDArray(bytes, shape: [rows.count, columns.count, shape[2]]))
  }
}
