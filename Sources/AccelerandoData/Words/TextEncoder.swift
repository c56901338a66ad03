// Models compute with numbers. What turns words into numbers learns from the training data, stands before the model,
// and is saved beside it: all of this is one protocol, so that data can pass through any of its kinds.

import AccelerandoCore
import AccelerandoFormats

/// Turns text, or whole numbers that stand for things, into arrays of numbers: a preprocessing layer of Keras that is no
/// arithmetic.
///
/// What it learns from the training data it learns in one pass, in any number of parts: `count` them, `merge` the
/// counts, and `adapt` to the result.
///
/// A missing value is no token of its own: it is not counted, and is encoded as the mask token if there is one, and as
/// an empty text otherwise.
public protocol TextEncoder: Sendable {
  /// The name in files, which is Keras': `StringLookup`.
  static var layerName: String { get }
  /// The number of inputs that it reads; nil for any number from two on.
  var inputCount: Int? { get }
  /// What it has learned or was given; nil before, and for one that has nothing to learn.
  var vocabulary: LearnedVocabulary? { get }
  /// Whether it has to be adapted before it can encode.
  var needsAdapting: Bool { get }

  /// Counts what there is to learn from.
  /// - Parameters:
  ///   - inputs: samples, one `Tokens` for each input.
  ///   - counts: where they are counted.
  /// - Throws: `TextEncoderError` for inputs that do not fit.
  func count(_ inputs: [Tokens], into counts: inout TokenCounts) throws

  /// Learns from what was counted; what was learned before is forgotten.
  /// - Throws: `TextEncoderError` when a vocabulary was given with the settings.
  mutating func adapt(to counts: TokenCounts) throws

  /// Takes what was learned before.
  /// - Throws: `TextEncoderError` when it does not fit the settings.
  mutating func setVocabulary(_ vocabulary: LearnedVocabulary) throws

  /// What a sample becomes.
  /// - Parameter shapes: the shapes of a sample of each input, without the axis of the samples: `[]` for a single text.
  /// - Throws: `TextEncoderError` when the size follows from the data: before it is adapted, or for sequences without
  ///   `output_sequence_length`.
  func outputType(of shapes: [[Int]]) throws -> TensorType

  /// The numbers of some samples: `outputType` with the axis of the samples in front.
  /// - Throws: `TextEncoderError` for inputs that do not fit, a token that has no number, or one that is not adapted.
  func encode(_ inputs: [Tokens]) throws -> NDArray
}

extension TextEncoder {
  /// The name in files.
  public var layerName: String { Self.layerName }

  public var inputCount: Int? { 1 }

  /// The numbers of some samples.
  /// - Throws: as `encode(_:)` does.
  public func callAsFunction(_ inputs: Tokens...) throws -> NDArray { try encode(inputs) }

  /// The numbers of texts, one for each sample.
  /// - Throws: as `encode(_:)` does.
  public func callAsFunction(_ texts: [String?]) throws -> NDArray { try encode([Tokens(texts)]) }

  /// Learns from samples.
  /// - Throws: `TextEncoderError` for inputs that do not fit, or when a vocabulary was given with the settings.
  public mutating func adapt(_ inputs: Tokens...) throws {
    var counts = TokenCounts()
    try count(inputs, into: &counts)
    try adapt(to: counts)
  }

  /// Learns from texts, one for each sample.
  /// - Throws: as `adapt(_:)` does.
  public mutating func adapt(_ texts: [String?]) throws { try adapt(Tokens(texts)) }

  /// What was learned, for files; null if nothing.
  package var state: JSON { vocabulary?.json ?? JSON(.null) }

  /// Takes what `state` wrote.
  /// - Throws: `TextEncoderError` when it is something else, or does not fit the settings.
  package mutating func restore(_ state: JSON) throws {
    if case .null = state.value { return }
    try setVocabulary(LearnedVocabulary(json: state))
  }

  /// The only input.
  func input(of inputs: [Tokens]) throws -> Tokens {
    guard inputs.count == 1 else {
      throw TextEncoderError("\(layerName) reads one input; received \(inputs.count).")
    }
    return inputs[0]
  }

  /// The only shape.
  func shape(of shapes: [[Int]]) throws -> [Int] {
    guard shapes.count == 1 else {
      throw TextEncoderError("\(layerName) reads one input; received \(shapes.count).")
    }
    return shapes[0]
  }
}

/// What an encoder has learned: the tokens in the order of their indices, without the mask token and those for unknown
/// ones, which stand before them.
public struct LearnedVocabulary: Hashable, Sendable {
  /// The tokens; whole numbers as decimal text.
  public let tokens: [String]
  /// For `tf_idf`, the weight of each token, those of unknown ones in front; nil otherwise.
  public let idfWeights: [Float]?

  /// Takes tokens and their weights.
  public init(tokens: [String], idfWeights: [Float]? = nil) {
    self.tokens = tokens
    self.idfWeights = idfWeights
  }

  package var json: JSON {
    var members = [("vocabulary", JSON(.array(tokens.map { JSON(.string($0)) })))]
    if let idfWeights {
      members.append(("idf_weights", JSON(.array(idfWeights.map { JSON.number(Double($0)) }))))
    }
    return JSON(members)
  }

  package init(json: JSON) throws {
    let expected = "a learned vocabulary has the texts 'vocabulary', and may have the numbers 'idf_weights'."
    guard case .object(let members) = json.value else { throw TextEncoderError(expected) }
    var tokens: [String]?
    var weights: [Float]?
    for member in members {
      guard case .array(let values) = member.value.value else { throw TextEncoderError(expected) }
      switch member.key {
      case "vocabulary":
        tokens = try values.map {
          guard case .string(let token) = $0.value else { throw TextEncoderError(expected) }
          return token
        }
      case "idf_weights":
        weights = try values.map {
          switch $0.value {
          case .double(let number): return Float(number)
          case .int(let number): return Float(number)
          default: throw TextEncoderError(expected)
          }
        }
      default: throw TextEncoderError(expected)
      }
    }
    guard let tokens else { throw TextEncoderError(expected) }
    self.init(tokens: tokens, idfWeights: weights)
  }
}
