// Models whose layers form a graph: several inputs, branches, residual additions. Applying a layer to a `LayerOutput`
// records it; `Functional` sorts the record once into a flat list, so that depth needs no stack.

import AccelerandoCore

/// A value in a graph of layers that is being described: an input, or an output of a layer.
public class LayerOutput {
  /// The call of the layer whose output it is; nil for an input.
  fileprivate(set) var call: RecordedCall?
  /// The number of the output among those of the layer.
  let index: Int

  init(_ call: RecordedCall?, index: Int = 0) {
    self.call = call
    self.index = index
  }

  /// The sum, element by element.
  public static func + (a: LayerOutput, b: LayerOutput) -> LayerOutput { Add()([a, b]) }
  /// The difference, element by element.
  public static func - (a: LayerOutput, b: LayerOutput) -> LayerOutput { Subtract()([a, b]) }
  /// The product, element by element.
  public static func * (a: LayerOutput, b: LayerOutput) -> LayerOutput { Multiply()([a, b]) }

  /// Each element plus a number.
  public static func + (a: LayerOutput, b: Double) -> LayerOutput { Rescaling(1, offset: b)(a) }
  /// A number plus each element.
  public static func + (a: Double, b: LayerOutput) -> LayerOutput { b + a }
  /// Each element minus a number.
  public static func - (a: LayerOutput, b: Double) -> LayerOutput { a + -b }
  /// A number minus each element.
  public static func - (a: Double, b: LayerOutput) -> LayerOutput { Rescaling(-1, offset: a)(b) }
  /// Each element times a number.
  public static func * (a: LayerOutput, b: Double) -> LayerOutput { Rescaling(b)(a) }
  /// A number times each element.
  public static func * (a: Double, b: LayerOutput) -> LayerOutput { b * a }
  /// Each element divided by a number.
  public static func / (a: LayerOutput, b: Double) -> LayerOutput { a * (1 / b) }
  /// Each element with the other sign.
  public static prefix func - (a: LayerOutput) -> LayerOutput { a * -1 }
}

/// A layer with the values that it is applied to. Its outputs share it.
final class RecordedCall {
  let layer: any Layer
  fileprivate(set) var sources: [LayerOutput]

  init(_ layer: any Layer, on sources: [LayerOutput]) {
    self.layer = layer
    self.sources = sources
  }

  /// Releases a long chain piece by piece: otherwise each release would call the next, and deep models would overflow
  /// the stack.
  deinit {
    var pending = sources
    sources = []
    while var last = pending.popLast() {
      guard isKnownUniquelyReferenced(&last), var call = last.call else { continue }
      last.call = nil
      if isKnownUniquelyReferenced(&call) {
        pending += call.sources
        call.sources = []
      }
    }
  }
}

/// An input of a graph of layers.
public final class Input: LayerOutput {
  /// The shape of one sample, without the batch axis.
  public let shape: [Int]
  /// The element type that layers see.
  public let dtype: DType
  /// The input's name, for data by name and for messages.
  public let name: String?

  /// Describes an input.
  /// - Parameters:
  ///   - shape: the shape of one sample, without the batch axis.
  ///   - dtype: the element type that layers see.
  ///   - name: the input's name, for data by name and for messages.
  public init(shape: [Int], dtype: DType = .float32, name: String? = nil) {
    self.shape = shape
    self.dtype = dtype
    self.name = name
    super.init(nil)
  }
}

extension Layer {
  /// Records the layer in a graph of layers.
  /// - Returns: its output; the first, where there are several.
  public func callAsFunction(_ x: LayerOutput) -> LayerOutput { LayerOutput(RecordedCall(self, on: [x])) }

  /// Records the layer, with all of its inputs, in a graph of layers.
  /// - Returns: all of its outputs.
  public func applied(to inputs: [LayerOutput]) -> [LayerOutput] {
    let call = RecordedCall(self, on: inputs)
    return (0..<max(outputCount, 1)).map { LayerOutput(call, index: $0) }
  }
}

extension MergeLayer {
  /// Records the layer, with several inputs, in a graph of layers.
  /// - Returns: its output; the first, where there are several.
  public func callAsFunction(_ inputs: [LayerOutput]) -> LayerOutput { LayerOutput(RecordedCall(self, on: inputs)) }
}

