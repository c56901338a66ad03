// The allowed values of a setting, in words and as a check. The reader of a setting states them once; the refusal of a
// wrong value, the listing of the catalogs and the check of settings made in Swift all use them.

import AccelerandoCore

/// A setting that a file may have, as its reader asks for it.
public struct Setting: Hashable, Sendable {
  /// The key.
  public let key: String
  /// What may stand there: `a whole number of at least 1`; empty where the reader does not say.
  public let kind: String
  /// What holds where the key is missing; nil where nothing does.
  public let fallback: Config?
  /// Whether the key has to be there.
  public let isRequired: Bool
  /// What it means, in a sentence; empty where the key says it all.
  public let about: String

  /// Describes a setting.
  public init(_ key: String, kind: String, fallback: Config? = nil, isRequired: Bool = false, about: String = "") {
    self.key = key
    self.kind = kind
    self.fallback = fallback
    self.isRequired = isRequired
    self.about = about
  }
}

extension Setting {
  /// The setting as cells of a table: key, what it needs, default.
  public var cells: [String] {
    let needs = [kind, about].filter { !$0.isEmpty }.joined(separator: ". ")
    return [key, needs, isRequired ? "required" : fallback?.line ?? "none"]
  }
}

extension Config {
  /// The node in one line, as YAML writes it.
  public var line: String {
    switch value {
    case .null: "null"
    case .bool(let flag): "\(flag)"
    case .int(let number): "\(number)"
    case .double(let number): Int(exactly: number).map(String.init) ?? "\(number)"
    case .string(let text): text
    case .array(let values): "[\(values.map(\.line).joined(separator: ", "))]"
    case .object(let entries): "{\(entries.map { "\($0.key): \($0.value.line)" }.joined(separator: ", "))}"
    }
  }
}

/// The numbers that a setting takes. All are finite, in `float32` too.
public struct NumberLimit: Sendable, CustomStringConvertible {
  /// What is allowed: `a number from 0 to 1`.
  public let description: String
  private let allows: @Sendable (Double) -> Bool

  /// Makes a limit.
  /// - Parameters:
  ///   - description: what is allowed, as it follows "needs".
  ///   - allows: whether a finite number is allowed.
  public init(_ description: String, allows: @escaping @Sendable (Double) -> Bool) {
    self.description = description
    self.allows = allows
  }

  /// Whether a number is allowed.
  public func contains(_ number: Double) -> Bool {
    number.magnitude <= Double(Float.greatestFiniteMagnitude) && allows(number)
  }

  /// Every finite number.
  public static let finite = NumberLimit("a finite number") { _ in true }
  /// From 0 to 1.
  public static let fraction = NumberLimit("a number from 0 to 1") { (0...1).contains($0) }
  /// From 0 to below 1.
  public static let belowOne = NumberLimit("a number from 0 to below 1") { (0..<1).contains($0) }
  /// Above 0, at most 1.
  public static let positiveFraction = NumberLimit("a number above 0 and at most 1") { $0 > 0 && $0 <= 1 }
  /// At least 1.
  public static let atLeastOne = NumberLimit("a number of at least 1") { $0 >= 1 }
  /// At most 0.
  public static let notPositive = NumberLimit("a number of at most 0") { $0 <= 0 }
  /// Above 0.
  public static let positive = NumberLimit("a number above 0") { $0 > 0 }
  /// At least 0.
  public static let notNegative = NumberLimit("a number of at least 0") { $0 >= 0 }
}

/// Whole numbers of settings have at most 32 bits; sizes have 31, so that the product of two cannot overflow.
extension ClosedRange<Int> {
  /// All of them.
  public static var wholeNumbers: Self { -Int(UInt32.max)...Int(UInt32.max) }
  /// Those of at least 1.
  public static var counts: Self { 1...Int(Int32.max) }
  /// Those of at least 0.
  public static var notNegative: Self { 0...Int(Int32.max) }

  /// What the range allows, as it follows "needs".
  var words: String {
    let limit = Int(Int32.max)
    switch (lowerBound > -limit, upperBound < limit) {
    case (true, true): return "a whole number from \(lowerBound) to \(upperBound)"
    case (true, false): return "a whole number of at least \(lowerBound)"
    case (false, true): return "a whole number of at most \(upperBound)"
    case (false, false): return "a whole number"
    }
  }

  /// What a number outside of the range misses.
  func words(refusing number: Int) -> String {
    number > upperBound ? "a whole number of at most \(upperBound)" : words
  }
}
