// The table of a model's layers, for people and, as JSON, for programs. Layers inside layers are indented; where a model is
// not one layer after the other, a column says what each reads.

import AccelerandoCore
import AccelerandoNN

/// What a model consists of.
public struct ModelSummary: Sendable, Encodable, CustomStringConvertible {
  /// An input or an output.
  public struct Value: Sendable, Encodable {
    /// The name.
    public let name: String
    /// The shape of one sample, without the batch axis.
    public let shape: [Int]
    /// The element type.
    public let dtype: String
  }

  /// A layer.
  public struct Layer: Sendable, Encodable {
    /// The layer's name in the layer around it.
    public let name: String
    /// The layer's type.
    public let type: String
    /// The shapes of its outputs for one sample, without the batch axis.
    public let outputShapes: [[Int]]
    /// The number of elements of the parameters that it uses first, those of the layers inside it included.
    public let parameters: Int
    /// The layers and inputs that it reads, by their names in the layer around it.
    public let reads: [String]
    /// The layers inside.
    public fileprivate(set) var layers: [Layer]

    enum CodingKeys: String, CodingKey {
      case name, type, parameters, reads, layers
      case outputShapes = "output_shapes"
    }
  }

  /// The model's name.
  public let name: String
  /// The inputs.
  public let inputs: [Value]
  /// The outputs.
  public let outputs: [Value]
  /// The layers, in the order of their calls.
  public let layers: [Layer]
  /// Whether the layers, and those inside them, follow each other.
  public let isChain: Bool
  /// The number of elements of the parameters that are trained.
  public let trainable: Int
  /// The number of elements of the other parameters.
  public let nonTrainable: Int
  /// The number of elements that the optimizer keeps.
  public let optimizer: Int
  private let lines: [String]

  enum CodingKeys: String, CodingKey {
    case name, inputs, outputs, layers, trainable, optimizer
    case isChain = "is_chain"
    case nonTrainable = "non_trainable"
  }

  fileprivate init(_ model: Model, _ outline: Outline) throws {
    let counts = Dictionary(uniqueKeysWithValues: outline.parameters.map { ($0.name, $0.type.elementCount) })
    name = model.layer.name ?? model.layer.typeName.lowercased()
    inputs = zip(model.inputNames, model.inputs).map {
      Value(name: $0, shape: $1.shape, dtype: $1.dtype.rawValue)
    }
    outputs = zip(outline.outputNames, outline.outputs).map {
      Value(name: $0, shape: Array($1.shape.dropFirst()), dtype: $1.dtype.rawValue)
    }
    var calls = outline.nestedCalls[...]
    let nested = Self.layers(&calls, depth: 0, counts)
    let all = counts.values.reduce(0, +)
    layers =
      nested.isEmpty
      ? [
        Layer(
          name: model.layer.name ?? model.layer.typeName, type: model.layer.typeName,
          outputShapes: outline.outputs.map { Array($0.shape.dropFirst()) }, parameters: all, reads: [], layers: [])
      ] : nested
    let graphs = [model.layer] + outline.nestedCalls.map(\.layer)
    isChain = inputs.count == 1 && graphs.allSatisfy { ($0 as? Functional)?.isChain ?? true }
    let totals = try model.totals(outline)
    (trainable, nonTrainable, optimizer, lines) = (
      totals.trainable, totals.nonTrainable, totals.optimizer, totals.lines
    )
  }

  /// The layers of a depth, with those inside them.
  private static func layers(
    _ calls: inout ArraySlice<Scope.LayerCall>, depth: Int, _ counts: [String: Int]
  ) -> [Layer] {
    var layers: [Layer] = []
    while let call = calls.first, call.depth == depth {
      calls.removeFirst()
      layers.append(
        Layer(
          name: call.name, type: call.typeName, outputShapes: call.outputs.map { Array($0.shape.dropFirst()) },
          parameters: call.parameters.reduce(0) { $0 + (counts[$1] ?? 0) }, reads: call.reads,
          layers: Self.layers(&calls, depth: depth + 1, counts)))
    }
    return layers
  }

  // MARK: Text