/// A layer made of a graph of layers.
public struct Functional: MultiOutputLayer {
  /// One sample of an input.
  public struct InputSpec: Hashable, Sendable {
    /// The shape of one sample, without the batch axis; nil for any.
    public let shape: [Int]?
    /// The element type that layers see.
    public let dtype: DType
    /// The input's name, for data by name and for messages.
    public let name: String?
  }

  /// An output.
  public struct OutputSpec: Hashable, Sendable {
    /// The output's name: the one that it was given, or that of its layer.
    public let name: String
    /// The index of the value, as in `sources`.
    public let value: Int
  }

  /// The layers, operands before users. A layer that is used twice is listed twice, with the same parameters.
  public let layers: [any Layer]
  /// The inputs.
  public let inputs: [InputSpec]
  /// The outputs.
  public let outputs: [OutputSpec]
  public let name: String?
  /// For each layer, the indices of its operands: an index below `inputs.count` is an input; the others are the outputs
  /// of the layers, one layer after the other.
  public let sources: [[Int]]
  let problem: String?

  public var outputNames: [String] { outputs.map(\.name) }

  /// Makes a layer of the graph between `inputs` and `output`.
  public init(inputs: [Input], output: LayerOutput, name: String? = nil) {
    self.init(inputs: inputs, outputs: [output], name: name)
  }

  /// Makes a layer of the graph between `inputs` and `outputs`, which have the names of their layers. Two outputs of one
  /// name are an error in the trace.
  public init(inputs: [Input], outputs: [LayerOutput], name: String? = nil) {
    self.init(inputs: inputs, named: outputs.map { (nil, $0) }, name: name)
  }

  /// Makes a layer of the graph between `inputs` and named outputs, as in `["digit": digit, "parity": parity]`.
  public init(inputs: [Input], outputs: KeyValuePairs<String, LayerOutput>, name: String? = nil) {
    self.init(inputs: inputs, named: outputs.map { ($0.key, $0.value) }, name: name)
  }

  private init(inputs: [Input], named outputs: [(name: String?, value: LayerOutput)], name: String?) {
    var record = Record(inputs)
    for output in outputs { record.add(output.value) }
    self.init(
      layers: record.layers, sources: record.sources,
      inputs: inputs.map { InputSpec(shape: $0.shape, dtype: $0.dtype, name: $0.name) },
      outputs: outputs.map { ($0.name, record.number(of: $0.value)) }, name: name, problem: record.problem)
  }

  init(
    layers: [any Layer], sources: [[Int]], inputs: [InputSpec], outputs: [(name: String?, value: Int)], name: String?,
    problem: String? = nil
  ) {
    self.layers = layers
    self.sources = sources
    self.inputs = inputs
    self.name = name
    let names = outputs.contains { $0.name == nil } ? Self.valueNames(layers, inputs) : []
    self.outputs = outputs.map { output in
      let own = names.indices.contains(output.value) ? names[output.value] : "output"
      return OutputSpec(name: output.name ?? own, value: output.value)
    }
    self.problem = problem ?? Self.problem(with: self.outputs)
  }

  private static func problem(with outputs: [OutputSpec]) -> String? {
    if outputs.isEmpty { return "the graph has no output." }
    var known: Set<String> = []
    for output in outputs where output.name.isEmpty || !known.insert(output.name).inserted {
      return output.name.isEmpty
        ? "an output has an empty name."
        : "two outputs have the name '\(output.name)'. Give them names: outputs: [\"a\": …, \"b\": …]."
    }
    return nil
  }

  /// The names of all values: those of the inputs, and of the layers, numbered by type where they have none.
  /// - Parameter separator: what stands between a layer's name and that of one of its further outputs, or, for a point, of
  ///   any of its several outputs.
  private static func valueNames(
    _ layers: [any Layer], _ inputs: [InputSpec], separator: String = "_"
  ) -> [String] {
    var counts: [String: Int] = [:]
    var names = inputs.map { $0.name ?? numbered("input", &counts) }
    for layer in layers {
      let name = layer.name ?? numbered(snakeCase(layer.typeName), &counts)
      let outputs = (layer as? any MultiOutputLayer)?.outputNames ?? []
      names.append(outputs.count > 1 && separator == "." ? "\(name).\(outputs[0])" : name)
      names += outputs.dropFirst().map { "\(name)\(separator)\($0)" }
    }
    return names
  }

