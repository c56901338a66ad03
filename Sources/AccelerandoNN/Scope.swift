// The context of a trace, available to layers without being passed through every call: the tensor of each parameter,
// whether this is training, the source of randomness. All reads of parameters pass through here, so that masks, casts
// and quantization work on any model.

import AccelerandoCore

/// The context of one trace of a model.
///
/// Unchecked because it holds a graph, which must stay on one thread: a scope is made, used and dropped by the thread
/// that traces. It has to be Sendable only because task-local values are.
public final class Scope: @unchecked Sendable {
  /// The scope of the current trace, if there is one.
  @TaskLocal public static var current: Scope?

  /// Whether the current trace is of a training step; false outside a trace.
  public static var isTraining: Bool { current?.isTraining ?? false }

  /// A change to every read of a parameter: receives the parameter and its tensor, returns the tensor to use instead.
  public typealias Transform = (ParameterSpec, Tensor) -> Tensor

  /// One call of a layer directly inside the model: a row of the model's summary.
  public struct LayerCall: Sendable {
    /// The layer's name.
    public let name: String
    /// The layer's type.
    public let typeName: String
    /// The layers and inputs whose values it reads, by their names in the layer around; empty where that does not name them.
    public let reads: [String]
    /// How many layers of the model are around it.
    public let depth: Int
    /// The layer.
    public let layer: any Layer
    /// The types of its inputs.
    public let inputs: [TensorType]
    /// The types of the outputs.
    public let outputs: [TensorType]
    /// The names of the parameters that were first used in this call.
    public let parameters: [String]

    /// The type of the output; of the first, where there are several.
    public var output: TensorType { outputs.first ?? TensorType(.float32, []) }
  }

  /// One use of a tensor's elements as row indices of a table.
  package struct LookUp {
    /// The numbers of rows.
    package let indices: Tensor
    /// The rows of the table.
    package let rows: Int
    /// The layer that has the table.
    package let layer: String
  }

  /// The graph that is traced into.
  public let graph: Graph
  /// Whether this is a training step: dropout drops, normalization uses the batch.
  public let isTraining: Bool
  /// The part of the batch that is traced, if several workers compute it together.
  public let share: BatchShare?
  /// The element type that layers compute in; nil for that of their inputs and parameters.
  public let computeType: DType?
  /// The parameters that were used, in the order of first use.
  public private(set) var parameters: [ParameterSpec] = []
  /// The new values of state, by the parameter's name.
  public private(set) var updates: [String: Tensor] = [:]
  /// The calls of the outermost layer's direct sublayers, in order.
  public private(set) var layerCalls: [LayerCall] = []
  /// The calls of all layers that stand in a `Sequential` or `Functional`, each before those inside it.
  public private(set) var nestedCalls: [LayerCall] = []

  /// What layers add to the loss: scalars of type `float32`, of which each worker has its own part.
  package private(set) var losses: [Tensor] = []

  /// The part that each sample keeps of itself where a layer has mixed it with the next one of the batch, `float32[N]`; nil
  /// where none has.
  package private(set) var sampleMix: Tensor?
  /// Whether the step mixes its losses where a layer has mixed samples.
  package var mixesLosses = false

  /// The uses of tensors as indices, in order.
  package private(set) var lookUps: [LookUp] = []
  /// Is told every output of every layer, inner layers first, with the path to the layer.
  package var onResult: ((_ path: [String], _ layer: any Layer, _ result: Tensor) -> Void)?
  /// Is told what every layer reads, outer layers first.
  package var onInput: ((_ layer: any Layer, _ inputs: [Tensor]) -> Void)?

  /// The names of the parameters that are not trained, state included.
  private let frozen: Set<String>
  private let names: ParameterNames
  private var values: [String: Tensor]
  /// Whether parameters become inputs of the graph as they are met: in the first trace of a model.
  let addsInputs: Bool
  private let transforms: [Transform]
  private let randomKey: Tensor?
  private var randomCount = 0
  private var specs: [String: ParameterSpec] = [:]
  /// The names of parameters by the layers that use them first, by their own names.
  private(set) var lastingNames: [String: String] = [:]
  private var takenNames: Set<String> = []
  private var transformed: [String: Tensor] = [:]
  private var frames: [Frame] = []
  /// The masks of tensors, by their places in the graph.
  private var masks: [Tensor.Place: Tensor] = [:]

