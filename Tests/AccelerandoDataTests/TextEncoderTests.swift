import AccelerandoCore
import AccelerandoFormats
import AccelerandoTestSupport
import Foundation
import Testing

@testable import AccelerandoData

/// A layer that Keras ran on text, and what came out.
struct EncoderGolden: Decodable, Sendable, CustomTestStringConvertible {
  struct Settings: Decodable, Sendable {
    var maxTokens: Int?
    var numOovIndices: Int?
    var maskToken: Cell?
    var vocabulary: [Cell]?
    var idfWeights: [Double]?
    var invert: Bool?
    var outputMode: String?
    var padToMaxTokens: Bool?
    var oovMethod: String?
    var salt: Series<Int>?
    var numBins: Int?
    var maskValue: Cell?
    var standardize: String??
    var split: String??
    var ngrams: Series<Int>?
    var outputSequenceLength: Int?

    enum CodingKeys: String, CodingKey {
      case maxTokens, numOovIndices, maskToken, vocabulary, idfWeights, invert, outputMode, padToMaxTokens
      case oovMethod, salt, numBins, maskValue, standardize, split, ngrams, outputSequenceLength
    }

    init(from decoder: any Decoder) throws {
      let box = try decoder.container(keyedBy: CodingKeys.self)
      func read<Value: Decodable>(_ key: CodingKeys) throws -> Value? {
        try box.decodeIfPresent(Value.self, forKey: key)
      }
      maxTokens = try read(.maxTokens)
      numOovIndices = try read(.numOovIndices)
      maskToken = try read(.maskToken)
      vocabulary = try read(.vocabulary)
      idfWeights = try read(.idfWeights)
      invert = try read(.invert)
      outputMode = try read(.outputMode)
      padToMaxTokens = try read(.padToMaxTokens)
      oovMethod = try read(.oovMethod)
      salt = try read(.salt)
      numBins = try read(.numBins)
      maskValue = try read(.maskValue)
      standardize = box.contains(.standardize) ? .some(try read(.standardize)) : nil
      split = box.contains(.split) ? .some(try read(.split)) : nil
      ngrams = try read(.ngrams)
      outputSequenceLength = try read(.outputSequenceLength)
    }
  }

  /// A text or a number.
  enum Cell: Decodable, Sendable, Equatable {
    case text(String)
    case number(Double)

    init(from decoder: any Decoder) throws {
      let box = try decoder.singleValueContainer()
      if let text = try? box.decode(String.self) {
        self = .text(text)
      } else {
        self = .number(try box.decode(Double.self))
      }
    }

    var text: String {
      switch self {
      case .text(let text): text
      case .number(let number): String(Int(number))
      }
    }

    var isText: Bool {
      if case .text = self { return true }
      return false
    }
  }

  /// A list, or one for all.
  struct Series<Value: Decodable & Sendable>: Decodable, Sendable {
    let values: [Value]

    init(from decoder: any Decoder) throws {
      let box = try decoder.singleValueContainer()
      if let values = try? box.decode([Value].self) {
        self.values = values
      } else {
        values = [try box.decode(Value.self)]
      }
    }
  }

  /// Nested lists of texts or numbers.
  indirect enum Tree: Decodable, Sendable {
    case cell(Cell)
    case list([Tree])

    init(from decoder: any Decoder) throws {
      let box = try decoder.singleValueContainer()
      if let list = try? box.decode([Tree].self) { self = .list(list) } else { self = .cell(try box.decode(Cell.self)) }
    }

    var shape: [Int] {
      guard case .list(let items) = self else { return [] }
      return [items.count] + (items.first?.shape ?? [])
    }

    var cells: [Cell] {
      switch self {
      case .cell(let cell): [cell]
      case .list(let items): items.flatMap(\.cells)
      }
    }

    func tokens() throws -> Tokens {
      if cells.contains(where: \.isText) { return try Tokens(cells.map { $0.text }, shape: shape) }
      return try Tokens(cells.map { Int($0.text) }, shape: shape)
    }
  }

  let kind: String
  let config: Settings
  let adapt: Tree?
  let encode: Tree
  let shape: [Int]
  let output: [Cell]
  let tokens: [String?]?

  var testDescription: String { "\(kind) \(config.outputMode ?? "int") \(shape)" }

