// The layers of a recipe that read text. They are no part of the model, whose inputs are numbers, but of the data; in a
// recipe they stand where Keras has them, at the front.

import AccelerandoData
import AccelerandoFormats
import AccelerandoNN
import Foundation

extension Catalog where Item == any TextEncoder {
  /// The encoders that recipes may name.
  /// - Parameter directory: the directory that files of vocabularies are relative to.
  public static func textEncoders(in directory: URL) -> Catalog {
    Catalog("encoder")
      .adding("StringLookup", "Text to indices of a vocabulary, which is given or learned from the training data.") {
        let lookup = try LookupConfig($0, directory)
        let (mask, oov) = ($0.plainText("mask_token", "a text"), $0.plainText("oov_token", "a text", default: "[UNK]"))
        return try $0.encoder {
          try StringLookup(
            maxTokens: lookup.maxTokens, numOOVIndices: lookup.numOOVIndices, maskToken: mask, oovToken: oov,
            vocabulary: lookup.vocabulary, idfWeights: lookup.idfWeights, invert: lookup.invert,
            outputMode: lookup.outputMode, padToMaxTokens: lookup.padToMaxTokens, salt: lookup.salt)
        }
      }
      .adding(
        "IntegerLookup", "Whole numbers to indices of a vocabulary, which is given or learned from the training data."
      ) {
        let lookup = try LookupConfig($0, directory)
        let reader = $0
        let vocabulary = try lookup.vocabulary?.map { text in
          guard let number = Int(text) else { throw reader.refused("vocabulary", "a list of whole numbers") }
          return number
        }
        let mask = try $0.optionalInt("mask_token", in: Int.min...Int.max)
        let oov = try $0.int("oov_token", default: -1, in: Int.min...Int.max)
        let method = try $0.choice("oov_method", default: LookupSettings.OOVMethod.floormod)
        return try $0.encoder {
          try IntegerLookup(
            maxTokens: lookup.maxTokens, numOOVIndices: lookup.numOOVIndices, maskToken: mask, oovToken: oov,
            vocabulary: vocabulary, idfWeights: lookup.idfWeights, invert: lookup.invert,
            outputMode: lookup.outputMode, padToMaxTokens: lookup.padToMaxTokens, oovMethod: method, salt: lookup.salt)
        }
      }
      .adding("Hashing", "Text or whole numbers to bins, by a hash: nothing is learned.") {
        let bins = try $0.int("num_bins", in: .counts, about: "The number of bins, the one of mask_value included")
        let mask = $0.plainText("mask_value", "a text or a whole number", about: "What has bin 0 for itself")
        let salt = try $0.salt()
        let mode = try $0.choice("output_mode", default: CategoryOutput.int, among: [.int, .oneHot, .multiHot, .count])
        return try $0.encoder { try Hashing(numBins: bins, maskValue: mask, salt: salt, outputMode: mode) }
      }
      .adding("HashedCrossing", "Combinations of several inputs to bins, by a hash.") {
        let bins = try $0.int("num_bins", in: .counts, about: "The number of bins")
        let mode = try $0.choice("output_mode", default: CategoryOutput.int, among: [.int, .oneHot])
        return try $0.encoder { try HashedCrossing(numBins: bins, outputMode: mode) }
      }
      .adding("TextVectorization", "Texts to the indices of their words, or to rows of counts.") {
        let reader = $0
        let size = try $0.optionalInt(
          "max_tokens", in: .counts, about: "The largest size of the vocabulary, with the special tokens")
        let standardize = try $0.optionalChoice(
          "standardize", default: TextVectorization.Standardization.lowerAndStripPunctuation)
        let split = try $0.optionalChoice("split", default: TextVectorization.Split.whitespace)
        let ngrams = try $0.ngrams()
        let mode = try $0.choice("output_mode", default: CategoryOutput.int, among: [.int, .multiHot, .count, .tfIDF])
        let length = try $0.optionalInt(
          "output_sequence_length", in: .counts, about: "The number of indices of a text: longer ones are cut")
        let pads = try $0.bool("pad_to_max_tokens", default: false, about: "Whether rows are max_tokens long")
        let vocabulary = try $0.vocabulary(in: directory)
        let weights = try $0.idfWeights()
        try $0.refuseSparse()
        return try reader.encoder {
          try TextVectorization(
            maxTokens: size, standardize: standardize, split: split, ngrams: ngrams, outputMode: mode,
            outputSequenceLength: length, padToMaxTokens: pads, vocabulary: vocabulary, idfWeights: weights)
        }
      }
  }
}

/// The settings that StringLookup and IntegerLookup share.
private struct LookupConfig {
  let maxTokens: Int?
  let numOOVIndices: Int
  let vocabulary: [String]?
  let idfWeights: [Double]?
  let invert: Bool
  let outputMode: CategoryOutput
  let padToMaxTokens: Bool
  let salt: Salt?

