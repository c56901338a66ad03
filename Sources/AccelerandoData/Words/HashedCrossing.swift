// Two categories together may say what neither says alone: a hash gives each combination a bin.

import AccelerandoCore

/// Combinations of text or whole numbers to bins, as Keras' `HashedCrossing`.
public struct HashedCrossing: TextEncoder {
  public static let layerName = "HashedCrossing"
  public var inputCount: Int? { nil }
  /// The number of bins.
  public let numBins: Int
  /// The form of the result: `int` or `oneHot`.
  public let outputMode: CategoryOutput

  /// Makes the encoder.
  /// - Parameters:
  ///   - numBins: the number of bins.
  ///   - outputMode: the form of the result: `int` or `oneHot`.
  /// - Throws: `TextEncoderError` for invalid settings.
  public init(numBins: Int, outputMode: CategoryOutput = .int) throws {
    guard ClosedRange(uncheckedBounds: (1, Int(Int32.max))).contains(numBins) else {
      throw TextEncoderError("HashedCrossing: 'num_bins' needs a whole number of at least 1; received \(numBins).")
    }
    guard outputMode == .int || outputMode == .oneHot else {
      throw TextEncoderError(
        "HashedCrossing: 'output_mode' needs int or one_hot; received \(outputMode.rawValue).")
    }
    self.numBins = numBins
    self.outputMode = outputMode
  }

  public var vocabulary: LearnedVocabulary? { nil }
  public var needsAdapting: Bool { false }
  public func count(_ inputs: [Tokens], into counts: inout TokenCounts) throws {}
  public mutating func adapt(to counts: TokenCounts) throws {}

  public mutating func setVocabulary(_ vocabulary: LearnedVocabulary) throws {
    throw TextEncoderError("HashedCrossing has no vocabulary.")
  }

  private var rows: CategoryRows { CategoryRows(output: outputMode, depth: numBins) }

  public func outputType(of shapes: [[Int]]) throws -> TensorType {
    guard shapes.count >= 2 else {
      throw TextEncoderError("HashedCrossing reads at least two inputs; received \(shapes.count).")
    }
    guard Set(shapes).count == 1, shapes[0].isEmpty || shapes[0] == [1] else {
      throw TextEncoderError(
        "HashedCrossing needs one value of each input for a sample, all of shape [] or [1]; received \(shapes).")
    }
    return try rows.type(of: shapes[0])
  }

  public func encode(_ inputs: [Tokens]) throws -> NDArray {
    _ = try outputType(of: inputs.map { Array($0.shape.dropFirst()) })
    guard Set(inputs.map(\.elementCount)).count == 1 else {
      throw TextEncoderError("HashedCrossing needs inputs of as many samples; received \(inputs.map(\.count)).")
    }
    let indices = (0..<inputs[0].elementCount).map { place -> Int32 in
      // TensorFlow begins with this key.
      var hash: UInt64 = 0xDECAFCAFFE
      for input in inputs { hash = FarmHash.joined(hash, input.fingerprint(at: place)) }
      return Int32(hash % UInt64(numBins))
    }
    return try rows.array(indices, shape: inputs[0].shape)
  }
}

extension Tokens {
  /// What stands for an element in a cross: the hash of a text, a whole number itself. A missing one is an empty text.
  fileprivate func fingerprint(at place: Int) -> UInt64 {
    switch elements {
    case .texts(let texts): FarmHash.fingerprint(texts[place] ?? "")
    case .integers(let integers): integers[place].map { UInt64(bitPattern: Int64($0)) } ?? FarmHash.fingerprint("")
    }
  }
}