  struct Hash: Decodable, Sendable {
    let text: String
    let farm: UInt64
    let sip: UInt64
  }

  struct File: Decodable {
    let hashes: [Hash]
    let cases: [EncoderGolden]
  }

  static let file: File? = {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Goldens/data/encoders.json")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try? decoder.decode(File.self, from: Data(contentsOf: url.standardized))
  }()

  /// The encoder of the case.
  func encoder() throws -> any TextEncoder {
    let mode = CategoryOutput(rawValue: config.outputMode ?? "int") ?? .int
    let salt = config.salt.map { Salt($0.values[0], $0.values.last ?? 0) }
    switch kind {
    case "StringLookup":
      return try StringLookup(
        maxTokens: config.maxTokens, numOOVIndices: config.numOovIndices ?? 1, maskToken: config.maskToken?.text,
        vocabulary: config.vocabulary?.map(\.text), idfWeights: config.idfWeights, invert: config.invert ?? false,
        outputMode: mode, padToMaxTokens: config.padToMaxTokens ?? false, salt: salt)
    case "IntegerLookup":
      return try IntegerLookup(
        maxTokens: config.maxTokens, numOOVIndices: config.numOovIndices ?? 1,
        maskToken: config.maskToken.flatMap { Int($0.text) },
        vocabulary: config.vocabulary?.compactMap { Int($0.text) }, idfWeights: config.idfWeights,
        invert: config.invert ?? false, outputMode: mode, padToMaxTokens: config.padToMaxTokens ?? false,
        oovMethod: .init(rawValue: config.oovMethod ?? "floormod") ?? .floormod, salt: salt)
    case "Hashing":
      return try Hashing(
        numBins: #require(config.numBins), maskValue: config.maskValue?.text, salt: salt, outputMode: mode)
    case "HashedCrossing": return try HashedCrossing(numBins: #require(config.numBins), outputMode: mode)
    case "TextVectorization":
      func choice<Choice: RawRepresentable<String>>(_ word: String??, _ fallback: Choice) -> Choice? {
        word.map { $0.flatMap { Choice(rawValue: $0) } } ?? fallback
      }
      let ngrams = config.ngrams.map { $0.values.count == 1 ? Array(1...$0.values[0]) : $0.values }
      return try TextVectorization(
        maxTokens: config.maxTokens,
        standardize: choice(config.standardize, TextVectorization.Standardization.lowerAndStripPunctuation),
        split: choice(config.split, TextVectorization.Split.whitespace), ngrams: ngrams, outputMode: mode,
        outputSequenceLength: config.outputSequenceLength, padToMaxTokens: config.padToMaxTokens ?? false,
        vocabulary: config.vocabulary?.map(\.text), idfWeights: config.idfWeights)
    default: throw TextEncoderError("no encoder \(kind)")
    }
  }

  /// The inputs of an encoder: several for a cross.
  func inputs(_ tree: Tree) throws -> [Tokens] {
    guard kind == "HashedCrossing", case .list(let columns) = tree else { return [try tree.tokens()] }
    return try columns.map { try $0.tokens() }
  }
}

@Suite struct TextEncoderTests {
  static let goldens = EncoderGolden.file?.cases ?? []

  @Test func goldensAreThere() { #expect(Self.goldens.count >= 80) }

  @Test func hashesAreTensorFlowsForTextOfAnyLength() throws {
    for golden in EncoderGolden.file?.hashes ?? [] {
      let buckets: UInt64 = 1 << 61 - 1
      #expect(FarmHash.fingerprint(golden.text) % buckets == golden.farm, "\(golden.text.utf8.count) bytes")
      let salt = Salt(7, 1 << 62 - 3)
      #expect(SipHash.hash(golden.text, salt: salt) % buckets == golden.sip, "\(golden.text.utf8.count) bytes")
    }
  }

  @Test(arguments: goldens)
  func vocabulariesAndArraysAreKeras(_ golden: EncoderGolden) throws {
    var encoder = try golden.encoder()
    if let adapt = golden.adapt {
      #expect(encoder.needsAdapting)
      // In two parts, as a stream is counted.
      let inputs = try golden.inputs(adapt)
      let middle = (inputs[0].count + 1) / 2
      var (counts, others) = (TokenCounts(), TokenCounts())
      try encoder.count(inputs.map { try $0.rows(0..<middle) }, into: &counts)
      try encoder.count(inputs.map { try $0.rows(middle..<$0.count) }, into: &others)
      counts.merge(others)
      try encoder.adapt(to: counts)
    }
    #expect(!encoder.needsAdapting)
    try check(encoder, golden)
    // What was learned is the same after a file.
    guard encoder.vocabulary != nil else { return }
    var again = try golden.encoder()
    try again.restore(JSON(parsing: Array(encoder.state.text().utf8)))
    #expect(again.vocabulary == encoder.vocabulary)
    try check(again, golden)
  }

  private func check(_ encoder: any TextEncoder, _ golden: EncoderGolden) throws {
    if let tokens = golden.tokens {
      let ours: [String?] =
        switch encoder {
        case let lookup as StringLookup: lookup.allTokens
        case let lookup as IntegerLookup: lookup.allTokens.map { $0.map { String($0) } }
        case let vectorization as TextVectorization: vectorization.allTokens
        default: []
        }
      #expect(ours.map { $0.map { Array($0.utf8) } } == tokens.map { $0.map { Array($0.utf8) } })
    }
    let inputs = try golden.inputs(golden.encode)
    if let lookup = encoder as? StringLookup, lookup.settings.invert {
      let indices = NDArray(golden.encode.cells.compactMap { Int32($0.text) })
      #expect(lookup.decode(indices) == golden.output.map(\.text))
      return
    }
    let array = try encoder.encode(inputs)
    #expect(array.shape == golden.shape)
    if encoder as? TextVectorization == nil || golden.config.outputSequenceLength != nil {
      let type = try encoder.outputType(of: inputs.map { Array($0.shape.dropFirst()) })
      #expect(array.type == TensorType(type.dtype, [inputs[0].count] + type.shape))
    }
    let expected = golden.output.map { cell -> Float in
      if case .number(let number) = cell { return Float(number) }
      return .nan
    }
    for (place, (ours, theirs)) in zip(array.elements(as: Float.self), expected).enumerated() {
      // Means of weights are added in another order, which may change the last digit, and counts multiply it.
      #expect(
        abs(ours - theirs) <= (golden.config.outputMode == "tf_idf" ? 2 * theirs.ulp : 0),
        "element \(place): \(ours), Keras \(theirs)")
    }
  }

  @Test func missingValuesAreNotCountedAndHaveTheMaskTokensIndex() throws {
    var lookup = try StringLookup(maskToken: "?")
    try lookup.adapt(["a", nil, "b", "a", nil, nil])
    #expect(lookup.allTokens == ["?", "[UNK]", "a", "b"])
    #expect(try lookup([nil, "?", "x", "b"]).elements(as: Int32.self) == [0, 0, 1, 3])
    var plain = try StringLookup()
    try plain.adapt(["a", nil, nil])
    #expect(try plain([nil, "", "a"]).elements(as: Int32.self) == [0, 0, 1])
    #expect(try StringLookup(vocabulary: ["a", ""])([nil, "a"]).elements(as: Int32.self) == [2, 1])
    let numbers = try IntegerLookup(maskToken: -9, vocabulary: [5])
    #expect(try numbers(Tokens([nil, 5, 4])).elements(as: Int32.self) == [0, 2, 1])
    #expect(
      try TextVectorization(outputSequenceLength: 2, vocabulary: ["a"])([nil, "a"]).elements(as: Int32.self) == [
        0, 0, 2, 0,
      ])
    #expect(try Hashing(numBins: 9, maskValue: "m")([nil, "m"]).elements(as: Int32.self) == [0, 0])
  }

  @Test func accentsThatSwiftTakesForTheSameAreDifferentTokens() throws {
    let lookup = try StringLookup(vocabulary: ["é", "e\u{301}"])
    #expect(try lookup(["e\u{301}", "é"]).elements(as: Int32.self) == [2, 1])
  }

  @Test func settingsThatDoNotGoTogetherAreRefused() throws {
    func refuses(_ word: String, _ body: () throws -> Void) {
      do {
        try body()
        Issue.record("\(word) was accepted")
      } catch { #expect("\(error)".contains(word), "\(error)") }
    }
    refuses("max_tokens") { _ = try StringLookup(maxTokens: 1) }
    refuses("max_tokens") { _ = try StringLookup(maxTokens: 2, numOOVIndices: 5) }
    refuses("max_tokens") { _ = try StringLookup(padToMaxTokens: true) }
    refuses("invert") { _ = try StringLookup(invert: true, outputMode: .count) }
    refuses("idf_weights") { _ = try StringLookup(vocabulary: ["a"], outputMode: .tfIDF) }
    refuses("idf_weights") { _ = try StringLookup(vocabulary: ["a"], idfWeights: [1]) }
    refuses("one number for each") { _ = try StringLookup(vocabulary: ["a"], idfWeights: [1, 2], outputMode: .tfIDF) }
    refuses("twice") { _ = try StringLookup(vocabulary: ["a", "b", "a"]) }
    refuses("empty") { _ = try StringLookup(vocabulary: []) }
    refuses("mask token") { _ = try StringLookup(maskToken: "m", vocabulary: ["a", "m"]) }
    refuses("max_tokens") { _ = try StringLookup(maxTokens: 2, vocabulary: ["a", "b"]) }
    refuses("salt") { _ = try IntegerLookup(numOOVIndices: 2, salt: Salt(1)) }
    refuses("num_bins") { _ = try Hashing(numBins: 0) }
    refuses("output_mode") { _ = try HashedCrossing(numBins: 3, outputMode: .count) }
    refuses("output_mode") { _ = try TextVectorization(outputMode: .oneHot) }
    refuses("output_sequence_length") { _ = try TextVectorization(outputMode: .count, outputSequenceLength: 3) }
    refuses("ngrams") { _ = try TextVectorization(ngrams: [0]) }
  }

  @Test func whatCannotBeEncodedSaysWhyAndWhichSample() throws {
    func refuses(_ words: String..., body: () throws -> Void) {
      do {
        try body()
        Issue.record("\(words) was accepted")
      } catch { for word in words { #expect("\(error)".contains(word), "\(error)") } }
    }
    refuses("sample 1", "'x'", "num_oov_indices") {
      _ = try StringLookup(numOOVIndices: 0, vocabulary: ["a"])(Tokens(["a", "x"]))
    }
    refuses("sample 1", "missing") { _ = try IntegerLookup(numOOVIndices: 0, vocabulary: [4])(Tokens([4, nil])) }
    refuses("adapt") { _ = try StringLookup()(["a"]) }
    refuses("sample 2", "'x'") { _ = try IntegerLookup(vocabulary: [1])(Tokens(["1", "2", "x"])) }
    refuses("one text for a sample") {
      _ = try TextVectorization(vocabulary: ["a"])(Tokens(["a", "b"], shape: [1, 2]))
    }
    refuses("output_sequence_length") { _ = try TextVectorization(vocabulary: ["a"]).outputType(of: [[]]) }
    refuses("two inputs") { _ = try HashedCrossing(numBins: 3)(Tokens(["a"])) }
    refuses("as many samples") { _ = try HashedCrossing(numBins: 3)(Tokens(["a"]), Tokens(["a", "b"])) }
    refuses("decode") { _ = try StringLookup(vocabulary: ["a"], invert: true)(["a"]) }
    refuses("of its own") {
      var lookup = try StringLookup(vocabulary: ["a"])
      try lookup.adapt(["b"])
    }
    refuses("shape [1, 2, 1]") {
      _ = try StringLookup(vocabulary: ["a"], outputMode: .count)(Tokens(["a", "b"], shape: [1, 1, 2, 1]))
    }
  }

  @Test func damagedStatesAreRefusedOrRead() throws {
    var trained = try StringLookup(outputMode: .tfIDF)
    try trained.adapt(["red", "green", "red", "blue"])
    let original = Array(trained.state.text().utf8)
    var random = RandomSource(seed: 15)
    var refused = 0
    for _ in 0..<Mutation.rounds {
      let damaged = Mutation.damaged(original, words: Mutation.jsonWords, using: &random)
      var encoder = try StringLookup(outputMode: .tfIDF)
      do {
        try encoder.restore(JSON(parsing: damaged))
        if !encoder.needsAdapting { _ = try encoder(["red", "x"]) }
      } catch { refused += 1 }
    }
    #expect(refused > Mutation.rounds / 10)
  }
}
