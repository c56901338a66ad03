// Data that have been exchanged for others should be noticed when a run goes on or workers begin together.

import AccelerandoCore
import AccelerandoFormats

extension Dataset {
  /// The SHA-256 over the types and all bytes of the arrays, a second for 1.5 GB; asked for only where runs are compared. What is in
  /// a stream cannot be known.
  func digest() throws -> String {
    guard case .arrays(let arrays) = source else { return "a stream" }
    let sum = try SHA256Digest()
    try sum.update("\(rows) \(transforms.count)")
    for array in arrays.features + [arrays.labels, arrays.sampleWeights].compactMap({ $0 }) {
      try sum.update("\(array.type)")
      try array.withUnsafeBytes { try sum.update($0) }
    }
    return String(try sum.finish().prefix(16))
  }
}