  /// A layer that is being called.
  private struct Frame {
    /// The layer, and its name in the layer around.
    let layer: any Layer
    let name: String
    /// The names of its parameters, once they are asked for.
    var parameterNames: ParameterNames?
    /// The calls of unnamed layers inside, by type.
    var typeCounts: [String: Int] = [:]
    /// The calls of layers inside.
    var callCount = 0
    /// The layers inside that were given names, with the number of their first call.
    var named: [String: (layer: any Layer, call: Int)] = [:]
  }

  /// Prepares a trace.
  /// - Parameters:
  ///   - graph: where operations are recorded.
  ///   - names: the names of the model's parameters.
  ///   - values: the tensor of each parameter by name. Nil adds an input to the graph for each parameter at first use.
  ///   - isTraining: whether layers behave as in training.
  ///   - randomKey: the `uint32[2]` key for the randomness of layers; nil if there is none.
  ///   - transforms: applied to every read of a parameter, in order.
  ///   - share: the part of the batch that is traced, if several workers compute it together.
  ///   - computeType: the element type that layers compute in, if not that of their inputs and parameters.
  ///   - frozen: the names of parameters that are not trained. Layers see it by `Parameter.isFrozen`.
  public init(
    graph: Graph, names: ParameterNames, values: [String: Tensor]? = nil, isTraining: Bool = false,
    randomKey: Tensor? = nil, transforms: [Transform] = [], share: BatchShare? = nil, computeType: DType? = nil,
    frozen: Set<String> = []
  ) {
    self.frozen = frozen
    self.share = share
    self.computeType = computeType
    self.graph = graph
    self.names = names
    self.values = values ?? [:]
    addsInputs = values == nil
    self.isTraining = isTraining
    self.randomKey = randomKey
    self.transforms = transforms
  }

  /// Runs `body` with this scope as the current one.
  public func run<Result>(_ body: () throws -> Result) rethrows -> Result {
    try Scope.$current.withValue(self, operation: body)
  }

  /// A key (`uint32[2]`) that no other use in this trace gets: randomness is a function of the step's key and the
  /// position in the trace. Reports an error and returns zeros if the trace has no randomness.
  public func nextRandomKey() -> Tensor {
    guard let randomKey else {
      graph.report(GraphError("needs randomness, and this trace has no random key."))
      return graph.add(Constant(NDArray(zeros: TensorType(.uint32, [2]))))
    }
    defer { randomCount += 1 }
    return randomKey.foldingIn(UInt32(truncatingIfNeeded: randomCount))
  }
}

extension Scope {
  /// The tensor with elements set to zero with probability `rate` and the others divided by 1 − `rate`; each call draws
  /// its own mask. Workers that share a batch draw the same mask as one worker alone.
  func dropout(_ x: Tensor, rate: Double) -> Tensor {
    x.graph.add(AccelerandoCore.Dropout(rate: rate), [x] + randomness(forShape: x.shape))[0]
  }

  /// Dropout with a mask of a shape that broadcasts to the tensor's.
  func dropout(_ x: Tensor, rate: Double, mask shape: [Int]) -> Tensor {
    if shape == x.shape { return dropout(x, rate: rate) }
    return x * dropout(x.scalar(1).broadcast(to: shape), rate: rate).broadcast(to: x.shape)
  }

  /// What random bits for a tensor of this shape follow from: a key of its own, and the position of the worker's part if
  /// the first axis is a batch that workers share.
  func randomness(forShape shape: [Int]) -> [Tensor] {
    [nextRandomKey()] + (share.flatMap { $0.randomPosition(ofShape: shape) }.map { [$0] } ?? [])
  }
}

// MARK: - Mixed samples

