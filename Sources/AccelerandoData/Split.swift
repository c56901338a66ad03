// Which rows are for training, for validation and for testing. A split is a function of the settings and the seed alone, so
// that the same rows come out on every machine and after every restart, whatever the rows are: of a table, images, texts.

import AccelerandoCore
import AccelerandoFormats

/// Rows of some data in parts that share none.
public struct Split: Sendable, Hashable {
  /// The rows to learn from, in order.
  public let train: [Int]
  /// The rows to follow training with, in order.
  public let validation: [Int]
  /// The rows that are kept for the end, in order.
  public let test: [Int]

  /// How rows are chosen.
  public enum Rule: Sendable, Hashable {
    /// At random.
    case random
    /// At random, each class in its proportion: the class of each row.
    case stratified([Int])
    /// At random, rows of a group together in one part: the group of each row.
    case grouped([Int])
    /// The last ones in time, of which the very last are for testing: the time of each row.
    case time([Double])
  }

  /// Chooses rows.
  /// - Parameters:
  ///   - count: the number of rows.
  ///   - validation: the proportion of rows for validation, 0 for none.
  ///   - test: the proportion of rows for testing, 0 for none.
  ///   - rule: how they are chosen.
  ///   - seed: what the random choice is a function of.
  ///   - names: the names of the classes or groups, for errors.
  ///   - source: what errors call the data.
  /// - Throws: `FormatError` when a part would have no row, when a class has fewer rows than there are parts, when there are
  ///   fewer groups than parts, and when a row has no time.
  public init(
    count: Int, validation: Double = 0, test: Double = 0, by rule: Rule = .random, seed: UInt64 = 0,
    names: [String] = [], source: String = "data"
  ) throws {
    let request = try Request(count: count, proportions: [validation, test], names: names, source: source)
    var generator = SplitMix(state: seed)
    let parts: [Int]
    switch rule {
    case .random: parts = try request.random(using: &generator)
    case .stratified(let classes): parts = try request.stratified(classes, using: &generator)
    case .grouped(let groups): parts = try request.grouped(groups, using: &generator)
    case .time(let times): parts = try request.last(times)
    }
    func rows(_ part: Int) -> [Int] { parts.indices.filter { parts[$0] == part } }
    (train, self.validation, self.test) = (rows(0), rows(1), rows(2))
  }
}

/// What a split is asked for. Parts have numbers: 0 for training, 1 for validation, 2 for testing.
private struct Request {
  let count: Int
  /// The number of rows of each part.
  let sizes: [Int]
  /// The parts that are wanted.
  let wanted: [Int]
  let names: [String]
  let source: String

  static let partNames = ["training", "validation", "test"]

  init(count: Int, proportions: [Double], names: [String], source: String) throws {
    for (name, proportion) in zip(["validation", "test"], proportions) where !(proportion >= 0 && proportion < 1) {
      throw FormatError(
        file: source, reason: "the \(name) split must be at least 0 and below 1; received \(proportion)")
    }
    guard proportions[0] + proportions[1] < 1 else {
      throw FormatError(
        file: source,
        reason: "the validation split \(proportions[0]) and the test split \(proportions[1]) leave nothing to train on")
    }
    self.count = count
    self.names = names
    self.source = source
    sizes = Self.shares(of: count, proportions)
    wanted = [0] + (proportions[0] > 0 ? [1] : []) + (proportions[1] > 0 ? [2] : [])
    for part in wanted where sizes[part] == 0 {
      throw FormatError(
        file: source, reason: "the \(Self.partNames[part]) part of \(count) row\(count == 1 ? "" : "s") would be empty",
        remedy: "Give it a larger share, or more data")
    }
  }

  /// Rows for each part, rounded to the nearest.
  static func shares(of count: Int, _ proportions: [Double]) -> [Int] {
    let test = Int((Double(count) * proportions[1]).rounded())
    let validation = min(Int((Double(count) * proportions[0]).rounded()), count - test)
    return [count - validation - test, validation, test]
  }

  func check(_ values: Int, _ what: String) throws {
    guard values == count else {
      throw FormatError(file: source, reason: "has \(count) rows, but the \(what) of \(values) are given")
    }
  }

  func random(using generator: inout SplitMix) throws -> [Int] {
    let order = shuffled(Array(0..<count), using: &generator)
    return assigned(order, sizes)
  }

  /// Gives the rows of `order` to the parts, the last ones to the test part.
  private func assigned(_ order: [Int], _ sizes: [Int]) -> [Int] {
    var parts = [Int](repeating: 0, count: count)
    for (place, row) in order.enumerated() where place >= sizes[0] { parts[row] = place < sizes[0] + sizes[1] ? 1 : 2 }
    return parts
  }

