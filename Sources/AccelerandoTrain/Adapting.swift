// What layers learn from the data before training: the model runs up to each of them, and hands them what they would read.
// One pass serves all layers that do not need each other.

import AccelerandoCore
import AccelerandoNN

extension Model {
  /// The layers that learn from data before training, wherever they stand, with the names of their parameters. Those whose
  /// values were given are not among them.
  private func adaptiveLayers() throws -> [AdaptivePart] {
    let names = try outline().names
    var found: [AdaptivePart] = []
    for name in names.all {
      guard let layer = names.owner(of: name) as? any AdaptiveLayer,
        let count = layer.adaptationCount,
        names.name(of: count) == name
      else { continue }
      // A layer that is never called has nothing to learn from.
      guard try outline().parameters.contains(where: { $0.name == name }) else { continue }
      let own = Set(names.names(inside: layer).values)
      found.append(AdaptivePart(layer: layer, count: name, parameters: own))
    }
    return found
  }

  /// Whether the model has layers that have to be adapted to data before it is trained.
  public var needsAdapting: Bool {
    get throws { try !unadapted().isEmpty }
  }

  private func unadapted() throws -> [AdaptivePart] {
    try prepareValues()
    return try adaptiveLayers().filter { part in
      try session.value(StateName.parameter(part.count))?.elements(as: Int32.self).first ?? 0 == 0
    }
  }

  /// Lets all layers that learn from data before training do so: `Normalization` its mean and variance, `Discretization`
  /// its boundaries. They are found wherever they stand in the model; each learns from what it reads there. Layers with given
  /// values are left alone, and so are those that are adapted already.
  ///
  /// One pass over the data is enough, unless such layers stand one behind the other. What is learned does not depend on the
  /// batch size.
  /// - Parameters:
  ///   - data: the samples to train on; labels are ignored.
  ///   - batchSize: the number of samples that are computed at a time.
  ///   - again: whether layers that are adapted already forget it and learn from these data.
  /// - Throws: `TrainingError` when data and model do not fit, or a layer cannot learn from what it reads.
  public func adapt(to data: Dataset, batchSize: Int = 256, again: Bool = false) throws {
    try prepareValues()
    var waiting = try again ? adaptiveLayers() : unadapted()
    while !waiting.isEmpty {
      let pass = try AdaptingPass(self, waiting)
      let values = try pass.run(data, batchSize: batchSize)
      try outline().names.noteLearning()
      try take(values)
      waiting.removeAll { part in pass.parts.contains { $0.count == part.count } }
    }
  }

  /// Refuses to train a model with layers that have learned nothing yet.
  func checkAdapted() throws {
    guard let first = try unadapted().first else { return }
    throw TrainingError(
      "\(first.description) has not learned from data yet: call 'adapt(to:)' with the training data before 'fit', or give the "
        + "layer its values with its settings.")
  }
}

/// A layer that learns from data.
private struct AdaptivePart: CustomStringConvertible {
  let layer: any AdaptiveLayer
  /// The name of the parameter that counts what it has seen.
  let count: String
  /// The names of all its parameters.
  let parameters: Set<String>

  var description: String {
    "the layer \(layer.name.map { "'\($0)'" } ?? layer.typeName) (\(count))"
  }
}

/// One pass over data, for the layers that do not wait for others.
private final class AdaptingPass {
  /// The layers that learn in this pass.
  let parts: [AdaptivePart]
  private let model: Model
  private let weights: Store
  private var adaptations: [(any LayerAdaptation)?]
  private var runs: [[TensorType]: Run] = [:]

  /// A compiled program of all readings, and the buffers of its features.
  private struct Run {
    let execution: any Execution
    let features: [any Buffer]
    /// The number of readings of each layer.
    let counts: [Int]
  }

  init(_ model: Model, _ waiting: [AdaptivePart]) throws {
    self.model = model
    weights = try model.settledWeights()
    let inputs = model.inputs.map { TensorType($0.dtype, [1] + $0.shape) }
    let trace = try AdaptingTrace(model, weights, waiting, inputs)
    let ready = try trace.independent()
    guard !ready.isEmpty else {
      throw TrainingError(
        "\(waiting[0].description) reads what it gives itself: there is nothing that it could learn from."
      )
    }
    parts = ready.map { waiting[$0] }
    adaptations = ready.map { _ in nil }
  }