  init(_ reader: ConfigReader, _ directory: URL) throws {
    maxTokens = try reader.optionalInt(
      "max_tokens", in: .counts, about: "The largest size of the vocabulary, with the special tokens")
    numOOVIndices = try reader.int(
      "num_oov_indices", default: 1, in: .notNegative, about: "The number of indices for unknown tokens")
    vocabulary = try reader.vocabulary(in: directory)
    idfWeights = try reader.idfWeights()
    invert = try reader.bool("invert", default: false, about: "Whether indices become tokens")
    outputMode = try reader.choice("output_mode", default: CategoryOutput.int)
    padToMaxTokens = try reader.bool("pad_to_max_tokens", default: false, about: "Whether rows are max_tokens long")
    salt = try reader.salt()
    try reader.refuseSparse()
  }
}

extension ConfigReader {
  /// The encoder that is made of what was read, its errors with the line of the settings.
  fileprivate func encoder(_ make: () throws -> any TextEncoder) throws -> any TextEncoder {
    _ = try optionalString("name", about: "The layer's name")
    do { return try make() } catch let error as TextEncoderError {
      throw ConfigError(error.message, at: config.location)
    }
  }

  /// A text, or a number as text.
  fileprivate func plainText(
    _ key: String, _ kind: String, default fallback: String? = nil, about: String = ""
  ) -> String? {
    guard let value = value(key, kind: kind, default: fallback.map { Config(.string($0)) }, about: about) else {
      return fallback
    }
    return value.word
  }

  /// One of several words, or null for none of them.
  fileprivate func optionalChoice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, default fallback: Choice
  ) throws -> Choice? where Choice.RawValue == String {
    let choice = try choice(key, default: fallback, about: "Or null for nothing of it")
    // A null is no value to other readers, and takes their default.
    if case .null? = config[key]?.value { return nil }
    return choice
  }

  /// The tokens of `vocabulary`: a list, or the path of a file with one on each line.
  fileprivate func vocabulary(in directory: URL) throws -> [String]? {
    let kind = "a list of tokens, or the path of a file with one on each line"
    guard let value = value("vocabulary", kind: kind, about: "Without it, it is learned from the training data") else {
      return nil
    }
    switch value.value {
    case .array(let tokens):
      return try tokens.map { token in
        guard let word = token.word else { throw refused("vocabulary", kind) }
        return word
      }
    case .string(let path):
      let lines = try TextFile.lines(URL(fileURLWithPath: path, relativeTo: directory))
      return lines.last == "" ? lines.dropLast() : lines
    default: throw refused("vocabulary", kind)
    }
  }

  fileprivate func idfWeights() throws -> [Double]? {
    guard value("idf_weights", kind: "a list of numbers", about: "With a vocabulary and tf_idf") != nil else {
      return nil
    }
    return try doubles("idf_weights")
  }

  /// The key of a hash: one number or two.
  fileprivate func salt() throws -> Salt? {
    let kind = "a whole number or a list of two"
    guard let value = value("salt", kind: kind, about: "The key of the hash") else { return nil }
    switch value.value {
    case .int(let number): return Salt(number)
    case .array(let numbers):
      if numbers.count == 2, case .int(let first) = numbers[0].value, case .int(let second) = numbers[1].value {
        return Salt(first, second)
      }
    default: break
    }
    throw refused("salt", kind)
  }

  /// The numbers of words of a token: 3 stands for 1, 2 and 3.
  fileprivate func ngrams() throws -> [Int]? {
    let kind = "a whole number or a list of them"
    guard let value = value("ngrams", kind: kind, about: "The numbers of words that make a token; 2 says [1, 2]") else {
      return nil
    }
    if case .int(let width) = value.value {
      guard (1...1000).contains(width) else { throw refused("ngrams", "a whole number from 1 to 1000") }
      return Array(1...width)
    }
    return try ints("ngrams", default: [], in: 1...1000)
  }

  /// Arrays of ours are dense, and rows of one array have one length.
  fileprivate func refuseSparse() throws {
    for key in ["sparse", "ragged"] {
      if try bool(key, default: false, about: "Only false: arrays are dense here") {
        throw refused(key, "false: arrays are dense here")
      }
    }
    let encoding = try string(
      "encoding", default: "utf-8", about: "Only utf-8: sources convert texts of other encodings")
    guard ["utf-8", "utf8"].contains(encoding.lowercased()) else { throw refused("encoding", "utf-8") }
  }
}

extension Config {
  /// A text, or a number or truth value as YAML writes it.
  var word: String? {
    switch value {
    case .string(let text): text
    case .int(let number): String(number)
    case .bool(let flag): flag ? "true" : "false"
    case .double(let number): "\(number)"
    default: nil
    }
  }
}