  func stratified(_ classes: [Int], using generator: inout SplitMix) throws -> [Int] {
    try check(classes.count, "classes")
    let members = grouped(classes)
    for rows in members where rows.count < wanted.count {
      let name = label(classes[rows[0]])
      throw FormatError(
        file: source,
        reason:
          "the class \(name) has \(rows.count) row\(rows.count == 1 ? "" : "s"); each of the \(wanted.count) parts needs one",
        remedy: "Leave the class out, join it with another one, or do not stratify")
    }
    // Each class gets its share of each part, at least one row; what rounding leaves over goes where most is cut off.
    var rooms = members.map { rows in
      [0, 1, 2].map { part in
        wanted.contains(part) ? max(1, Int(Double(rows.count) * Double(sizes[part]) / Double(count))) : 0
      }
    }
    for part in [1, 2] where wanted.contains(part) {
      let exact = members.map { Double($0.count) * Double(sizes[part]) / Double(count) }
      var rest = sizes[part] - rooms.reduce(0) { $0 + $1[part] }
      let order = members.indices.sorted {
        (exact[$0] - exact[$0].rounded(.down), $1) > (exact[$1] - exact[$1].rounded(.down), $0)
      }
      for index in order where rest > 0 {
        let others = [1, 2].reduce(0) { $0 + rooms[index][$1] }
        // One row stays for training.
        guard members[index].count - others > 1 else { continue }
        rooms[index][part] += 1
        rest -= 1
      }
    }
    var parts = [Int](repeating: 0, count: count)
    for (index, rows) in members.enumerated() {
      var room = rooms[index]
      room[0] = rows.count - room[1] - room[2]
      for (place, row) in shuffled(rows, using: &generator).enumerated() where place >= room[0] {
        parts[row] = place < room[0] + room[1] ? 1 : 2
      }
    }
    return parts
  }

  func grouped(_ groups: [Int], using generator: inout SplitMix) throws -> [Int] {
    try check(groups.count, "groups")
    let members = shuffled(grouped(groups), using: &generator)
    guard members.count >= wanted.count else {
      throw FormatError(
        file: source,
        reason:
          "the rows belong to \(members.count) group\(members.count == 1 ? "" : "s"); each of the \(wanted.count) parts needs one of its own",
        remedy: "Group by another column, or ask for fewer parts")
    }
    // Each group goes where most rows are lacking; a part that has none yet gets one before groups run out.
    var lacking = sizes
    var isEmpty = [Bool](repeating: true, count: 3)
    var parts = [Int](repeating: 0, count: count)
    for (place, rows) in members.enumerated() {
      let left = members.count - place
      let empty = wanted.filter { isEmpty[$0] }
      let candidates = left <= empty.count ? empty : wanted
      let part = candidates.max { (lacking[$0], $1) < (lacking[$1], $0) } ?? 0
      for row in rows { parts[row] = part }
      lacking[part] -= rows.count
      isEmpty[part] = false
    }
    return parts
  }

  func last(_ times: [Double]) throws -> [Int] {
    try check(times.count, "times")
    if let row = times.firstIndex(where: \.isNaN) {
      throw FormatError(
        file: source, reason: "row \(row + 1) has no time, so that it has no place before or after others",
        remedy: "Fill the time in, or leave the row out")
    }
    let order = (0..<count).sorted { (times[$0], $0) < (times[$1], $1) }
    var parts = assigned(order, sizes)
    // Rows of one moment stay together, in the earlier part.
    for (before, row) in zip(order, order.dropFirst()) where times[before] == times[row] { parts[row] = parts[before] }
    for part in wanted where !parts.contains(part) {
      throw FormatError(
        file: source,
        reason: "the \(Self.partNames[part]) part would be empty: its rows are of the same time as those before",
        remedy: "Give it a larger share")
    }
    return parts
  }

  /// Rows of the same number together, in the order of their first rows.
  private func grouped(_ numbers: [Int]) -> [[Int]] {
    var (places, result): ([Int: Int], [[Int]]) = ([:], [])
    for (row, number) in numbers.enumerated() {
      if let place = places[number] {
        result[place].append(row)
      } else {
        places[number] = result.count
        result.append([row])
      }
    }
    return result
  }

  private func label(_ number: Int) -> String { names.indices.contains(number) ? "'\(names[number])'" : "\(number)" }

  /// Fisher-Yates.
  private func shuffled<Element>(_ elements: [Element], using generator: inout SplitMix) -> [Element] {
    var result = elements
    var last = result.count - 1
    while last > 0 {
      let other = Int(generator.next(upperBound: UInt64(last + 1)))
      if other != last { result.swapAt(last, other) }
      last -= 1
    }
    return result
  }
}
