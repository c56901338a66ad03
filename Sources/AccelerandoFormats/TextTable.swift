// Aligned tables and readable numbers.

import Foundation

/// Lines of cells under a header.
/// - Parameters:
///   - total: a last line, under a rule.
///   - left: the number of left-aligned text columns; the others are numbers.
package func textTable(_ header: [String], _ rows: [[String]], total: [String]? = nil, left: Int) -> String {
  let all = [header] + rows + (total.map { [$0] } ?? [])
  let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
  func line(_ cells: [String]) -> String {
    let padded = cells.enumerated().map { column, cell in
      let space = String(repeating: " ", count: widths[column] - cell.count)
      return column < left ? cell + space : space + cell
    }
    var text = padded.joined(separator: "  ")
    while text.last == " " { text.removeLast() }
    return text
  }
  let rule = String(repeating: "─", count: widths.reduce(0, +) + 2 * (widths.count - 1))
  return ([line(header), rule] + rows.map(line) + (total.map { [rule, line($0)] } ?? [])).joined(separator: "\n")
}

/// A count with commas: `1,234,567`.
package func grouped(_ count: Int) -> String {
  var digits = Array(String(count))
  var place = digits.count - 3
  while place > (count < 0 ? 1 : 0) {
    digits.insert(",", at: place)
    place -= 3
  }
  return String(digits)
}

/// A proportion as `12.3 %`.
package func percent(_ part: Double) -> String { String(format: "%.1f %%", 100 * part) }
