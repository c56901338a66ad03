// Data that have been exchanged for others should be noticed when a run goes on, without reading gigabytes.

import AccelerandoCore
import AccelerandoFormats

extension Dataset {
  /// The SHA-256 over the types and the first and last bytes of the arrays, which tells most data apart from others in less than
  /// a millisecond. What is in a stream cannot be known.
  func digest() throws -> String {
    guard case .arrays(let arrays) = source else { return "a stream" }
    let sum = try SHA256Digest()
    try sum.update("\(rows) \(transforms.count)")
    for array in arrays.features + [arrays.labels, arrays.sampleWeights].compactMap({ $0 }) {
      try sum.update("\(array.type)")
      try array.withUnsafeBytes { bytes in
        try sum.update(UnsafeRawBufferPointer(rebasing: bytes.prefix(1 << 16)))
        try sum.update(UnsafeRawBufferPointer(rebasing: bytes.suffix(1 << 16)))
      }
    }
    return String(try sum.finish().prefix(16))
  }
}
