// Reads settings with types and limits, and detects settings that were never read: a misspelt key must not silently be
// ignored. The reads are recorded, so that a catalog can list the settings of its kinds by letting them read.

import AccelerandoCore

/// Reads the settings of one object. After reading, `finish()` refuses keys that were never read.
public final class ConfigReader {
  /// The object that is read.
  public let config: Config
  /// What the settings are of, for errors: `Dense`.
  public let subject: String
  /// The layers that the settings may name.
  public let layerCatalog: LayerCatalog
  /// What was asked for so far, in order.
  public private(set) var settings: [Setting] = []
  private let entries: [Config.Entry]
  /// Whether nothing is read but what is asked for: settings that have to be there are made up.
  package let isDescribing: Bool
  /// The layers that those inside may refer to.
  let reading: LayerReading

  /// Prepares to read an object; nothing (`null`) counts as an object without keys.
  /// - Throws: `ConfigError` when it is no object.
  public convenience init(_ config: Config, subject: String, layerCatalog: LayerCatalog = LayerCatalog()) throws {
    try self.init(config, subject: subject, layerCatalog: layerCatalog, reading: LayerReading())
  }

  init(_ config: Config, subject: String, layerCatalog: LayerCatalog, reading: LayerReading) throws {
    self.reading = reading
    self.config = config
    self.subject = subject
    self.layerCatalog = layerCatalog
    isDescribing = false
    switch config.value {
    case .object(let entries): self.entries = entries
    case .null: entries = []
    default:
      throw ConfigError("\(subject) needs an object of settings; received \(config.summary).", at: config.location)
    }
  }

  /// Prepares to find out which settings something has: it reads as usual, and `settings` tells afterwards.
  public init(describing subject: String) {
    config = Config(.object([]))
    self.subject = subject
    layerCatalog = LayerCatalog()
    reading = LayerReading()
    isDescribing = true
    entries = []
  }

  /// The setting as it stands; nil if there is none, or if it is `null`.
  public func value(_ key: String) -> Config? {
    note(key, "")
    guard let value = entries.first(where: { $0.key == key })?.value, value.value != .null else { return nil }
    return value
  }

  /// The setting as it is, for readers that accept more than one form of it.
  /// - Parameters:
  ///   - key: the setting's name.
  ///   - kind: the allowed values, in words that follow "needs".
  ///   - fallback: the default.
  ///   - about: what the setting means, for the reference.
  public func value(_ key: String, kind: String, default fallback: Config? = nil, about: String = "") -> Config? {
    note(key, kind, fallback, about: about)
    return value(key)
  }

  /// Whether the key is there.
  public func has(_ key: String) -> Bool { value(key) != nil }

  /// A setting that has to be there.
  /// - Throws: `ConfigError` when it is not.
  public func required(_ key: String, kind: String = "", about: String = "") throws -> Config {
    note(key, kind, isRequired: true, about: about)
    if let value = value(key) { return value }
    if isDescribing { return Config(.null) }
    throw missing(key)
  }

  /// Notes that a key was asked for. Who asks first and says what may stand there is believed.
  private func note(
    _ key: String, _ kind: String, _ fallback: Config? = nil, isRequired: Bool = false, about: String = ""
  ) {
    let setting = Setting(key, kind: kind, fallback: fallback, isRequired: isRequired, about: about)
    if let place = settings.firstIndex(where: { $0.key == key }) {
      if settings[place].kind.isEmpty { settings[place] = setting }
    } else {
      settings.append(setting)
    }
  }

  /// What to throw for a setting that has to be there and is not: it may just be misspelt.
  private func missing(_ key: String) -> ConfigError {
    let others = entries.filter { entry in !settings.contains { $0.key == entry.key } }
    guard let near = nearestWord(to: key, among: others.map(\.key)), let entry = others.first(where: { $0.key == near })
    else {
      return ConfigError("\(subject) needs the setting '\(key)'.", at: config.location)
    }
    return ConfigError(
      "\(subject) needs the setting '\(key)'; did you mean it by '\(near)'?",
      at: entry.location ?? entry.value.location)
  }

  /// Refuses settings that were never asked for.
  /// - Throws: `ConfigError` naming the first unknown key and the nearest known one.
  public func finish() throws {
    let known = settings.map(\.key)
    for entry in entries where !known.contains(entry.key) {
      let nearest = nearestWord(to: entry.key, among: known).map { "; did you mean '\($0)'?" } ?? "."
      let list = known.isEmpty ? "It has no settings." : "Known: \(known.joined(separator: ", "))."
      throw ConfigError(
        "\(subject) has no setting '\(entry.key)'\(nearest) \(list)", at: entry.location ?? entry.value.location)
    }
  }

  /// The error for an invalid setting.
  /// - Parameters:
  ///   - key: the setting's name.
  ///   - expected: the allowed values, in words that follow "needs".
  public func refused(_ key: String, _ expected: String) -> ConfigError {
    complaint(key, expected, value(key) ?? Config(.null))
  }