extension Scope {
  /// Notes that a layer has mixed each sample with the next one of the batch, so that the step mixes the losses.
  /// - Parameter kept: the part that each sample keeps of itself, `float32[N]`.
  func mixSamples(keeping kept: Tensor) {
    // The first trace of a model only finds out what there is.
    guard isHere(kept), mixesLosses || addsInputs else {
      graph.report(
        GraphError(
          "mixes samples, and their labels have to be mixed too: only 'fit' does that, for layers outside of loops."))
      return
    }
    sampleMix = kept
  }
}

// MARK: - Losses

extension Layer {
  /// Adds the sum of a tensor's elements to the loss of the step, in training and in evaluation; without effect in
  /// prediction. It may depend on parameters and on the inputs. Workers that share a batch each compute it for their part,
  /// and its mean counts, weighted by their numbers of samples: what is a sum over samples should be added with
  /// `addLoss(ofSamples:)`.
  public func addLoss(_ value: Tensor) { Scope.current?.addLoss(value) }

  /// Adds the mean over the batch of the numbers of each sample, `[N, …]`, to the loss of the step: the sum of all elements,
  /// divided by the number of samples, whatever the number of workers.
  public func addLoss(ofSamples values: Tensor) { Scope.current?.addLoss(ofSamples: values) }
}

extension Scope {
  func addLoss(_ value: Tensor) {
    guard isHere(value) else { return }
    let sum = value.converted(to: .float32).sum()
    losses.append(share.map { sum * ($0.sampleCount / Double(max($0.globalCount, 1))) } ?? sum)
  }

  func addLoss(ofSamples values: Tensor) {
    guard isHere(values) else { return }
    guard values.rank >= 1, let (samples, count) = rows(values) else { return }
    losses.append(samples.converted(to: .float32).sum() / Double(max(count, 1)))
  }

  /// Adds the penalty of a layer's results to the loss, divided by the number of samples.
  func regularize(_ result: Tensor, by regularizer: any Regularizer) {
    guard isHere(result), result.dtype.isFloating else { return }
    if share != nil, !regularizer.isElementwise {
      graph.report(
        GraphError(
          "has an activity regularizer of type \(type(of: regularizer)), whose penalty needs the whole batch; several workers "
            + "share it. Train with one worker, or use one whose penalty is a sum over elements, like L2."))
      return
    }
    guard result.rank >= 1 else { return losses.append(regularizer.penalty(result).converted(to: .float32)) }
    guard let (samples, count) = rows(result) else { return }
    losses.append(regularizer.penalty(samples.widened()).converted(to: .float32) / Double(max(count, 1)))
  }

  /// A tensor of samples without those that only fill up a worker's part, and the number of its rows in the whole batch.
  private func rows(_ x: Tensor) -> (samples: Tensor, count: Int)? {
    guard let share else { return (x, x.shape[0]) }
    // Time-distributed layers have several rows for each sample.
    guard share.count > 0, x.shape[0] % share.count == 0 else {
      graph.report(
        GraphError(
          "adds a loss of \(x.shape), whose first axis is not the batch of \(share.count) samples; with several workers it "
            + "needs to be."))
      return nil
    }
    let each = x.shape[0] / share.count
    if each == 1 { return (share.masked(x), share.globalCount) }
    let split = x.reshaped([share.count, each] + x.shape.dropFirst())
    return (share.masked(split).reshaped(x.shape), share.globalCount * each)
  }

  /// Whether a tensor is of the step itself; in the body of a loop it has a value in each round.
  private func isHere(_ value: Tensor) -> Bool {
    if value.graph === graph { return true }
    value.graph.report(
      GraphError("adds a loss inside a loop, where it has a value in each round. Add the loss of the loop's results."))
    return false
  }
}

// MARK: - Parameters

