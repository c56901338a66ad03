// Curves where training happens: in a terminal, with characters. Braille characters have eight dots each, which is fine enough for a
// line; where a terminal does not know them, plain characters do.

import Foundation

/// Draws lines with characters.
public struct TerminalPlot: Sendable {
  /// Which characters may be used.
  public enum Characters: Sendable, Hashable {
    /// Braille: eight dots a character.
    case braille
    /// ASCII: one sign a character.
    case ascii

    /// What a terminal shows according to its environment: braille where the locale is one of UTF-8.
    public static func fitting(_ environment: [String: String]) -> Characters {
      // The first that is set counts, as in every program of the system.
      let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
      let plain = locale.lowercased().replacingOccurrences(of: "-", with: "")
      return plain.hasSuffix("utf8") || plain.contains("utf8@") ? .braille : .ascii
    }
  }

  /// The width of everything, in characters.
  public var width: Int
  /// The height of the area with the lines, in characters.
  public var height: Int
  /// Which characters may be used.
  public var characters: Characters

  /// Makes a plotter.
  public init(width: Int = 80, height: Int = 12, characters: Characters = .braille) {
    self.width = max(width, 20)
    self.height = max(height, 3)
    self.characters = characters
  }

  /// The curves of some runs, each with its name and, where several lines share it, what stands for which.
  public func text(_ runs: [RunRecord]) -> String {
    Curves.all(of: runs).map { curve in
      let legend = curve.series.enumerated().map { "\(sign($0)) \($1.name)" }.joined(separator: "   ")
      return "\(curve.name)   \(legend)\n" + text(curve.series, xTitle: "epoch")
    }.joined(separator: "\n\n")
  }

  /// The character that stands for a line, in the legend and, in ASCII, in the plot.
  private func sign(_ number: Int) -> String {
    let signs =
      characters == .braille ? ["⣿", "⠒", "⡇", "⠶", "⢕", "⠄", "⣀", "⠛"] : ["*", "o", "+", "x", "#", "@", "%", "&"]
    return signs[number % signs.count]
  }

  /// Lines over axes; no line has trailing spaces.
  public func text(_ series: [Series], xTitle: String) -> String {
    let x = Axis(series.flatMap { $0.points.map(\.x) }, isWhole: true, count: max(width / 16, 2))
    let y = Axis(series.flatMap { $0.points.map(\.y) }, mayBeLogarithmic: true, count: max(height / 3, 2))
    let labels = Dictionary(
      y.ticks.compactMap { tick in
        y.place(tick).map { (Int(((1 - $0) * Double(height - 1)).rounded()), y.label(tick)) }
      }, uniquingKeysWith: { first, _ in first })
    let margin = min(labels.values.map(\.count).max() ?? 0, max(width - 12, 1))
    let columns = max(width - margin - 2, 4)
    var canvas = Canvas(columns: columns, rows: height, isBraille: characters == .braille)
    for (number, line) in series.enumerated() {
      var last: (x: Double, y: Double)?
      for point in line.points {
        guard let right = x.place(point.x), let up = y.place(point.y) else {
          last = nil
          continue
        }
        canvas.draw(from: last ?? (right, up), to: (right, up), style: number)
        last = (right, up)
      }
    }
    let bar = characters == .braille ? "│" : "|"
    var lines = canvas.lines.enumerated().map { row, text in
      let label = String((labels[row] ?? "").prefix(margin))
      return String(repeating: " ", count: margin - label.count) + label + " " + bar + text
    }
    lines.append(
      String(repeating: " ", count: margin + 1) + (characters == .braille ? "└" : "+")
        + String(repeating: characters == .braille ? "─" : "-", count: columns))
    lines.append(axisLine(x, margin: margin, columns: columns, title: xTitle))
    return lines.map { line in
      var line = line[...]
      while line.last == " " { line.removeLast() }
      return String(line)
    }.joined(separator: "\n")
  }

  /// The ticks below the plot, and the axis' title at the end where it has room.
  private func axisLine(_ axis: Axis, margin: Int, columns: Int, title: String) -> String {
    var line = [Character](repeating: " ", count: margin + 2 + columns)
    var free = 0
    for tick in axis.ticks {
      guard let along = axis.place(tick) else { continue }
      let label = Array(axis.label(tick))
      let middle = margin + 2 + Int((along * Double(columns - 1)).rounded())
      let start = max(min(middle - label.count / 2, line.count - label.count), 0)
      guard start >= free, start + label.count <= line.count else { continue }
      line.replaceSubrange(start..<start + label.count, with: label)
      free = start + label.count + 2
    }
    let end = line.count - title.count
    if end >= free { line.replaceSubrange(end..., with: Array(title)) }
    return String(line)
  }
}

/// A grid of dots, two by four to a character in braille, one in ASCII.
private struct Canvas {
  let columns: Int
  let rows: Int
  let isBraille: Bool
  /// Dots that are set, in braille; the sign of the line that was there last, in ASCII.
  private var cells: [UInt8]
  private var dotsAcross: Int { columns * (isBraille ? 2 : 1) }
  private var dotsDown: Int { rows * (isBraille ? 4 : 1) }
  private static let signs: [Character] = ["*", "o", "+", "x", "#", "@", "%", "&"]
  /// The bits of braille dots, by row, left and right (Unicode, block 2800).
  private static let bits: [[UInt8]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]
  /// Which dots of a line are set, so that several lines can be told apart: all, every other, …
  private static let dashes: [[Bool]] = [
    [true], [true, true, false, false, false], [true, false, false], [true, true, true, false], [true, false],
    [true, false, false, false, false], [true, true, true, true, false, false], [true, true, false],
  ]

  init(columns: Int, rows: Int, isBraille: Bool) {
    (self.columns, self.rows, self.isBraille) = (columns, rows, isBraille)
    cells = [UInt8](repeating: 0, count: columns * rows)
  }

  /// Draws a straight line between places from (0, 0), bottom left, to (1, 1).
  mutating func draw(from first: (x: Double, y: Double), to last: (x: Double, y: Double), style: Int) {
    func dot(_ place: (x: Double, y: Double)) -> (x: Double, y: Double) {
      (
        min(max(place.x, 0), 1) * Double(dotsAcross - 1), (1 - min(max(place.y, 0), 1)) * Double(dotsDown - 1)
      )
    }
    let (from, to) = (dot(first), dot(last))
    let steps = max(Int(max(abs(to.x - from.x), abs(to.y - from.y)).rounded(.up)), 1)
    let dashes = Self.dashes[style % Self.dashes.count]
    for step in 0...steps {
      let part = Double(step) / Double(steps)
      let (x, y) = (Int((from.x + part * (to.x - from.x)).rounded()), Int((from.y + part * (to.y - from.y)).rounded()))
      guard !isBraille || dashes[(x + y) % dashes.count] || steps == 1 && from == to else { continue }
      set(x, y, style)
    }
  }

  private mutating func set(_ x: Int, _ y: Int, _ style: Int) {
    guard x >= 0, x < dotsAcross, y >= 0, y < dotsDown else { return }
    if isBraille {
      cells[y / 4 * columns + x / 2] |= Self.bits[y % 4][x % 2]
    } else {
      cells[y * columns + x] = UInt8(style % Self.signs.count + 1)
    }
  }

  var lines: [String] {
    (0..<rows).map { row in
      String(
        cells[row * columns..<(row + 1) * columns].map { cell -> Character in
          if cell == 0 { return " " }
          guard isBraille else { return Self.signs[Int(cell) - 1] }
          return Unicode.Scalar(0x2800 + UInt32(cell)).map(Character.init) ?? " "
        })
    }
  }
}