  /// The table.
  public var description: String {
    var rows: [[String]] = []
    func add(_ layers: [Layer], depth: Int) {
      for layer in layers {
        let indent = String(repeating: "  ", count: depth)
        rows.append([
          indent + Self.cut(layer.name, to: max(Self.widest - 2 * depth, 12)) + " (\(layer.type))",
          Self.listed(layer.outputShapes.map(Self.shape)), Model.grouped(layer.parameters),
          Self.listed(layer.reads.map { Self.cut($0, to: Self.widest) }),
        ])
        add(layer.layers, depth: depth + 1)
      }
    }
    if !isChain {
      rows += inputs.map { ["\(Self.cut($0.name, to: Self.widest)) (Input)", Self.shape($0.shape), "0", "–"] }
    }
    add(layers, depth: 0)
    var header = ["Layer (type)", "Output Shape", "Param #", "Reads"]
    if isChain {
      header.removeLast()
      rows = rows.map { Array($0.dropLast()) }
    }
    var text = ["Model: \"\(name)\""] + Model.table(header: header, rows)
    if !isChain, outputs.count > 1 {
      text.append(" Outputs: \(outputs.map { "\($0.name) \(Self.shape($0.shape))" }.joined(separator: ", "))")
    }
    return (text + lines).joined(separator: "\n")
  }

  /// The longest name that is not cut.
  private static let widest = 32

  /// A name with its middle left out where it is too long: both ends tell names apart.
  private static func cut(_ name: String, to width: Int) -> String {
    guard name.count > width else { return name }
    let end = (width - 1) / 2
    return name.prefix(width - 1 - end) + "…" + name.suffix(end)
  }

  /// The first of a list, and how many more there are.
  private static func listed(_ items: [String]) -> String {
    let shown = items.prefix(3).joined(separator: ", ")
    return items.count > 3 ? "\(shown), +\(items.count - 3)" : shown
  }

  private static func shape(_ shape: [Int]) -> String {
    "(" + (["None"] + shape.map(String.init)).joined(separator: ", ") + ")"
  }
}

extension Model {
  /// The model's layers, shapes and parameter counts as a table, with totals and their sizes in memory. Layers inside layers
  /// are indented; the last column, where a model is not one layer after the other, says what each reads.
  /// - Throws: `GraphError` when the architecture is invalid.
  public func summary() throws -> String { try describe().description }

  /// What the model consists of, as data.
  /// - Throws: `GraphError` when the architecture is invalid.
  public func describe() throws -> ModelSummary { try ModelSummary(self, try outline()) }

  fileprivate struct Totals {
    let trainable: Int
    let nonTrainable: Int
    let optimizer: Int
    let lines: [String]
  }

  fileprivate func totals(_ outline: Outline) throws -> Totals {
    func line(_ title: String, _ types: [TensorType]) -> String {
      let count = types.reduce(0) { $0 + $1.elementCount }
      let bytes = types.reduce(0) { $0 + $1.byteCount }
      return " \(title) params: \(Self.grouped(count)) (\(Self.size(bytes)))"
    }
    let plan = try compilation.map { try ParameterPlan($0, for: outline) }
    let trained = plan?.trained ?? outline.parameters.filter { $0.role == .trainable }
    let names = Set(trained.map(\.name))
    let trainable = trained.map(\.type)
    let state = outline.parameters.filter { !names.contains($0.name) }.map(\.type)
    var optimizer: [TensorType] = []
    if let plan {
      optimizer = plan.groups.flatMap { group in
        group.parameters.flatMap { spec in group.optimizer.rule(for: spec).slots.map { $0.type(for: spec.type) } }
      }
      // The step counter and the learning rate count as well, as in Keras.
      optimizer += [TensorType(.int32, []), TensorType(.float32, [])]
    }
    var lines = [line("Total", trainable + state + optimizer)]
    lines += [line("Trainable", trainable), line("Non-trainable", state)]
    if !optimizer.isEmpty { lines.append(line("Optimizer", optimizer)) }
    func count(_ types: [TensorType]) -> Int { types.reduce(0) { $0 + $1.elementCount } }
    return Totals(
      trainable: count(trainable), nonTrainable: count(state), optimizer: count(optimizer), lines: lines)
  }

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

  fileprivate static func table(header: [String], _ rows: [[String]]) -> [String] {
    let widths = header.indices.map { column in
      max(([header] + rows).map { $0[column].count }.max() ?? 0, [22, 22, 13, 12][min(column, 3)]) + 2
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
