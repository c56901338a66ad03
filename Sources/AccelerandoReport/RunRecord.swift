// What a training run left in its directory, as far as files say it: the recipe's text and the numbers of every epoch. No model is
// needed to read it, so curves of any run can be drawn, also of one whose model this version cannot load.

import AccelerandoFormats
import Foundation

/// The record of a training run.
public struct RunRecord: Sendable {
  /// The numbers of one epoch.
  public struct Epoch: Sendable, Hashable {
    /// The epoch, from 1.
    public var number: Int
    /// The number of steps.
    public var steps: Int
    /// The time of training in seconds, without validation.
    public var seconds: Double
    /// The losses and metrics by name: `loss`, `val_accuracy`. NaN where a number was not finite.
    public var numbers: [String: Double]

    /// Makes the record of an epoch.
    public init(number: Int, steps: Int, seconds: Double, numbers: [String: Double]) {
      (self.number, self.steps, self.seconds, self.numbers) = (number, steps, seconds, numbers)
    }
  }

  /// What the run is called: the path of its directory, as it was given.
  public var name: String
  /// The name of its recipe.
  public var recipeName: String
  /// The recipe's text.
  public var recipe: String
  /// The seed of all randomness.
  public var seed: String
  /// The number of samples in a step.
  public var batchSize: Int
  /// The digest of the trained weights.
  public var digest: String
  /// The arguments that the run was begun with; empty where they are not known.
  public var arguments: [String]
  /// The epochs, in order.
  public var epochs: [Epoch]

  /// Makes a record of what is already known.
  public init(
    name: String, recipeName: String = "", recipe: String = "", seed: String = "0", batchSize: Int = 32,
    digest: String = "", arguments: [String] = [], epochs: [Epoch]
  ) {
    (self.name, self.recipeName, self.recipe, self.seed) = (name, recipeName, recipe, seed)
    (self.batchSize, self.digest, self.arguments, self.epochs) = (batchSize, digest, arguments, epochs)
  }

  /// The names of the numbers, those of training first, then validation's without `val_`: each once.
  public var numberNames: [String] {
    let names = Set(epochs.flatMap(\.numbers.keys).map { $0.hasPrefix("val_") ? String($0.dropFirst(4)) : $0 })
    return names.sorted { ($0 == "loss" ? 0 : 1, $0) < ($1 == "loss" ? 0 : 1, $1) }
  }

  /// The time of training in seconds.
  public var seconds: Double { epochs.reduce(0) { $0 + $1.seconds } }
}

extension RunRecord {
  /// The files of a run's directory.
  static let recordFile = "training.json"
  static let recipeFile = "recipe.yaml"

