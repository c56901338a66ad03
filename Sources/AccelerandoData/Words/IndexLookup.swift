// What StringLookup, IntegerLookup and TextVectorization have in common: a vocabulary in an order, places in front of it
// for missing and for unknown tokens, and the way from a token to its index and back.

import AccelerandoCore
import AccelerandoFormats
import Foundation

/// How a lookup makes indices, with Keras' names and defaults.
public struct LookupSettings: Hashable, Sendable {
  /// The largest size of the vocabulary, with the mask token and the indices of unknown tokens; nil for any size.
  public var maxTokens: Int?
  /// The number of indices for unknown tokens. With 0, an unknown token is an error; with several, a hash chooses.
  public var numOOVIndices = 1
  /// Whether indices become tokens, instead of tokens indices.
  public var invert = false
  /// The form of the result.
  public var outputMode = CategoryOutput.int
  /// Whether rows are `maxTokens` long even where the vocabulary is shorter.
  public var padToMaxTokens = false
  /// How one of several indices for unknown whole numbers is chosen.
  public var oovMethod = OOVMethod.floormod
  /// The key of the hash that chooses; nil for the hash without one.
  public var salt: Salt?

  /// How one of several indices is chosen for an unknown whole number. For unknown text it is always a hash.
  public enum OOVMethod: String, CaseIterable, Hashable, Sendable {
    /// The remainder of the number.
    case floormod
    /// A hash of its decimal digits.
    case farmhash
  }

  /// Makes the default settings.
  public init() {}
}

/// A token of a vocabulary.
protocol LookupToken: Hashable, Sendable {
  /// The token in files.
  var text: String { get }
  /// Reads it.
  init?(text: String)
  /// Whether it stands before another that occurs as often.
  func precedes(_ other: Self) -> Bool
  /// The counts of tokens of this type.
  static func counts(in counts: TokenCounts) -> [Self: TokenCounts.Count]
  /// Which of `settings.numOOVIndices` it takes if it is unknown.
  func bucket(_ settings: LookupSettings) -> Int
}

extension ExactName: LookupToken {
  init?(text: String) { self.init(text) }

  // Keras sorts the bytes, and takes the last first.
  func precedes(_ other: ExactName) -> Bool { other.text.utf8.lexicographicallyPrecedes(text.utf8) }

  static func counts(in counts: TokenCounts) -> [ExactName: TokenCounts.Count] { counts.texts }

  func bucket(_ settings: LookupSettings) -> Int {
    HashBuckets(count: settings.numOOVIndices, salt: settings.salt).bucket(of: text)
  }
}

extension Int: LookupToken {
  var text: String { String(self) }

  init?(text: String) { self.init(text) }

  func precedes(_ other: Int) -> Bool { self > other }

  static func counts(in counts: TokenCounts) -> [Int: TokenCounts.Count] { counts.integers }

  func bucket(_ settings: LookupSettings) -> Int {
    let count = Swift.max(settings.numOOVIndices, 1)
    switch settings.oovMethod {
    case .floormod:
      let rest = self % count
      return rest < 0 ? rest + count : rest
    case .farmhash: return HashBuckets(count: count, salt: settings.salt).bucket(of: text)
    }
  }
}

/// A vocabulary, and the indices of its tokens.
struct IndexLookup<Token: LookupToken>: Sendable {
  let name: String
  let settings: LookupSettings
  let maskToken: Token?
  let oovToken: Token?
  /// Whether the vocabulary came with the settings.
  private let isGiven: Bool
  private(set) var tokens: [Token]?
  private var indices: [Token: Int32] = [:]
  /// The weights of all indices, without what fills rows up to `maxTokens`.
  private var idfWeights: [Float]?

  /// Makes a lookup.
  /// - Throws: `TextEncoderError` for settings that do not go together, or an invalid vocabulary.
  init(
    name: String, settings: LookupSettings, maskToken: Token?, oovToken: Token?, vocabulary: [Token]?,
    idfWeights: [Double]?
  ) throws {
    self.name = name
    self.settings = settings
    self.maskToken = maskToken
    self.oovToken = oovToken
    isGiven = vocabulary != nil
    try check(hasVocabulary: vocabulary != nil, hasWeights: idfWeights != nil)
    if let vocabulary { try give(vocabulary, idfWeights) }
  }

