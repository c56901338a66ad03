// The table of a model's layers.

import AccelerandoCore
import AccelerandoNN

extension Model {
  /// The model's layers, shapes and parameter counts as a table, with totals and their sizes in memory.
  /// - Throws: `GraphError` when the architecture is invalid.
  public func summary() throws -> String {
    let outline = try outline()
    let counts = Dictionary(uniqueKeysWithValues: outline.parameters.map { ($0.name, $0.type.elementCount) })
    var rows = outline.layerCalls.map { call in
      [
        "\(call.name) (\(call.typeName))", Self.shapes(call.outputs),
        Self.grouped(call.parameters.reduce(0) { $0 + (counts[$1] ?? 0) }),
      ]
    }
    if rows.isEmpty {
      let count = Self.grouped(counts.values.reduce(0, +))
      rows = [[layer.name ?? layer.typeName, Self.shapes(outline.outputs), count]]
    }
    var lines = ["Model: \"\(layer.name ?? layer.typeName.lowercased())\""]
    lines += Self.table(header: ["Layer (type)", "Output Shape", "Param #"], rows)
    lines += try totals(outline)
    return lines.joined(separator: "\n")
  }

  private func totals(_ outline: Outline) throws -> [String] {
    func line(_ title: String, _ types: [TensorType]) -> String {
      let count = types.reduce(0) { $0 + $1.elementCount }
      let bytes = types.reduce(0) { $0 + $1.byteCount }
      return " \(title) params: \(Self.grouped(count)) (\(Self.size(bytes)))"
    }
    let plan = try compilation.map { try ParameterPlan($0, for: outline) }
    let trained =
      plan?.trained
      ?? outline.parameters.filter { $0.role == .trainable && outline.names.options(of: $0.name).isTrainable }
    let names = Set(trained.map(\.name))
    let trainable = trained.map(\.type)
    let state = outline.parameters.filter { !names.contains($0.name) }.map(\.type)
    var optimizer: [TensorType] = []
    if let plan {
      optimizer = plan.groups.flatMap { group in
        group.parameters.flatMap { spec in group.slots(of: spec).map { $0.type(for: spec.type) } }
      }
      // The step counter and the learning rate count as well, as in Keras.
      optimizer += [TensorType(.int32, []), TensorType(.float32, [])]
    }
    var lines = [line("Total", trainable + state + optimizer)]
    lines += [line("Trainable", trainable), line("Non-trainable", state)]
    if !optimizer.isEmpty { lines.append(line("Optimizer", optimizer)) }
    return lines
  }

  private static func shape(_ type: TensorType) -> String {
    "(" + (["None"] + type.shape.dropFirst().map(String.init)).joined(separator: ", ") + ")"
  }

  private static func shapes(_ types: [TensorType]) -> String { types.map(shape).joined(separator: ", ") }

  /// A count with commas: `1,234,567`.
  static func grouped(_ count: Int) -> String {
    var digits = Array(String(count))
    var place = digits.count - 3
    while place > 0 {
      digits.insert(",", at: place)
      place -= 3
    }
    return String(digits)
  }

  /// A size in bytes, with a unit: `212.54 KB`.
  static func size(_ bytes: Int) -> String {
    var value = Double(bytes)
    var unit = 0
    let units = ["B", "KB", "MB", "GB", "TB"]
    while value >= 1024, unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    let hundredths = Int((value * 100).rounded())
    let fraction = String(hundredths % 100)
    return "\(hundredths / 100).\(fraction.count < 2 ? "0" + fraction : fraction) \(units[unit])"
  }

  private static func table(header: [String], _ rows: [[String]]) -> [String] {
    let widths = header.indices.map { column in
      max(([header] + rows).map { $0[column].count }.max() ?? 0, column == 2 ? 13 : 22) + 2
    }
    func cells(_ row: [String], _ bar: String) -> String {
      let padded = row.enumerated().map { column, text in
        let space = String(repeating: " ", count: widths[column] - 2 - text.count)
        return column == 2 ? " \(space)\(text) " : " \(text)\(space) "
      }
      return bar + padded.joined(separator: bar) + bar
    }
    func rule(_ left: String, _ middle: String, _ right: String, _ stroke: String) -> String {
      left + widths.map { String(repeating: stroke, count: $0) }.joined(separator: middle) + right
    }
    var lines = [rule("┏", "┳", "┓", "━"), cells(header, "┃"), rule("┡", "╇", "┩", "━")]
    for (index, row) in rows.enumerated() {
      if index > 0 { lines.append(rule("├", "┼", "┤", "─")) }
      lines.append(cells(row, "│"))
    }
    return lines + [rule("└", "┴", "┘", "─")]
  }
}
