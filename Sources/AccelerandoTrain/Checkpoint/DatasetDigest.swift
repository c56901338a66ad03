// Data that have been exchanged for others should be noticed when a run goes on or workers begin together.

import AccelerandoCore
import AccelerandoFormats

extension Dataset {
  /// A digest of the types and all bytes of the arrays, at about the speed of memory. What is in a stream cannot be known.
  func digest() throws -> String {
    guard case .arrays(let arrays) = source else { return "a stream" }
    let sum = try SHA256Digest()
    try sum.update("\(rows) \(transforms.count)")
    for array in arrays.features + [arrays.labels, arrays.sampleWeights].compactMap({ $0 }) {
      try sum.update("\(array.type) \(array.withUnsafeBytes { UInt64.xxHash64($0) })")
    }
    return String(try sum.finish().prefix(16))
  }
}
