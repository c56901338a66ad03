// Categories without a vocabulary: a hash puts each into one of a number of bins, and nothing has to be learned or kept.

import AccelerandoCore

/// Text or whole numbers to bins, as Keras' `Hashing`.
public struct Hashing: TextEncoder {
  public static let layerName = "Hashing"
  /// The number of bins.
  public let numBins: Int
  /// The value that has bin 0 for itself; nil for none. A whole number as decimal text.
  public let maskValue: String?
  /// The key of the hash; nil for the hash without one.
  public let salt: Salt?
  /// The form of the result.
  public let outputMode: CategoryOutput

  /// Makes the encoder.
  /// - Parameters:
  ///   - numBins: the number of bins, the one of `maskValue` included.
  ///   - maskValue: the value that has bin 0 for itself; nil for none. Missing values are put there, too.
  ///   - salt: the key of the hash (SipHash); nil for FarmHash without a key.
  ///   - outputMode: the form of the result; not `tfIDF`.
  /// - Throws: `TextEncoderError` for invalid settings.
  public init(numBins: Int, maskValue: String? = nil, salt: Salt? = nil, outputMode: CategoryOutput = .int) throws {
    guard ClosedRange(uncheckedBounds: (1, Int(Int32.max))).contains(numBins) else {
      throw TextEncoderError("Hashing: 'num_bins' needs a whole number of at least 1; received \(numBins).")
    }
    guard outputMode != .tfIDF else {
      throw TextEncoderError("Hashing: 'output_mode' needs int, one_hot, multi_hot or count; received tf_idf.")
    }
    self.numBins = numBins
    self.maskValue = maskValue
    self.salt = salt
    self.outputMode = outputMode
  }

  public var vocabulary: LearnedVocabulary? { nil }
  public var needsAdapting: Bool { false }
  public func count(_ inputs: [Tokens], into counts: inout TokenCounts) throws {}
  public mutating func adapt(to counts: TokenCounts) throws {}

  public mutating func setVocabulary(_ vocabulary: LearnedVocabulary) throws {
    throw TextEncoderError("Hashing has no vocabulary.")
  }

  private var rows: CategoryRows { CategoryRows(output: outputMode, depth: numBins) }

  public func outputType(of shapes: [[Int]]) throws -> TensorType { try rows.type(of: shape(of: shapes)) }

  public func encode(_ inputs: [Tokens]) throws -> NDArray {
    let tokens = try input(of: inputs)
    let masks = maskValue != nil && numBins > 1
    let buckets = HashBuckets(count: masks ? numBins - 1 : numBins, salt: salt)
    let indices = (0..<tokens.elementCount).map { place -> Int32 in
      let text = tokens.text(at: place)
      if masks, text == nil || text.map({ $0.utf8.elementsEqual((maskValue ?? "").utf8) }) == true { return 0 }
      return Int32(buckets.bucket(of: text ?? "") + (masks ? 1 : 0))
    }
    return try rows.array(indices, shape: tokens.shape)
  }
}