  /// The subject before a complaint; a trace knows without it where it is.
  private var place: String { subject.isEmpty ? "" : "\(subject): " }

  func complaint(_ key: String, _ expected: String, _ received: Config) -> ConfigError {
    ConfigError(
      "\(place)'\(key)' needs \(expected); received \(received.summary).",
      at: received.location ?? config.location)
  }

  /// A setting that has to be there, read by a function; while settings are only described, `sample` stands for it.
  func required<Value>(
    _ key: String, _ kind: String, sample: Value, about: String = "", _ read: (Config) throws -> Value
  ) throws -> Value {
    note(key, kind, isRequired: true, about: about)
    return isDescribing ? sample : try read(try required(key))
  }

  // MARK: Numbers

  /// A whole number.
  public func int(_ key: String, in range: ClosedRange<Int> = .wholeNumbers, about: String = "") throws -> Int {
    try required(key, range.words, sample: min(max(1, range.lowerBound), range.upperBound), about: about) {
      try int(key, $0, range)
    }
  }

  /// A whole number, or `fallback` where it is not set.
  public func int(
    _ key: String, default fallback: Int, in range: ClosedRange<Int> = .wholeNumbers, about: String = ""
  ) throws -> Int {
    note(key, range.words, Config(.int(fallback)), about: about)
    return try optionalInt(key, in: range) ?? fallback
  }

  /// A whole number, if it is set.
  public func optionalInt(
    _ key: String, in range: ClosedRange<Int> = .wholeNumbers, about: String = ""
  ) throws -> Int? {
    note(key, range.words, about: about)
    return try value(key).map { try int(key, $0, range) }
  }

  private func int(_ key: String, _ value: Config, _ range: ClosedRange<Int>) throws -> Int {
    let number: Int?
    switch value.value {
    case .int(let integer): number = integer
    case .double(let real): number = Int(exactly: real)
    default: number = nil
    }
    guard let number else { throw complaint(key, range.words, value) }
    guard range.contains(number) else { throw complaint(key, range.words(refusing: number), value) }
    return number
  }

  /// A number.
  public func double(_ key: String, in limit: NumberLimit = .finite, about: String = "") throws -> Double {
    try required(key, limit.description, sample: 0.5, about: about) { try double(key, $0, limit) }
  }

  /// A number, or `fallback` where it is not set.
  public func double(
    _ key: String, default fallback: Double, in limit: NumberLimit = .finite, about: String = ""
  ) throws -> Double {
    note(key, limit.description, Config(.double(fallback)), about: about)
    return try optionalDouble(key, in: limit) ?? fallback
  }

  /// A number, if it is set.
  public func optionalDouble(_ key: String, in limit: NumberLimit = .finite, about: String = "") throws -> Double? {
    note(key, limit.description, about: about)
    return try value(key).map { try double(key, $0, limit) }
  }

  private func double(_ key: String, _ value: Config, _ limit: NumberLimit) throws -> Double {
    let number: Double
    switch value.value {
    case .int(let integer): number = Double(integer)
    case .double(let real): number = real
    default: throw complaint(key, limit.description, value)
    }
    guard limit.contains(number) else { throw complaint(key, limit.description, value) }
    return number
  }

  // MARK: Words

  /// True or false, or `fallback` where it is not set.
  public func bool(_ key: String, default fallback: Bool, about: String = "") throws -> Bool {
    note(key, "true or false", Config(.bool(fallback)), about: about)
    guard let value = value(key) else { return fallback }
    if case .bool(let flag) = value.value { return flag }
    throw complaint(key, "true or false", value)
  }

  /// A text.
  public func string(_ key: String, about: String = "") throws -> String {
    try required(key, "a text", sample: "", about: about) { try string(key, $0) }
  }

  /// A text, or `fallback` where it is not set.
  public func string(_ key: String, default fallback: String, about: String = "") throws -> String {
    note(key, "a text", Config(.string(fallback)), about: about)
    return try optionalString(key) ?? fallback
  }

  /// A text, if it is set.
  public func optionalString(_ key: String, about: String = "") throws -> String? {
    note(key, "a text", about: about)
    return try value(key).map { try string(key, $0) }
  }

  private func string(_ key: String, _ value: Config) throws -> String {
    if case .string(let text) = value.value { return text }
    throw complaint(key, "a text", value)
  }