extension Scope {
  func read(_ parameter: Parameter, _ shape: [Int]) -> Tensor {
    let type = TensorType(parameter.dtype, shape)
    guard let name = names.name(of: parameter) else {
      graph.report(
        GraphError(
          "uses a parameter that is no stored property of the model's layers. "
            + "Store the layer or the parameter in a property; do not make it inside 'forward'."))
      return graph.input("unknown parameter", type)
    }
    guard shape.allSatisfy({ $0 >= 0 }) else {
      graph.report(GraphError("asks for parameter '\(name)' with the shape \(shape)."))
      return graph.input(name, type)
    }
    if let spec = specs[name] {
      guard spec.type == type else {
        graph.report(
          GraphError("parameter '\(name)' is \(spec.type) where it was first used; asked for \(type) here."))
        return graph.input(name, type)
      }
      if let known = transformed[name] { return known }
    }
    let spec = ParameterSpec(name: name, type: type, role: parameter.role, initializer: parameter.initializer)
    if specs[name] == nil {
      do {
        try Catalog.initializers.check(parameter.initializer)
      } catch {
        graph.report(GraphError("parameter '\(name)': \(error)"))
      }
      specs[name] = spec
      parameters.append(spec)
      if addsInputs { lastingNames[name] = lastingName(of: parameter, otherwise: name) }
    }
    guard let value = value(for: spec) else { return graph.input(name, type) }
    var result = transforms.reduce(value) { $1(spec, $0) }
    if let computeType, !parameter.keepsPrecision, spec.role == .trainable, result.dtype.isFloating {
      result = result.converted(to: computeType)
    }
    transformed[name] = result
    return result
  }

  /// The names of the layers that are being called, and the parameter's name in the last one.
  private func lastingName(of parameter: Parameter, otherwise name: String) -> String {
    guard let last = frames.indices.last else { return name }
    let names = frames[last].parameterNames ?? ParameterNames(of: frames[last].layer)
    frames[last].parameterNames = names
    let path = frames.dropFirst().map(\.name) + [names.name(of: parameter) ?? name]
    let lasting = path.joined(separator: ".")
    return takenNames.insert(lasting).inserted ? lasting : name
  }

  private func value(for spec: ParameterSpec) -> Tensor? {
    if let value = values[spec.name] {
      if value.type == spec.type { return value }
      graph.report(
        GraphError(
          "parameter '\(spec.name)' holds \(value.type); asked for \(spec.type) here. "
            + "The model was made for inputs of another shape."))
      return nil
    }
    guard addsInputs else {
      graph.report(GraphError("parameter '\(spec.name)' has no value: it was not used when the model was made."))
      return nil
    }
    let value = graph.input(spec.name, spec.type)
    values[spec.name] = value
    return value
  }

  func update(_ parameter: Parameter, _ value: Tensor) {
    guard let name = names.name(of: parameter), let spec = specs[name] else {
      graph.report(GraphError("updates a parameter that this trace has not read before."))
      return
    }
    guard spec.role == .state else {
      graph.report(GraphError("updates '\(name)', which the optimizer trains. Declare it with role: .state."))
      return
    }
    guard value.graph === graph else {
      graph.report(
        GraphError("updates '\(name)' inside a loop or a branch. Return the value from it and update outside."))
      return
    }
    guard value.type == spec.type else {
      graph.report(GraphError("parameter '\(name)' is \(spec.type); updated with \(value.type)."))
      return
    }
    updates[name] = value
    transformed[name] = value
  }
}

extension Scope {
  /// The tensor that stands for a parameter at this point of the trace; nil if it has none yet.
  package func value(of name: String) -> Tensor? { updates[name] ?? values[name] }

  /// Lets later reads of a parameter see a new value, of the same type.
  package func replaceValue(of name: String, with value: Tensor) {
    values[name] = value
    transformed[name] = nil
  }
}

// MARK: - Masks

extension Scope {
  package func mask(of x: Tensor) -> Tensor? { masks[x.place] }
  func setMask(_ mask: Tensor, of x: Tensor) { masks[x.place] = mask }
}

extension Parameter {
  /// Whether the parameter is frozen in the current trace: then a layer computes with it as in inference.
  public var isFrozen: Bool { Scope.current?.isFrozen(self) ?? false }
}

extension Scope {
  fileprivate func isFrozen(_ parameter: Parameter) -> Bool { names.name(of: parameter).map(frozen.contains) ?? false }
}

// MARK: - Layers

