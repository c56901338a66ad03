// Categories written as words become indices that a model can look up or spread into rows.

import AccelerandoCore
import AccelerandoFormats

/// Text to indices of a vocabulary, as Keras' `StringLookup`.
public struct StringLookup: TextEncoder {
  public static let layerName = "StringLookup"
  /// How indices are made.
  public var settings: LookupSettings { lookup.settings }
  private var lookup: IndexLookup<ExactName>

  /// Makes the encoder.
  /// - Parameters:
  ///   - maxTokens: the largest size of the vocabulary, with the special tokens; nil for any size.
  ///   - numOOVIndices: the number of indices for unknown tokens.
  ///   - maskToken: the token of missing values; nil for none.
  ///   - oovToken: the token that indices of unknown tokens become again.
  ///   - vocabulary: the tokens in order; nil to learn them.
  ///   - idfWeights: with `tfIDF` and a vocabulary, the weight of each token.
  ///   - invert: whether indices become tokens: `decode` does it.
  ///   - outputMode: the form of the result.
  ///   - padToMaxTokens: whether rows are `maxTokens` long.
  ///   - salt: the key of the hash that chooses between several indices for unknown tokens.
  /// - Throws: `TextEncoderError` for settings that do not go together, or an invalid vocabulary.
  public init(
    maxTokens: Int? = nil, numOOVIndices: Int = 1, maskToken: String? = nil, oovToken: String? = "[UNK]",
    vocabulary: [String]? = nil, idfWeights: [Double]? = nil, invert: Bool = false,
    outputMode: CategoryOutput = .int, padToMaxTokens: Bool = false, salt: Salt? = nil
  ) throws {
    var settings = LookupSettings()
    settings.maxTokens = maxTokens
    settings.numOOVIndices = numOOVIndices
    settings.invert = invert
    settings.outputMode = outputMode
    settings.padToMaxTokens = padToMaxTokens
    settings.salt = salt
    lookup = try IndexLookup(
      name: Self.layerName, settings: settings, maskToken: maskToken.map { ExactName($0) },
      oovToken: oovToken.map { ExactName($0) }, vocabulary: vocabulary?.map { ExactName($0) }, idfWeights: idfWeights)
  }

  public var vocabulary: LearnedVocabulary? { lookup.learned }
  public var needsAdapting: Bool { lookup.tokens == nil }

  /// The tokens of all indices, the special ones too: those for unknown tokens are `oovToken`.
  public var allTokens: [String] { lookup.allTokens.map { $0?.text ?? "" } }

  public mutating func setVocabulary(_ vocabulary: LearnedVocabulary) throws { try lookup.setLearned(vocabulary) }

  public mutating func adapt(to counts: TokenCounts) throws { try lookup.adapt(to: counts) }

  public func count(_ inputs: [Tokens], into counts: inout TokenCounts) throws {
    let tokens = try input(of: inputs)
    let width = tokens.shape.dropFirst().reduce(1, *)
    for sample in 0..<tokens.count {
      counts.beginSample()
      for place in sample * width..<(sample + 1) * width {
        if let text = tokens.text(at: place) { counts.count(text) }
      }
    }
  }

  public func outputType(of shapes: [[Int]]) throws -> TensorType {
    let shape = try shape(of: shapes)
    if settings.outputMode == .int { return TensorType(.int32, shape) }
    return try lookup.rows().type(of: shape)
  }

  public func encode(_ inputs: [Tokens]) throws -> NDArray {
    let tokens = try input(of: inputs)
    guard !settings.invert else {
      throw TextEncoderError("StringLookup with 'invert' gives text, which is no input of a model. Use 'decode'.")
    }
    let rows = try lookup.rows()
    let width = max(tokens.shape.dropFirst().reduce(1, *), 1)
    var indices = [Int32]()
    indices.reserveCapacity(tokens.elementCount)
    for place in 0..<tokens.elementCount {
      indices.append(
        try lookup.index(
          of: tokens.text(at: place).map { ExactName($0) }, empty: ExactName(""), sample: place / width))
    }
    return try rows.array(indices, shape: tokens.shape)
  }

  /// The tokens of indices.
  /// - Parameter indices: whole numbers of any shape.
  /// - Returns: as many texts, in row-major order; for an index without a token the one for unknown tokens.
  public func decode(_ indices: NDArray) -> [String] {
    indices.elements(as: Int64.self).map { lookup.token(at: Int($0))?.text ?? "" }
  }
}

extension Tokens {
  /// The element at a place as text: whole numbers in decimal digits.
  func text(at place: Int) -> String? {
    switch elements {
    case .texts(let texts): texts[place]
    case .integers(let integers): integers[place].map { String($0) }
    }
  }
}
