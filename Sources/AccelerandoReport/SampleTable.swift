// What is known of each sample, as a file: CSV for spreadsheets, JSON for programs. Both are made of the same members, so that they
// say the same.

import AccelerandoFormats
import Foundation

/// A row of named values for each sample.
package struct SampleTable: Sendable {
  /// The rows; all have the same members in the same order. Members may be objects or lists.
  package var rows: [[(name: String, value: JSON)]]

  /// Makes a table.
  package init(_ rows: [[(name: String, value: JSON)]] = []) { self.rows = rows }

  /// A list of objects, a line each.
  package var json: String {
    let lines = rows.map { row in JSON(row.map { ($0.name, $0.value) }).text() }
    return lines.isEmpty ? "[]\n" : "[\n  " + lines.joined(separator: ",\n  ") + "\n]\n"
  }

  /// Lines of values under a header (RFC 4180), with line feeds. Members of objects and lists have columns of their own:
  /// `probabilities_cat`. What is null is empty.
  package var csv: String {
    guard let first = rows.first else { return "" }
    var text = Self.flat(first).map { Self.quoted($0.name) }.joined(separator: ",") + "\n"
    for row in rows { text += Self.flat(row).map { Self.cell($0.value) }.joined(separator: ",") + "\n" }
    return text
  }

  private static func flat(_ row: [(name: String, value: JSON)]) -> [(name: String, value: JSON)] {
    row.flatMap { name, value -> [(name: String, value: JSON)] in
      switch value.value {
      case .object(let members): flat(members.map { (name: "\(name)_\($0.key)", value: $0.value) })
      case .array(let items): flat(items.enumerated().map { (name: "\(name)_\($0)", value: $1) })
      default: [(name: name, value: value)]
      }
    }
  }

  private static func cell(_ value: JSON) -> String {
    switch value.value {
    case .null: ""
    case .string(let text): quoted(text)
    default: value.text(.compact)
    }
  }

  /// A text in quotes if it needs them.
  private static func quoted(_ text: String) -> String {
    let needsQuotes = text.unicodeScalars.contains { ["\"", ",", "\n", "\r"].contains($0) }
    // Spaces at an end would be taken for layout by some readers.
    guard needsQuotes || text.hasPrefix(" ") || text.hasSuffix(" ") else { return text }
    return "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\""
  }
}