extension Scope {
  /// Records that a layer uses a tensor's elements as row indices, 0 to below `rows`: if they come from the data, they
  /// are checked before training.
  func willLookUp(_ indices: Tensor, rows: Int) {
    lookUps.append(LookUp(indices: indices, rows: rows, layer: graph.path.last ?? "the table"))
  }

  /// Calls a layer's formula with its name in the path of errors.
  func call(
    _ layer: any Layer, on inputs: [Tensor], name given: String?, reads: [String], _ body: () -> [Tensor]
  ) -> [Tensor] {
    let typeName = layer.typeName
    if let name = layer.name { checkName(name, of: layer) }
    if let last = frames.indices.last { frames[last].callCount += 1 }
    let name = given ?? layer.name ?? automaticName(typeName)
    let outer = graph.path
    graph.path = outer + [frames.isEmpty && layer.name == nil ? typeName : "\(typeName) '\(name)'"]
    let parametersBefore = parameters.count
    func record(_ results: [Tensor]) -> LayerCall {
      LayerCall(
        name: name, typeName: typeName, reads: reads, depth: frames.count - 1, layer: layer, inputs: inputs.map(\.type),
        outputs: results.map(\.type), parameters: parameters[parametersBefore...].map(\.name))
    }
    let isListed =
      addsInputs && !frames.isEmpty && frames.allSatisfy { $0.layer is Sequential || $0.layer is Functional }
    let place = nestedCalls.count
    if isListed { nestedCalls.append(record([])) }
    frames.append(Frame(layer: layer, name: name))
    onInput?(layer, inputs)
    let results = body()
    frames.removeLast()
    for result in results { onResult?(graph.path, layer, result) }
    graph.path = outer
    if frames.count == 1 { layerCalls.append(record(results)) }
    if isListed { nestedCalls[place] = record(results) }
    return results
  }

  /// Reports a second layer of one given name inside one layer, since files could not distinguish the two. Calling one
  /// layer again is fine.
  private func checkName(_ name: String, of layer: any Layer) {
    guard let last = frames.indices.last else { return }
    let call = frames[last].callCount + 1
    guard let known = frames[last].named[name] else {
      frames[last].named[name] = (layer, call)
      return
    }
    if isSameLayer(known.layer, layer) { return }
    graph.report(
      GraphError(
        "has two layers called '\(name)': its layer \(known.call), \(known.layer.typeName), and its layer \(call), "
          + "\(layer.typeName). Give one of them another name."))
  }

  /// `dense`, `dense_1`, … in the order of calls inside the layer around.
  private func automaticName(_ typeName: String) -> String {
    let base = snakeCase(typeName)
    guard !frames.isEmpty else { return base }
    let count = frames[frames.count - 1].typeCounts[base, default: 0]
    frames[frames.count - 1].typeCounts[base] = count + 1
    return count == 0 ? base : "\(base)_\(count)"
  }
}

/// Whether two values describe one layer: they have the same parameters or, without any, the same settings.
private func isSameLayer(_ a: any Layer, _ b: any Layer) -> Bool {
  guard type(of: a) == type(of: b) else { return false }
  let (first, second) = (ParameterNames(of: a).ordered.map(\.key), ParameterNames(of: b).ordered.map(\.key))
  guard first.isEmpty, second.isEmpty else { return first == second }
  guard let a = a as? any Configurable, let b = b as? any Configurable else { return true }
  return (try? a.config()) == (try? b.config())
}

/// A type's name in Keras' spelling: `MaxPooling2D` is `max_pooling2d`, `Dense` is `dense`.
package func snakeCase(_ typeName: String) -> String {
  let letters = Array(typeName)
  var result = ""
  for (index, letter) in letters.enumerated() {
    let previous = index > 0 ? letters[index - 1] : "_"
    let next = index + 1 < letters.count ? letters[index + 1] : "_"
    // A word begins at a capital after a small letter, or at one that a small letter follows.
    if letter.isUppercase, index > 0, previous.isLowercase || next.isLowercase, previous != "_" { result += "_" }
    result += letter.lowercased()
  }
  return result
}