  /// One of the words that the cases of an enumeration are written as.
  public func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, default fallback: Choice? = nil, among choices: [Choice] = Array(Choice.allCases), about: String = ""
  ) throws -> Choice where Choice.RawValue == String {
    let words = choices.map(\.rawValue)
    let kind = "one of \(words.joined(separator: ", "))"
    note(
      key, kind, fallback.map { Config(.string($0.rawValue)) }, isRequired: fallback == nil, about: about)
    guard let value = value(key) else {
      if let fallback { return fallback }
      if isDescribing, let first = choices.first { return first }
      throw missing(key)
    }
    guard case .string(let word) = value.value else { throw complaint(key, kind, value) }
    let known = [word, word.lowercased()].compactMap { word in choices.first { $0.rawValue == word } }
    if let choice = known.first { return choice }
    let nearest = nearestWord(to: word, among: words).map { " Did you mean '\($0)'?" } ?? ""
    throw ConfigError(
      "\(place)'\(key)' needs \(kind); received \(value.summary).\(nearest)",
      at: value.location ?? config.location)
  }

  // MARK: Lists

  /// A list.
  public func array(_ key: String, kind: String = "a list", about: String = "") throws -> [Config] {
    try required(key, kind, sample: [], about: about) { value in
      guard case .array(let values) = value.value else { throw complaint(key, kind, value) }
      return values
    }
  }

  /// A list of whole numbers.
  public func ints(_ key: String, in range: ClosedRange<Int> = .wholeNumbers) throws -> [Int] {
    try array(key, kind: "a list of whole numbers").map { try int(key, $0, range) }
  }

  /// A list of whole numbers, or a single number, or `fallback` if it is not set.
  public func ints(
    _ key: String, default fallback: [Int], in range: ClosedRange<Int> = .wholeNumbers
  ) throws -> [Int] {
    note(key, "a whole number or a list of them", fallback.isEmpty ? nil : .ints(fallback))
    guard let value = value(key) else { return fallback }
    if case .array(let values) = value.value { return try values.map { try int(key, $0, range) } }
    return [try int(key, value, range)]
  }

  /// A list of numbers.
  public func doubles(_ key: String, in limit: NumberLimit = .finite) throws -> [Double] {
    let values = try array(key, kind: "a list of numbers")
    return isDescribing ? [0.5] : try values.map { try double(key, $0, limit) }
  }

  /// Sizes, one for each of `rank` axes: a list of whole numbers of at least 1, or one for all.
  public func sizes(_ key: String, rank: Int, default fallback: [Int]? = nil) throws -> [Int] {
    note(key, Self.sizesKind(rank), fallback.map { .ints($0) }, isRequired: fallback == nil)
    if let sizes = try optionalSizes(key, rank: rank) ?? fallback { return sizes }
    if isDescribing { return [Int](repeating: 1, count: rank) }
    throw missing(key)
  }

  /// Sizes, one for each of `rank` axes, if they are set.
  public func optionalSizes(_ key: String, rank: Int) throws -> [Int]? {
    note(key, Self.sizesKind(rank))
    guard let value = value(key) else { return nil }
    guard case .array(let values) = value.value else {
      return [Int](repeating: try int(key, value, .counts), count: rank)
    }
    guard values.count == rank else { throw complaint(key, Self.sizesKind(rank), value) }
    return try values.map { try int(key, $0, .counts) }
  }

  /// Two sizes: a list of two whole numbers of at least 1, or one for both.
  public func pair(_ key: String, default fallback: (Int, Int)? = nil) throws -> (Int, Int) {
    let sizes = try sizes(key, rank: 2, default: fallback.map { [$0.0, $0.1] })
    return (sizes[0], sizes[1])
  }

  /// Two sizes, if they are set.
  public func optionalPair(_ key: String) throws -> (Int, Int)? {
    try optionalSizes(key, rank: 2).map { ($0[0], $0[1]) }
  }

  private static func sizesKind(_ rank: Int) -> String { "a whole number of at least 1, or a list of \(rank)" }

  /// Margins at both ends of each of `rank` axes: a whole number for all, a list with one for each axis, or a list with a
  /// list of two for each axis. On one axis, a list of two numbers has one for each end.
  func margins(_ key: String, rank: Int, default fallback: Int) throws -> [Margin] {
    let each =
      rank == 1
      ? "a whole number or [start, end]"
      : "a whole number, a list of \(rank), or a list of \(rank) pairs [start, end]"
    let kind = "\(each), each of at least 0 and at most \(Int32.max)"
    let value = value(key, kind: kind, default: Config(.int(fallback))) ?? Config(.int(fallback))
    func margin(_ node: Config) throws -> Int {
      guard case .int(let margin) = node.value, ClosedRange.notNegative.contains(margin) else {
        throw complaint(key, kind, value)
      }
      return margin
    }
    func ends(_ node: Config) throws -> Margin {
      guard case .array(let ends) = node.value else { return Margin(try margin(node), try margin(node)) }
      guard ends.count == 2 else { throw complaint(key, kind, value) }
      return Margin(try margin(ends[0]), try margin(ends[1]))
    }
    guard case .array(let axes) = value.value else { return [Margin](repeating: try ends(value), count: rank) }
    if rank == 1, axes.count == 2 { return [try ends(value)] }
    guard axes.count == rank else { throw complaint(key, kind, value) }
    return try axes.map(ends)
  }
}
