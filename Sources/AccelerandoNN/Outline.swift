// What is known of a model from its description alone: its parameters, the shapes between its layers and whether it is
// valid. One trace finds out, before any memory is allocated or any data read.

import AccelerandoCore

/// The parameters and shapes of a model for inputs of given types.
public struct Outline: Sendable {
  /// The parameters, in the order of first use.
  public let parameters: [ParameterSpec]
  /// The type of the output; the first axis is the batch.
  public let output: TensorType
  /// The model's layers in the order of their calls: the rows of a summary.
  public let layerCalls: [Scope.LayerCall]
  /// The names of the parameters by property, for tracing the model again.
  public let names: ParameterNames

  /// Traces a model, in training and in inference.
  /// - Parameters:
  ///   - layer: the model.
  ///   - inputs: the types of its inputs, the batch axis included.
  /// - Throws: `GraphError` when the inputs do not fit the model, or the model itself is invalid.
  public init(of layer: any Layer, inputs: [TensorType]) throws {
    names = ParameterNames(of: layer)
    var collected: [ParameterSpec] = []
    var calls: [Scope.LayerCall] = []
    var output = TensorType(.float32, [])
    for isTraining in [true, false] {
      let graph = Graph()
      let key = graph.input("key", TensorType(.uint32, [2]))
      let scope = Scope(graph: graph, names: names, isTraining: isTraining, randomKey: key)
      let tensors = inputs.enumerated().map { graph.input("input \($0.offset)", $0.element) }
      let result = scope.run { layer.applied(to: tensors) }
      if let error = graph.firstError { throw error }
      let known = Set(collected.map(\.name))
      collected += scope.parameters.filter { !known.contains($0.name) }
      output = result.type
      calls = scope.layerCalls
    }
    parameters = collected
    self.output = output
    layerCalls = calls
  }

  /// The first values of the parameters: functions of the seed and of each parameter's name, so that adding a layer
  /// changes no other layer's.
  public func initialValues(seed: UInt64) -> Store {
    let key = RandomKey(seed: seed)
    return Store(
      parameters.map { spec in
        (spec.name, spec.initializer.makeArray(spec.type, key: key.folded(spec.name)))
      })
  }
}
