// What two recipes have in common need not be read twice: only the lines that differ, with a few around them, as `diff -u` shows.

/// The difference of two texts, line by line.
public struct TextDifference: Sendable, Hashable {
  /// One line of the difference.
  public struct Line: Sendable, Hashable {
    /// Which of the texts have the line.
    public enum Kind: Sendable, Hashable {
      /// Both.
      case common
      /// Only the first.
      case removed
      /// Only the second.
      case added
    }

    /// Which of the texts have it.
    public let kind: Kind
    /// The line without its end.
    public let text: String
  }

  /// Lines that belong together, with their places in both texts.
  public struct Hunk: Sendable, Hashable {
    /// The lines of the first text, from 0.
    public let first: Range<Int>
    /// The lines of the second text, from 0.
    public let second: Range<Int>
    /// The lines of both.
    public let lines: [Line]

    /// `@@ -3,7 +3,8 @@`.
    public var header: String {
      func place(_ range: Range<Int>) -> String {
        let start = range.isEmpty ? range.lowerBound : range.lowerBound + 1
        return range.count == 1 ? "\(start)" : "\(start),\(range.count)"
      }
      return "@@ -\(place(first)) +\(place(second)) @@"
    }
  }

  /// The places where the texts differ; empty if they do not.
  public let hunks: [Hunk]

  /// Compares two texts.
  /// - Parameters:
  ///   - first: the text before.
  ///   - second: the text after.
  ///   - context: the number of common lines to show around those that differ.
  public init(_ first: String, _ second: String, context: Int = 3) {
    let (old, new) = (Self.lines(first), Self.lines(second))
    // The standard library's difference is Myers' algorithm, which finds the fewest changes.
    let changes = new.difference(from: old)
    let removed = Set(changes.removals.map(Self.offset))
    let added = Set(changes.insertions.map(Self.offset))
    var all: [(line: Line, old: Int, new: Int)] = []
    var (i, j) = (0, 0)
    while i < old.count || j < new.count {
      if i < old.count, removed.contains(i) {
        all.append((Line(kind: .removed, text: old[i].text), i, j))
        i += 1
      } else if j < new.count, added.contains(j) {
        all.append((Line(kind: .added, text: new[j].text), i, j))
        j += 1
      } else if i < old.count, j < new.count {
        all.append((Line(kind: .common, text: old[i].text), i, j))
        i += 1
        j += 1
      } else {
        break
      }
    }
    let changed = all.indices.filter { all[$0].line.kind != .common }
    var ranges: [Range<Int>] = []
    for index in changed {
      let range = max(index - context, 0)..<min(index + context + 1, all.count)
      if let last = ranges.last, last.upperBound >= range.lowerBound {
        ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
      } else {
        ranges.append(range)
      }
    }
    hunks = ranges.map { range in
      let lines = all[range].map(\.line)
      let (start, oldCount, newCount) = (
        all[range.lowerBound], lines.count { $0.kind != .added }, lines.count { $0.kind != .removed }
      )
      return Hunk(first: start.old..<start.old + oldCount, second: start.new..<start.new + newCount, lines: lines)
    }
  }

  /// Lines are compared by their bytes; the file's last line has an end or not.
  private static func lines(_ text: String) -> [ExactLine] {
    var lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }.map {
      ExactLine(text: String($0))
    }
    if lines.last?.text.isEmpty == true { lines.removeLast() }
    return lines
  }

  private static func offset(_ change: CollectionDifference<ExactLine>.Change) -> Int {
    switch change {
    case .remove(let offset, _, _), .insert(let offset, _, _): offset
    }
  }

  private struct ExactLine: Hashable {
    let text: String

    static func == (a: ExactLine, b: ExactLine) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

    func hash(into hasher: inout Hasher) {
      for byte in text.utf8 { hasher.combine(byte) }
    }
  }
}