  /// Whether each layer reads the one before, the first the only input, and the last is the output.
  package var isChain: Bool {
    inputs.count == 1 && outputs.count == 1 && layers.allSatisfy { $0.outputCount == 1 }
      && sources.enumerated().allSatisfy { $0.element == [$0.offset] } && outputs[0].value == layers.count
  }

  /// Whether a single output has the name that it would have anyway.
  var hasOrdinaryOutput: Bool {
    guard outputs.count == 1 else { return false }
    let names = Self.valueNames(layers, inputs)
    return names.indices.contains(outputs[0].value) && names[outputs[0].value] == outputs[0].name
  }

  /// The same graph with other layers.
  /// - Parameter replacement: the replacement of one of `layers`, by its index.
  public func replacingLayers(_ replacement: (Int, any Layer) throws -> any Layer) rethrows -> Functional {
    Functional(
      layers: try layers.enumerated().map { try replacement($0.offset, $0.element) }, sources: sources, inputs: inputs,
      outputs: outputs.map { ($0.name, $0.value) }, name: name, problem: problem)
  }

  public var acceptsIntegers: Bool { true }

  public func outputs(of tensors: [Tensor]) -> [Tensor] {
    let first = tensors.first ?? Graph().input("no input", TensorType(.float32, []))
    func rejected(_ complaint: String) -> [Tensor] {
      [Tensor](repeating: first.rejected(complaint), count: max(outputs.count, 1))
    }
    if let problem { return rejected(problem) }
    guard tensors.count == inputs.count else {
      return rejected("takes \(inputs.count) inputs; received \(tensors.count).")
    }
    for (index, (tensor, input)) in zip(tensors, inputs).enumerated() {
      guard let shape = input.shape else { continue }
      guard Array(tensor.shape.dropFirst()) == shape, tensor.rank >= 1 else {
        let label = input.name.map { "'\($0)'" } ?? String(index)
        return rejected(
          "needs samples of shape \(shape) at input \(label); received \(Array(tensor.shape.dropFirst())).")
      }
    }
    var values = tensors
    let names = Scope.current == nil ? [] : Self.valueNames(layers, inputs, separator: ".")
    for (layer, operands) in zip(layers, sources) {
      let reads = operands.compactMap { names.indices.contains($0) ? names[$0] : nil }
      values += layer.called(operands.map { values[$0] }, name: nil, reads: reads)
    }
    return outputs.map { values[$0.value] }
  }
}

/// The calls that outputs depend on, each after those of its operands.
private struct Record {
  private(set) var layers: [any Layer] = []
  private(set) var sources: [[Int]] = []
  private(set) var problem: String?
  private var count: Int
  private var inputs: [ObjectIdentifier: Int] = [:]
  /// The number of the first output of each call.
  private var calls: [ObjectIdentifier: Int] = [:]

  init(_ inputs: [Input]) {
    count = inputs.count
    for (index, input) in inputs.enumerated() { self.inputs[ObjectIdentifier(input)] = index }
    if self.inputs.count < inputs.count { problem = "the same input is listed twice." }
  }

  func number(of value: LayerOutput) -> Int { known(value) ?? 0 }

  private func known(_ value: LayerOutput) -> Int? {
    guard let call = value.call else { return inputs[ObjectIdentifier(value)] }
    return calls[ObjectIdentifier(call)].map { $0 + value.index }
  }

  mutating func add(_ output: LayerOutput) {
    var stack: [(place: LayerOutput, isExpanded: Bool)] = [(output, false)]
    while let (place, isExpanded) = stack.popLast() {
      if known(place) != nil { continue }
      guard let call = place.call else {
        let shape = (place as? Input)?.shape ?? []
        problem = problem ?? "the output depends on an input of shape \(shape) that is not among the model's inputs."
        continue
      }
      if isExpanded {
        calls[ObjectIdentifier(call)] = count
        count += max(call.layer.outputCount, 1)
        layers.append(call.layer)
        sources.append(call.sources.map(number))
      } else {
        stack.append((place, true))
        for source in call.sources.reversed() where known(source) == nil { stack.append((source, false)) }
      }
    }
  }
}