  /// Runs over the data.
  /// - Returns: what the layers have learned, by the names of parameters.
  func run(_ data: Dataset, batchSize: Int) throws -> [(String, NDArray)] {
    let feeder = try model.feeder(data.shuffled(false), .predict, batchSize: batchSize)
    try feeder.begin(pass: 0)
    var sample = 0
    while let (batch, _) = try feeder.nextBatch() {
      for (index, arrays) in try readings(batch).enumerated() {
        for array in arrays {
          if let wrong = array.firstElement(where: { !$0.isFinite }) {
            let each = max(array.elementCount / max(array.shape.first ?? 1, 1), 1)
            throw TrainingError(
              "\(parts[index].description) cannot learn from sample \(sample + wrong.index / each): it reads \(wrong.value) there. "
                + "Fill in or leave out what is missing.")
          }
          if adaptations[index] == nil {
            adaptations[index] = parts[index].layer.makeAdaptation(for: array.type)
          }
          adaptations[index]?.add(array)
        }
      }
      sample += batch.count
    }
    let names = try model.outline().names
    return try zip(parts, adaptations).flatMap { part, adaptation in
      guard let adaptation else {
        throw TrainingError("the dataset is empty: there is nothing to adapt to.")
      }
      do {
        return try adaptation.values().compactMap { entry in
          names.name(of: entry.parameter).map { ($0, entry.value) }
        }
      } catch let error as GraphError {
        throw TrainingError("\(part.description) \(error.message)")
      }
    }
  }

  /// What each layer reads in its calls, for a batch.
  private func readings(_ batch: Batch) throws -> [[NDArray]] {
    let run = try run(for: batch.features.map(\.type))
    for (buffer, array) in zip(run.features, batch.features) { try buffer.write(array) }
    try run.execution.run()
    var results = try run.execution.outputs.map { try $0.read() }[...]
    return run.counts.map { count in
      defer { results = results.dropFirst(count) }
      return Array(results.prefix(count))
    }
  }

  private func run(for types: [TensorType]) throws -> Run {
    if let known = runs[types] { return known }
    let trace = try AdaptingTrace(model, weights, parts, types)
    let program = try Program(trace.graph, outputs: trace.readings.flatMap { $0 })
    let features = try types.map(model.backend.makeBuffer)
    let execution = try model.backend.compile(program).bind(
      features + weights.entries.map { try model.backend.upload($0.1) })
    let run = Run(execution: execution, features: features, counts: trace.readings.map(\.count))
    runs[types] = run
    return run
  }
}

/// The model's formula for a batch, up to what some layers read.
private struct AdaptingTrace {
  let graph: Graph
  /// What each of the layers reads, in the order of its calls.
  let readings: [[Tensor]]
  private let parts: [AdaptivePart]

  init(_ model: Model, _ weights: Store, _ parts: [AdaptivePart], _ types: [TensorType]) throws {
    let graph = Graph()
    self.graph = graph
    self.parts = parts
    let names = try model.outline().names
    let features = types.enumerated().map { graph.input(StateName.feature($0.offset), $0.element) }
    let values = Dictionary(
      uniqueKeysWithValues: weights.entries.map { ($0.0, graph.input($0.0, $0.1.type)) })
    let scope = Scope(
      graph: graph, names: names, values: values,
      randomKey: graph.add(Constant(RandomKey(seed: model.seed).array)),
      transforms: model.parameterTransforms)
    var found = [[Tensor]](repeating: [], count: parts.count)
    scope.onInput = { layer, inputs in
      guard let count = (layer as? any AdaptiveLayer)?.adaptationCount,
        let name = names.name(of: count),
        let index = parts.firstIndex(where: { $0.count == name })
      else { return }
      found[index] += inputs
    }
    _ = scope.run { model.layer.applied(to: features) }
    if let error = graph.firstError { throw error }
    for (part, tensors) in zip(parts, found) where tensors.contains(where: { $0.graph !== graph }) {
      throw TrainingError(
        "\(part.description) stands inside a loop, where it cannot be adapted. Give it its values with its settings."
      )
    }
    readings = found
  }

  /// The layers that read nothing that depends on what one of the layers has yet to learn.
  func independent() throws -> [Int] {
    let unknown = parts.reduce(into: Set<String>()) { $0.formUnion($1.parameters) }
    return try parts.indices.filter { index in
      let program = try Program(graph, outputs: readings[index])
      let used = Set(program.instructions.flatMap(\.operands) + program.outputs)
      return !program.inputs.indices.contains {
        used.contains($0) && unknown.contains(program.inputs[$0].name)
      }
    }
  }
}
