// How a recipe divides its data into parts: the same settings for all kinds of data.

import AccelerandoData
import AccelerandoFormats
import AccelerandoNN

/// The parts that samples are divided into.
struct SplitSettings: Sendable {
  /// The proportion of samples that are held out to follow training with.
  var validation = 0.0
  /// The proportion of samples that are kept for the end.
  var test = 0.0
  /// Whether each part has each class in its proportion.
  var isStratified = false
  /// The column whose values stay together in one part.
  var group: String?
  /// The column of the time: the last samples are held out.
  var time: String?
  /// What the choice is a function of.
  var seed: UInt64 = 0

  init() {}

  /// - Parameter hasColumns: whether samples have columns besides the label, to divide by.
  /// - Throws: `ConfigError` for settings that are wrong or do not go together.
  init(_ reader: ConfigReader, hasColumns: Bool) throws {
    validation = try reader.double(
      "validation_split", default: 0, in: .belowOne, about: "The proportion of samples to hold out for validation")
    test = try reader.double(
      "test_split", default: 0, in: .belowOne, about: "The proportion of samples to keep for 'evaluate'")
    isStratified = try reader.bool(
      "stratify", default: false, about: "Whether each part has each class in its proportion")
    if hasColumns {
      group = try reader.optionalString("group_by", about: "The column whose values stay together in one part")
      time = try reader.optionalString("time", about: "The column of the time: the last samples are held out")
    }
    seed = UInt64(try reader.int("split_seed", default: 0, in: 0...Int.max, about: "The seed of the split"))
    let rules = [isStratified ? "stratify" : nil, group.map { _ in "group_by" }, time.map { _ in "time" }].compactMap {
      $0
    }
    if rules.count > 1 {
      throw ConfigError(
        "\(reader.subject): samples are divided in one way; received '\(rules.joined(separator: "' and '"))'.",
        at: reader.config.location)
    }
    if let rule = rules.first, validation + test == 0, !reader.isDescribing {
      throw ConfigError(
        "\(reader.subject): '\(rule)' says how samples are divided; say with 'validation_split' or 'test_split' how many.",
        at: reader.value(rule)?.location)
    }
  }

  /// Divides samples.
  /// - Parameters:
  ///   - samples: all samples.
  ///   - label: the column of the classes.
  /// - Throws: `FormatError` where a part would be empty, or a column is missing.
  func parts(of samples: RawSamples, label: String?) throws -> (
    train: RawSamples, validation: RawSamples?, test: RawSamples?
  ) {
    guard validation > 0 || test > 0 else { return (samples, nil, nil) }
    func column(_ name: String) throws -> Column { try samples.columns([name]).column(name) }
    var (rule, names) = (Split.Rule.random, [String]())
    if isStratified {
      guard let label else {
        throw FormatError(
          file: samples.table.name, reason: "has no column of classes to stratify by", remedy: "Name one target")
      }
      let classes = try column(label).classes()
      (rule, names) = (.stratified(classes.indices), classes.names)
    } else if let group {
      let groups = try column(group).classes()
      (rule, names) = (.grouped(groups.indices), groups.names)
    } else if let time {
      guard let times = try column(time).numbers else {
        throw FormatError(
          file: samples.table.name, reason: "the column '\(time)' has no times, but text",
          remedy: "Say how its dates are written: date_formats: {\(time): '%d/%m/%Y'}")
      }
      rule = .time(times.elements(as: Double.self))
    }
    let split = try Split(
      count: samples.rows.count, validation: validation, test: test, by: rule, seed: seed, names: names,
      source: samples.table.name)
    func part(_ places: [Int]) -> RawSamples { samples.with(rows: places.map { samples.rows[$0] }) }
    return (
      part(split.train), validation > 0 ? part(split.validation) : nil, test > 0 ? part(split.test) : nil
    )
  }
}
