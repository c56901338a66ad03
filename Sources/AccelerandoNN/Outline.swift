// What is known of a model from its description alone: its parameters, the shapes between its layers and whether it is
// valid. One trace finds out, before any memory is allocated or any data read.

import AccelerandoCore
import Dispatch
import Synchronization

/// The parameters and shapes of a model for inputs of given types.
public struct Outline: Sendable {
  /// The parameters, in the order of first use.
  public let parameters: [ParameterSpec]
  /// The types of the outputs; the first axis is the batch.
  public let outputs: [TensorType]
  /// The names of the outputs: those of a layer with several, and `output` for the only one of other layers.
  public let outputNames: [String]
  /// The model's layers in the order of their calls: the rows of a summary.
  public let layerCalls: [Scope.LayerCall]
  /// These calls and those of the layers inside, as far as a `Sequential` or `Functional` holds them, each before those
  /// inside it.
  public let nestedCalls: [Scope.LayerCall]
  /// The names of the parameters by property, for tracing the model again.
  public let names: ParameterNames
  /// The parameters' names by layer, as in `stem.weight` or `block.dense_1.bias`, by their names by property: names that a
  /// further layer without parameters does not change.
  public let lastingNames: [String: String]
  /// The inputs whose elements are used as row indices of a table.
  public let indexInputs: [IndexInput]

  /// The type of the output; of the first, where there are several.
  public var output: TensorType { outputs[0] }

  /// An input that is an index.
  public struct IndexInput: Hashable, Sendable {
    /// The number of the input.
    public let input: Int
    /// The rows of the table: indices are 0 to `count` − 1.
    public let count: Int
    /// The layer that has the table, as in errors.
    public let layer: String
  }

  /// Traces a model, in training and in inference.
  /// - Parameters:
  ///   - layer: the model.
  ///   - inputs: the types of its inputs, the batch axis included.
  /// - Throws: `GraphError` when the inputs do not fit the model, or the model itself is invalid.
  public init(of layer: any Layer, inputs: [TensorType]) throws {
    names = ParameterNames(of: layer)
    var collected: [ParameterSpec] = []
    var calls: [Scope.LayerCall] = []
    var nestedCalls: [Scope.LayerCall] = []
    var outputs: [TensorType] = []
    var indexInputs: [IndexInput] = []
    var lastingNames: [String: String] = [:]
    for isTraining in [true, false] {
      let graph = Graph()
      let key = graph.input("key", TensorType(.uint32, [2]))
      let scope = Scope(graph: graph, names: names, isTraining: isTraining, randomKey: key)
      let tensors = inputs.enumerated().map { graph.input(Self.inputName($0.offset), $0.element) }
      let results = scope.run { layer.applied(to: tensors) }
      if let error = graph.firstError { throw error }
      let known = Set(collected.map(\.name))
      collected += scope.parameters.filter { !known.contains($0.name) }
      outputs = results.map(\.type)
      calls = scope.layerCalls
      nestedCalls = scope.nestedCalls
      lastingNames.merge(scope.lastingNames) { first, _ in first }
      if !isTraining { indexInputs = try Self.indexInputs(graph, scope.lookUps, inputs: inputs.count) }
    }
    self.indexInputs = indexInputs
    self.lastingNames = lastingNames
    parameters = collected
    self.outputs = outputs
    outputNames = (layer as? any MultiOutputLayer)?.outputNames ?? ["output"]
    layerCalls = calls
    self.nestedCalls = nestedCalls
  }

  /// The inputs that are used as indices as they are, or but for their type and shape.
  private static func indexInputs(_ graph: Graph, _ lookUps: [Scope.LookUp], inputs: Int) throws -> [IndexInput] {
    if lookUps.isEmpty { return [] }
    let program = try Program(graph, outputs: lookUps.map(\.indices))
    let producers = Dictionary(
      program.instructions.flatMap { instruction in instruction.results.map { ($0, instruction) } },
      uniquingKeysWith: { first, _ in first })
    return zip(program.outputs, lookUps).compactMap { output, use in
      var value = output
      while let instruction = producers[value],
        instruction.operation is Convert || instruction.operation is AccelerandoCore.Reshape
      {
        value = instruction.operands[0]
      }
      guard program.inputs.indices.contains(value) else { return nil }
      let input = (0..<inputs).first { program.inputs[value].name == inputName($0) }
      return input.map { IndexInput(input: $0, count: use.rows, layer: use.layer) }
    }
  }

  private static func inputName(_ number: Int) -> String { "input \(number)" }

  /// The first values of the parameters: functions of the seed and of each parameter's name, so that adding a layer
  /// changes no other layer's.
  public func initialValues(seed: UInt64) -> Store {
    let key = RandomKey(seed: seed)
    let values = Mutex([NDArray?](repeating: nil, count: parameters.count))
    DispatchQueue.concurrentPerform(iterations: parameters.count) { number in
      let spec = parameters[number]
      let value = spec.initializer.makeArray(spec.type, key: key.folded(spec.name))
      values.withLock { $0[number] = value }
    }
    return Store(zip(parameters, values.withLock { $0 }).compactMap { spec, value in value.map { (spec.name, $0) } })
  }
}