  private func check(hasVocabulary: Bool, hasWeights: Bool) throws {
    func refuse(_ message: String) throws { throw TextEncoderError("\(name): \(message)") }
    if settings.numOOVIndices < 0 {
      try refuse("'num_oov_indices' needs a whole number of at least 0; received \(settings.numOOVIndices).")
    }
    if let size = settings.maxTokens {
      if size <= 1 { try refuse("'max_tokens' needs a whole number of at least 2; received \(size).") }
      if size < tokenStart {
        try refuse(
          "'max_tokens' is \(size), but the mask token and the indices of unknown tokens alone are \(tokenStart). "
            + "Make it larger.")
      }
    } else if settings.padToMaxTokens {
      try refuse("'pad_to_max_tokens' needs 'max_tokens'.")
    }
    if settings.invert && settings.outputMode != .int {
      try refuse(
        "'invert' needs 'output_mode: int'; received \(settings.outputMode.rawValue).")
    }
    if hasWeights && settings.outputMode != .tfIDF {
      try refuse("'idf_weights' need 'output_mode: tf_idf'; received \(settings.outputMode.rawValue).")
    }
    if hasWeights != hasVocabulary && settings.outputMode == .tfIDF {
      try refuse("with 'output_mode: tf_idf', 'vocabulary' and 'idf_weights' are given together, or neither.")
    }
    if settings.salt != nil, Token.self == Int.self, settings.oovMethod != .farmhash {
      try refuse("'salt' needs 'oov_method: farmhash'.")
    }
  }

  // MARK: The order of indices

  /// The index of the mask token, where it has one.
  private var oovStart: Int { maskToken != nil && settings.outputMode == .int ? 1 : 0 }
  /// The index of the first token of the vocabulary.
  private var tokenStart: Int { oovStart + settings.numOOVIndices }
  /// The index of the mask token: rows of ones and counts leave it out.
  private var maskIndex: Int32 { settings.outputMode == .int ? 0 : -1 }

  /// The tokens of all indices.
  var allTokens: [Token?] {
    [Token?](repeating: maskToken, count: oovStart) + [Token?](repeating: oovToken, count: settings.numOOVIndices)
      + (tokens ?? [])
  }

  private func special() -> [Token?] { Array(allTokens.prefix(tokenStart)) }

  // MARK: The vocabulary

  /// Takes a vocabulary as users write it: with or without the special tokens in front.
  private mutating func give(_ vocabulary: [Token], _ weights: [Double]?) throws {
    guard !vocabulary.isEmpty else { throw TextEncoderError("\(name): 'vocabulary' is empty.") }
    let hasSpecial = vocabulary.count >= tokenStart && zip(vocabulary, special()).allSatisfy { $0 == $1 }
    let tokens = hasSpecial ? Array(vocabulary.dropFirst(tokenStart)) : vocabulary
    if settings.invert, let oovToken, tokens.contains(oovToken) {
      throw TextEncoderError(
        "\(name): the token for unknown ones, '\(oovToken.text)', is inside 'vocabulary'. Leave it out, or begin with "
          + "the special tokens: \(special().map { $0?.text ?? "" }).")
    }
    var all: [Float]?
    if let weights {
      guard weights.count == vocabulary.count else {
        throw TextEncoderError(
          "\(name): 'idf_weights' needs one number for each token; there are \(weights.count) for "
            + "\(vocabulary.count).")
      }
      let mean = weights.reduce(0, +) / Double(weights.count)
      all = ((hasSpecial ? [] : [Double](repeating: mean, count: tokenStart)) + weights).map { Float($0) }
    }
    try set(tokens, all)
  }

  private mutating func set(_ tokens: [Token], _ weights: [Float]?) throws {
    if let maskToken, tokens.contains(maskToken) {
      throw TextEncoderError(
        "\(name): the mask token '\(maskToken.text)' is inside the vocabulary. Leave it out, or begin with the special "
          + "tokens: \(special().map { $0?.text ?? "" }).")
    }
    let size = tokenStart + tokens.count
    if let limit = settings.maxTokens, size > limit {
      throw TextEncoderError(
        "\(name): the vocabulary has \(size) tokens with the special ones; 'max_tokens' is \(limit).")
    }
    guard size <= Int(Int32.max) else {
      throw TextEncoderError("\(name): the vocabulary has \(size) tokens, too many.")
    }
    if settings.outputMode == .tfIDF, weights?.count != size {
      throw TextEncoderError("\(name): the vocabulary needs \(size) weights for tf_idf.")
    }
    var indices = [Token: Int32](minimumCapacity: tokens.count)
    for (place, token) in tokens.enumerated() {
      guard indices.updateValue(Int32(tokenStart + place), forKey: token) == nil else {
        throw TextEncoderError("\(name): the vocabulary has '\(token.text)' twice.")
      }
    }
    (self.tokens, self.indices) = (tokens, indices)
    idfWeights = settings.outputMode == .tfIDF ? weights : nil
  }

