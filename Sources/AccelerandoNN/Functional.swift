// Models whose layers form a graph: several inputs, branches, residual additions. Applying a layer to a `LayerOutput`
// records it; `Functional` sorts the record once into a flat list, so that depth needs no stack.

import AccelerandoCore

/// A value in a graph of layers that is being described: an input, or the output of a layer.
public class LayerOutput {
  let layer: (any Layer)?
  private(set) var sources: [LayerOutput]

  init(layer: (any Layer)?, sources: [LayerOutput]) {
    self.layer = layer
    self.sources = sources
  }

  /// Releases a long chain piece by piece: otherwise each release would call the next, and deep models would overflow
  /// the stack.
  deinit {
    var pending = sources
    sources = []
    while var last = pending.popLast() {
      if isKnownUniquelyReferenced(&last) {
        pending += last.sources
        last.sources = []
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
  /// The input's name, for messages.
  public let name: String?

  /// Describes an input.
  /// - Parameters:
  ///   - shape: the shape of one sample, without the batch axis.
  ///   - dtype: the element type that layers see.
  ///   - name: the input's name, for messages.
  public init(shape: [Int], dtype: DType = .float32, name: String? = nil) {
    self.shape = shape
    self.dtype = dtype
    self.name = name
    super.init(layer: nil, sources: [])
  }
}

extension Layer {
  /// Records the layer in a graph of layers.
  public func callAsFunction(_ x: LayerOutput) -> LayerOutput { LayerOutput(layer: self, sources: [x]) }
}

extension MergeLayer {
  /// Records the layer, with several inputs, in a graph of layers.
  public func callAsFunction(_ inputs: [LayerOutput]) -> LayerOutput { LayerOutput(layer: self, sources: inputs) }
}

/// A layer made of a graph of layers.
public struct Functional: MergeLayer {
  /// One sample of an input.
  public struct InputSpec: Hashable, Sendable {
    /// The shape of one sample, without the batch axis.
    public let shape: [Int]
    /// The element type that layers see.
    public let dtype: DType
    /// The input's name, for messages.
    public let name: String?
  }

  /// The layers, operands before users. A layer that is used twice is listed twice, with the same parameters.
  public let layers: [any Layer]
  /// The inputs.
  public let inputs: [InputSpec]
  public let name: String?
  /// For each layer, the indices of its operands: an index below `inputs.count` is an input, others are layers.
  public let sources: [[Int]]
  /// The index of the result, as in `sources`.
  public let output: Int
  let problem: String?

  /// Makes a layer of the graph between `inputs` and `output`.
  public init(inputs: [Input], output: LayerOutput, name: String? = nil) {
    var numbers: [ObjectIdentifier: Int] = [:]
    for (index, input) in inputs.enumerated() { numbers[ObjectIdentifier(input)] = index }
    var layers: [any Layer] = []
    var sources: [[Int]] = []
    var problem = numbers.count == inputs.count ? nil : "the same input is listed twice."
    var stack: [(place: LayerOutput, isExpanded: Bool)] = [(output, false)]
    while let (place, isExpanded) = stack.popLast() {
      let identity = ObjectIdentifier(place)
      if numbers[identity] != nil { continue }
      guard let layer = place.layer else {
        let shape = (place as? Input)?.shape ?? []
        problem = problem ?? "the output depends on an input of shape \(shape) that is not among the model's inputs."
        continue
      }
      if isExpanded {
        let operands = place.sources.map { numbers[ObjectIdentifier($0)] ?? 0 }
        numbers[identity] = inputs.count + layers.count
        layers.append(layer)
        sources.append(operands)
      } else {
        stack.append((place, true))
        for source in place.sources.reversed() where numbers[ObjectIdentifier(source)] == nil {
          stack.append((source, false))
        }
      }
    }
    self.init(
      layers: layers, sources: sources,
      inputs: inputs.map { InputSpec(shape: $0.shape, dtype: $0.dtype, name: $0.name) },
      output: numbers[ObjectIdentifier(output)] ?? 0, name: name, problem: problem)
  }

  /// Makes a layer of the graph between `inputs` and `outputs`; exactly one output, anything else is an error in the
  /// trace.
  public init(inputs: [Input], outputs: [LayerOutput], name: String? = nil) {
    guard outputs.count == 1 else {
      self.init(
        layers: [], sources: [], inputs: [], output: 0, name: name,
        problem: "a graph of layers has one output; received \(outputs.count). Join them with a merge layer.")
      return
    }
    self.init(inputs: inputs, output: outputs[0], name: name)
  }

  init(
    layers: [any Layer], sources: [[Int]], inputs: [InputSpec], output: Int, name: String?, problem: String? = nil
  ) {
    self.layers = layers
    self.sources = sources
    self.inputs = inputs
    self.output = output
    self.name = name
    self.problem = problem
  }

  /// The same graph with other layers.
  /// - Parameter replacement: the replacement of one of `layers`, by its index.
  public func replacingLayers(_ replacement: (Int, any Layer) throws -> any Layer) rethrows -> Functional {
    Functional(
      layers: try layers.enumerated().map { try replacement($0.offset, $0.element) }, sources: sources, inputs: inputs,
      output: output, name: name, problem: problem)
  }

  public var acceptsIntegers: Bool { true }

  public func forward(_ tensors: [Tensor]) -> Tensor {
    guard let first = tensors.first else { return Graph().input("no input", TensorType(.float32, [])) }
    if let problem { return first.rejected(problem) }
    guard tensors.count == inputs.count else {
      return first.rejected("takes \(inputs.count) inputs; received \(tensors.count).")
    }
    for (index, (tensor, input)) in zip(tensors, inputs).enumerated() {
      guard Array(tensor.shape.dropFirst()) == input.shape, tensor.rank >= 1 else {
        let label = input.name.map { "'\($0)'" } ?? String(index)
        return first.rejected(
          "needs samples of shape \(input.shape) at input \(label); received \(Array(tensor.shape.dropFirst())).")
      }
    }
    var values = tensors
    for (layer, operands) in zip(layers, sources) {
      values.append(layer.called(operands.map { values[$0] }, name: nil))
    }
    return values[output]
  }
}