  /// Reads the record of a run.
  /// - Parameter directory: the path of the directory that `train --output` was given.
  /// - Throws: `FormatError` when it is not there, is not the directory of a run, or its files are damaged.
  public init(directory: String) throws {
    let url = URL(fileURLWithPath: directory, isDirectory: true)
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory) else {
      throw FormatError(
        file: directory, reason: "does not exist",
        remedy: "Name the directory that 'accelerando train --output' was given")
    }
    let missing = [Self.recordFile, Self.recipeFile].filter {
      !FileManager.default.fileExists(atPath: url.appendingPathComponent($0).path)
    }
    guard isDirectory.boolValue, missing.isEmpty else {
      throw FormatError(
        file: directory,
        reason: isDirectory.boolValue
          ? "is not the directory of a finished run: it has no \(missing.joined(separator: " and no "))"
          : "is a file and not the directory of a run",
        remedy: "Name the directory that 'accelerando train --output' was given")
    }
    let file = url.appendingPathComponent(Self.recordFile)
    let record = RecordReader(try Self.json(file), file: file.path)
    self.init(
      name: directory, recipeName: try record.string("recipe"),
      recipe: try Self.text(url.appendingPathComponent(Self.recipeFile)), seed: try record.string("seed"),
      batchSize: try record.int("batch_size"), digest: try record.string("weights_sha256"),
      arguments: Self.arguments(url), epochs: try record.array("epochs").map(Self.epoch))
  }

  private static func epoch(_ entry: RecordReader) throws -> Epoch {
    var numbers: [String: Double] = [:]
    for member in try entry.members() where !["epoch", "steps", "seconds"].contains(member.key) {
      // A metric with the name of another number was written with this prefix.
      let prefix = "metric:"
      let name = member.key.hasPrefix(prefix) ? String(member.key.dropFirst(prefix.count)) : member.key
      numbers[name] = try entry.number(member.key)
    }
    return Epoch(
      number: try entry.int("epoch"), steps: try entry.int("steps"), seconds: try entry.number("seconds"),
      numbers: numbers)
  }

  /// The arguments that the run was begun with, which are kept with its checkpoints; none where they cannot be read.
  private static func arguments(_ run: URL) -> [String] {
    let file = run.appendingPathComponent("checkpoints/command.json")
    guard FileManager.default.fileExists(atPath: file.path),
      let record = try? RecordReader(json(file), file: file.path), let words = try? record.strings("arguments")
    else { return [] }
    let command = (try? record.string("command")) ?? "train"
    return [command] + words
  }

  static func text(_ url: URL) throws -> String {
    try FileContents(url).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
  }

  static func json(_ url: URL) throws -> JSON {
    let bytes = try FileContents(url).withUnsafeBytes { Array($0) }
    do {
      return try JSON(parsing: bytes)
    } catch let error as JSONError {
      throw FormatError(
        file: url.path, offset: error.offset, reason: "is not the JSON expected: \(error.message)",
        remedy: "The file is damaged")
    }
  }
}

/// Reads the members of a JSON object of a run's file, with errors that name file and line.
struct RecordReader {
  private let json: JSON
  private let file: String

  init(_ json: JSON, file: String) {
    (self.json, self.file) = (json, file)
  }

  func members() throws -> [JSON.Member] {
    guard case .object(let members) = json.value else { throw error("an object", json) }
    return members
  }

  private func error(_ expected: String, _ found: JSON, _ key: String? = nil) -> FormatError {
    FormatError(
      file: "\(file), line \(found.line)",
      reason: "needs \(expected)\(key.map { " as '\($0)'" } ?? ""); received \(found.text(.compact).prefix(40))",
      remedy: "The file is damaged, or of another version")
  }

  private func value(_ key: String) throws -> JSON {
    guard let member = try members().first(where: { ExactName($0.key) == ExactName(key) }) else {
      throw FormatError(
        file: "\(file), line \(json.line)", reason: "has no '\(key)'",
        remedy: "The file is damaged, or of another version")
    }
    return member.value
  }

  func has(_ key: String) throws -> Bool { try members().contains { ExactName($0.key) == ExactName(key) } }

  func string(_ key: String) throws -> String {
    let found = try value(key)
    guard case .string(let text) = found.value else { throw error("a text", found, key) }
    return text
  }

  func int(_ key: String) throws -> Int {
    let found = try value(key)
    guard case .int(let number) = found.value else { throw error("a whole number", found, key) }
    return number
  }

  /// A number; what is null in the file was not finite.
  func number(_ key: String) throws -> Double {
    let found = try value(key)
    switch found.value {
    case .int(let number): return Double(number)
    case .double(let number): return number
    case .null: return .nan
    default: throw error("a number", found, key)
    }
  }

  func array(_ key: String) throws -> [RecordReader] { try list(key).map { RecordReader($0, file: file) } }

  func object(_ key: String) throws -> RecordReader { RecordReader(try value(key), file: file) }

  func strings(_ key: String) throws -> [String] {
    try list(key).map { item in
      guard case .string(let text) = item.value else { throw error("a list of texts", item, key) }
      return text
    }
  }

  func ints(_ key: String) throws -> [Int] {
    try list(key).map { item in
      guard case .int(let number) = item.value else { throw error("a list of whole numbers", item, key) }
      return number
    }
  }

  private func list(_ key: String) throws -> [JSON] {
    let found = try value(key)
    guard case .array(let items) = found.value else { throw error("a list", found, key) }
    return items
  }
}