  /// The vocabulary for files.
  var learned: LearnedVocabulary? {
    tokens.map { LearnedVocabulary(tokens: $0.map(\.text), idfWeights: idfWeights) }
  }

  mutating func setLearned(_ vocabulary: LearnedVocabulary) throws {
    let tokens = try vocabulary.tokens.map { text in
      guard let token = Token(text: text) else {
        throw TextEncoderError("\(name): the vocabulary needs whole numbers; received '\(text)'.")
      }
      return token
    }
    try set(tokens, vocabulary.idfWeights)
  }

  /// Takes the most frequent tokens; of those that are as frequent, the last in the order of their bytes or numbers.
  mutating func adapt(to counts: TokenCounts) throws {
    guard !isGiven else {
      throw TextEncoderError("\(name) has a 'vocabulary' of its own and cannot be adapted. Leave out one of the two.")
    }
    let ordered = Token.counts(in: counts).filter { $0.key != maskToken && $0.key != oovToken }
      .sorted { a, b in
        let (first, second) = (a.value.occurrences, b.value.occurrences)
        return first == second ? a.key.precedes(b.key) : first > second
      }
    let room = settings.maxTokens.map { $0 - tokenStart } ?? ordered.count
    let kept = ordered.prefix(room)
    var weights: [Float]?
    if settings.outputMode == .tfIDF {
      let idf = kept.map { Float(log(1 + Double(counts.sampleCount) / Double(1 + $0.value.samples))) }
      let mean = idf.isEmpty ? 0 : Float(idf.reduce(0.0) { $0 + Double($1) } / Double(idf.count))
      weights = [Float](repeating: mean, count: tokenStart) + idf
    }
    try set(kept.map(\.key), weights)
  }

  // MARK: Lookup

  /// The rows that indices become.
  func rows() throws -> CategoryRows {
    guard let tokens else {
      throw TextEncoderError(
        "\(name) has no vocabulary yet. Give it 'vocabulary', or adapt it to the training data first.")
    }
    let size = tokenStart + tokens.count
    let depth = settings.padToMaxTokens ? settings.maxTokens ?? size : size
    let weights = (idfWeights ?? []) + [Float](repeating: 0, count: depth - size)
    return CategoryRows(output: settings.outputMode, depth: depth, weights: weights)
  }

  /// The index of a token, −1 where it is left out.
  /// - Parameters:
  ///   - token: the token; nil if it is missing.
  ///   - empty: what a missing one is without a mask token.
  ///   - sample: the sample that it is in, for errors.
  func index(of token: Token?, empty: @autoclosure () -> Token?, sample: Int) throws -> Int32 {
    if token == maskToken, maskToken != nil { return maskIndex }
    if token == nil, maskToken != nil { return maskIndex }
    guard let token = token ?? empty() else {
      if settings.numOOVIndices > 0 { return Int32(oovStart) }
      throw TextEncoderError(
        "\(name): the value of sample \(sample) is missing. Set 'mask_token', or 'num_oov_indices' to at least 1.")
    }
    if let index = indices[token] { return index }
    switch settings.numOOVIndices {
    case 0:
      throw TextEncoderError(
        "\(name): sample \(sample) has '\(token.text)', which is not among the \(tokens?.count ?? 0) tokens of the "
          + "vocabulary. Set 'num_oov_indices' to at least 1 for unknown tokens.")
    case 1: return Int32(oovStart)
    default: return Int32(oovStart + token.bucket(settings))
    }
  }

  /// The token of an index: the one for unknown tokens where there is none.
  func token(at index: Int) -> Token? {
    if index == 0, oovStart == 1 { return maskToken }
    guard let tokens, index >= tokenStart, index - tokenStart < tokens.count else { return oovToken }
    return tokens[index - tokenStart]
  }
}
