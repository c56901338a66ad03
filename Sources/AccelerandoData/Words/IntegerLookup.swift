// Whole numbers that stand for things, such as postal codes, become indices without gaps.

import AccelerandoCore

/// Whole numbers to indices of a vocabulary, as Keras' `IntegerLookup`.
public struct IntegerLookup: TextEncoder {
  public static let layerName = "IntegerLookup"
  /// How indices are made.
  public var settings: LookupSettings { lookup.settings }
  private var lookup: IndexLookup<Int>

  /// Makes the encoder.
  /// - Parameters:
  ///   - maxTokens: the largest size of the vocabulary, with the special tokens; nil for any size.
  ///   - numOOVIndices: the number of indices for unknown numbers.
  ///   - maskToken: the number that stands for missing values; nil for none.
  ///   - oovToken: the number that indices of unknown ones become again.
  ///   - vocabulary: the numbers in order; nil to learn them.
  ///   - idfWeights: with `tfIDF` and a vocabulary, the weight of each number.
  ///   - invert: whether indices become numbers of the vocabulary again.
  ///   - outputMode: the form of the result.
  ///   - padToMaxTokens: whether rows are `maxTokens` long.
  ///   - oovMethod: how one of several indices for unknown numbers is chosen.
  ///   - salt: with `farmhash`, the key of the hash that chooses.
  /// - Throws: `TextEncoderError` for settings that do not go together, or an invalid vocabulary.
  public init(
    maxTokens: Int? = nil, numOOVIndices: Int = 1, maskToken: Int? = nil, oovToken: Int? = -1,
    vocabulary: [Int]? = nil, idfWeights: [Double]? = nil, invert: Bool = false,
    outputMode: CategoryOutput = .int, padToMaxTokens: Bool = false,
    oovMethod: LookupSettings.OOVMethod = .floormod, salt: Salt? = nil
  ) throws {
    var settings = LookupSettings()
    settings.maxTokens = maxTokens
    settings.numOOVIndices = numOOVIndices
    settings.invert = invert
    settings.outputMode = outputMode
    settings.padToMaxTokens = padToMaxTokens
    settings.oovMethod = oovMethod
    settings.salt = salt
    lookup = try IndexLookup(
      name: Self.layerName, settings: settings, maskToken: maskToken, oovToken: oovToken, vocabulary: vocabulary,
      idfWeights: idfWeights)
  }

  public var vocabulary: LearnedVocabulary? { lookup.learned }
  public var needsAdapting: Bool { lookup.tokens == nil }

  /// The numbers of all indices, the special ones too; nil where there is none.
  public var allTokens: [Int?] { lookup.allTokens }

  public mutating func setVocabulary(_ vocabulary: LearnedVocabulary) throws { try lookup.setLearned(vocabulary) }

  public mutating func adapt(to counts: TokenCounts) throws { try lookup.adapt(to: counts) }

  public func count(_ inputs: [Tokens], into counts: inout TokenCounts) throws {
    let tokens = try input(of: inputs)
    let width = tokens.shape.dropFirst().reduce(1, *)
    for sample in 0..<tokens.count {
      counts.beginSample()
      for place in sample * width..<(sample + 1) * width {
        if let number = try tokens.integer(at: place, of: layerName) { counts.count(number) }
      }
    }
  }

  public func outputType(of shapes: [[Int]]) throws -> TensorType {
    let shape = try shape(of: shapes)
    if settings.outputMode == .int { return TensorType(settings.invert ? .int64 : .int32, shape) }
    return try lookup.rows().type(of: shape)
  }

  public func encode(_ inputs: [Tokens]) throws -> NDArray {
    let tokens = try input(of: inputs)
    let rows = try lookup.rows()
    let width = max(tokens.shape.dropFirst().reduce(1, *), 1)
    if settings.invert {
      let numbers = try (0..<tokens.elementCount).map { place in
        let index = try tokens.integer(at: place, of: layerName)
        guard let number = index.map({ lookup.token(at: $0) }) ?? lookup.token(at: 0) else {
          throw TextEncoderError(
            "IntegerLookup: sample \(place / width) has an index without a number. Set 'oov_token'.")
        }
        return Int64(number)
      }
      return try NDArray(numbers, shape: tokens.shape)
    }
    let indices = try (0..<tokens.elementCount).map { place in
      try lookup.index(of: tokens.integer(at: place, of: layerName), empty: nil, sample: place / width)
    }
    return try rows.array(indices, shape: tokens.shape)
  }
}

extension Tokens {
  /// The element at a place as a whole number; nil if it is missing.
  /// - Throws: `TextEncoderError` for a text that is none.
  func integer(at place: Int, of name: String) throws -> Int? {
    switch elements {
    case .integers(let integers): return integers[place]
    case .texts(let texts):
      guard let text = texts[place] else { return nil }
      if let number = Int(text) { return number }
      let width = max(shape.dropFirst().reduce(1, *), 1)
      throw TextEncoderError(
        "\(name) needs whole numbers; sample \(place / width) has '\(text.prefix(60))'. Use StringLookup for words.")
    }
  }
}
