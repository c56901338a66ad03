// Sentences become sequences of indices, or rows of counts: standardized, split into words, and looked up.

import AccelerandoCore
import AccelerandoFormats

/// Text to indices of its words, as Keras' `TextVectorization`.
///
/// Index 0 fills up sequences, index 1 stands for unknown words; rows of ones and counts have no index for filling up.
public struct TextVectorization: TextEncoder {
  public static let layerName = "TextVectorization"

  /// What is done to a text before it is split. As in Keras, upper-case letters are those of ASCII.
  public enum Standardization: String, CaseIterable, Hashable, Sendable {
    /// Lower-case letters, no punctuation.
    case lowerAndStripPunctuation = "lower_and_strip_punctuation"
    /// Lower-case letters.
    case lower
    /// No punctuation.
    case stripPunctuation = "strip_punctuation"
  }

  /// Where a text is split.
  public enum Split: String, CaseIterable, Hashable, Sendable {
    /// At ASCII's white space.
    case whitespace
    /// Between any two Unicode scalars.
    case character
  }

  /// How indices are made.
  public var settings: LookupSettings { lookup.settings }
  /// What is done to a text before it is split; nil for nothing.
  public let standardize: Standardization?
  /// Where a text is split; nil if it is one token.
  public let split: Split?
  /// The numbers of words that make a token, in the order of the tokens; nil for single words.
  public let ngrams: [Int]?
  /// The length of sequences of indices; nil for the longest of those that are encoded together.
  public let outputSequenceLength: Int?
  private var lookup: IndexLookup<ExactName>

  /// Makes the encoder.
  /// - Parameters:
  ///   - maxTokens: the largest size of the vocabulary, with the special tokens; nil for any size.
  ///   - standardize: what is done to a text before it is split; nil for nothing.
  ///   - split: where a text is split; nil if it is one token.
  ///   - ngrams: the numbers of words that make a token, in the order of the tokens: `[1, 2]` for words, then pairs; nil for
  ///     single words.
  ///   - outputMode: the form of the result.
  ///   - outputSequenceLength: with `int`, the length of sequences: longer ones are cut, shorter ones filled up with zeros.
  ///   - padToMaxTokens: whether rows are `maxTokens` long.
  ///   - vocabulary: the tokens in order; nil to learn them.
  ///   - idfWeights: with `tfIDF` and a vocabulary, the weight of each token.
  /// - Throws: `TextEncoderError` for settings that do not go together, or an invalid vocabulary.
  public init(
    maxTokens: Int? = nil, standardize: Standardization? = .lowerAndStripPunctuation, split: Split? = .whitespace,
    ngrams: [Int]? = nil, outputMode: CategoryOutput = .int, outputSequenceLength: Int? = nil,
    padToMaxTokens: Bool = false, vocabulary: [String]? = nil, idfWeights: [Double]? = nil
  ) throws {
    func refuse(_ message: String) -> TextEncoderError { TextEncoderError("TextVectorization: \(message)") }
    if let length = outputSequenceLength {
      guard length > 0, length <= Int(Int32.max) else {
        throw refuse("'output_sequence_length' needs a whole number of at least 1; received \(length).")
      }
      guard outputMode == .int else {
        throw refuse("'output_sequence_length' needs 'output_mode: int'; received \(outputMode.rawValue).")
      }
    }
    if let ngrams {
      guard !ngrams.isEmpty, ngrams.allSatisfy({ $0 >= 1 }) else {
        throw refuse("'ngrams' needs whole numbers of at least 1; received \(ngrams).")
      }
    }
    guard outputMode != .oneHot else {
      throw refuse(
        "'output_mode' needs int, multi_hot, count or tf_idf: texts have different numbers of words, so that there is "
          + "no array of a row for each.")
    }
    self.standardize = standardize
    self.split = split
    self.ngrams = ngrams
    self.outputSequenceLength = outputSequenceLength
    var settings = LookupSettings()
    settings.maxTokens = maxTokens
    settings.outputMode = outputMode
    settings.padToMaxTokens = padToMaxTokens
    lookup = try IndexLookup(
      name: Self.layerName, settings: settings, maskToken: ExactName(""), oovToken: ExactName("[UNK]"),
      vocabulary: vocabulary?.map { ExactName($0) }, idfWeights: idfWeights)
  }

  public var vocabulary: LearnedVocabulary? { lookup.learned }
  public var needsAdapting: Bool { lookup.tokens == nil }

  /// The tokens of all indices, the special ones too.
  public var allTokens: [String] { lookup.allTokens.map { $0?.text ?? "" } }

  public mutating func setVocabulary(_ vocabulary: LearnedVocabulary) throws { try lookup.setLearned(vocabulary) }

  public mutating func adapt(to counts: TokenCounts) throws { try lookup.adapt(to: counts) }

  public func count(_ inputs: [Tokens], into counts: inout TokenCounts) throws {
    let texts = try texts(of: inputs)
    var splitter = splitter
    for place in 0..<texts.elementCount {
      counts.beginSample()
      splitter.tokens(of: texts.text(at: place) ?? "") { counts.count($0) }
    }
  }

  public func outputType(of shapes: [[Int]]) throws -> TensorType {
    try check(shape(of: shapes))
    guard settings.outputMode == .int else { return try lookup.rows().type(of: []) }
    guard let length = outputSequenceLength else {
      throw TextEncoderError(
        "TextVectorization needs 'output_sequence_length' where a model follows: without it, sequences are as long as the "
          + "longest text.")
    }
    return TensorType(.int32, [length])
  }

  public func encode(_ inputs: [Tokens]) throws -> NDArray {
    let texts = try texts(of: inputs)
    let rows = try lookup.rows()
    var splitter = splitter
    var indices: [Int32] = []
    var bounds = [0]
    for place in 0..<texts.elementCount {
      // There is an index for unknown words, so that nothing is thrown here.
      var failure: (any Error)?
      splitter.tokens(of: texts.text(at: place) ?? "") { token in
        do {
          indices.append(try lookup.index(of: ExactName(token), empty: ExactName(""), sample: place))
        } catch { failure = error }
      }
      if let failure { throw failure }
      bounds.append(indices.count)
    }
    guard settings.outputMode == .int else { return try rows.array(indices, bounds: bounds) }
    let longest = (0..<texts.elementCount).map { bounds[$0 + 1] - bounds[$0] }.max() ?? 0
    let length = outputSequenceLength ?? longest
    var array = NDArray(zeros: TensorType(.int32, [texts.elementCount, length]))
    array.withUnsafeMutableBytes { bytes in
      let row = bytes.bindMemory(to: Int32.self)
      for sample in 0..<texts.elementCount {
        for place in 0..<min(length, bounds[sample + 1] - bounds[sample]) {
          row[sample * length + place] = indices[bounds[sample] + place]
        }
      }
    }
    return array
  }

  private var splitter: WordSplitter { WordSplitter(standardize: standardize, split: split, ngrams: ngrams) }

  private func texts(of inputs: [Tokens]) throws -> Tokens {
    let texts = try input(of: inputs)
    try check(Array(texts.shape.dropFirst()))
    return texts
  }

  private func check(_ shape: [Int]) throws {
    guard shape.isEmpty || shape == [1] else {
      throw TextEncoderError("TextVectorization needs one text for a sample; received samples of shape \(shape).")
    }
  }
}
