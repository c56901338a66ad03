// What a layer is: a Sendable value with a formula. Nothing has to be registered or built: a struct with parameters and
// layers as properties and a `forward` is a layer.

import AccelerandoCore

/// A part of a model: declares parameters, and computes an output from an input while being traced.
///
/// Shapes and element types are known while `forward` runs, so that it may use `x.shape` and Swift's control flow. If
/// the input is wrong, return `x.rejected("needs …; received …")`.
public protocol Layer: Sendable {
  /// The formula.
  func forward(_ x: Tensor) -> Tensor

  /// The name that the user gave to the layer; nil for a name made from the type (`dense`, `dense_1`).
  var name: String? { get }

  /// The name of the type, in summaries and files.
  var typeName: String { get }

  /// Whether `forward` receives integers unchanged. Otherwise they are converted to floating-point numbers first.
  var acceptsIntegers: Bool { get }

  /// Whether the outputs have the mask of the input (see `Tensor.mask`): each position of the result belongs to the same
  /// position of the input.
  var passesMask: Bool { get }

  /// The mask of the outputs (see `Tensor.mask`), unless the layer's formula gives them one; nil for none. By default
  /// that of the inputs, if the layer passes it.
  func outputMask(of inputs: [Tensor]) -> Tensor?
}

/// A layer that computes its output from several inputs, like a sum of branches.
public protocol MergeLayer: Layer {
  /// The formula.
  func forward(_ inputs: [Tensor]) -> Tensor
}

/// A layer with several outputs, like a recurrent layer that returns its last state too. `outputs(of:)` is the general
/// form of a layer's formula: any number of inputs, any number of outputs.
public protocol MultiOutputLayer: MergeLayer {
  /// The names of the outputs, in order. There is at least one.
  var outputNames: [String] { get }

  /// The formula; as many tensors as there are `outputNames`.
  func outputs(of inputs: [Tensor]) -> [Tensor]
}

extension MultiOutputLayer {
  /// The first output.
  public func forward(_ inputs: [Tensor]) -> Tensor {
    outputs(of: inputs).first ?? (inputs.first ?? noInput()).rejected("gives no output.")
  }
}

extension Layer {
  public var name: String? { nil }
  public var typeName: String { String(describing: Self.self) }
  public var acceptsIntegers: Bool { false }

  /// The number of outputs.
  public var outputCount: Int { (self as? any MultiOutputLayer)?.outputNames.count ?? 1 }

  /// The layer applied to a tensor, with its name in the path of any error: the first output, where there are several.
  public func callAsFunction(_ x: Tensor) -> Tensor { called([x], name: nil)[0] }

  /// All outputs of the layer for all of its inputs.
  public func applied(to inputs: [Tensor]) -> [Tensor] { called(inputs, name: nil) }

  /// The layer applied to tensors under a name that the layer around it has chosen.
  /// - Parameter reads: what the tensors are called there, for summaries.
  /// - Returns: as many tensors as the layer has outputs, and one at least, also after an error.
  func called(_ inputs: [Tensor], name: String?, reads: [String] = []) -> [Tensor] {
    let body = { () -> [Tensor] in
      let outputs = computed(inputs)
      let count = max(outputCount, 1)
      if outputs.count == count {
        let mask = outputMask(of: inputs)
        return outputs.map { output in
          output.masked(by: mask?.shape == Array(output.shape.prefix(mask?.rank ?? 0)) ? mask : nil)
        }
      }
      let first = (outputs + inputs).first ?? noInput()
      _ = first.rejected("has \(outputCount) outputs by its 'outputNames'; its formula gave \(outputs.count).")
      return (0..<count).map { outputs.indices.contains($0) ? outputs[$0] : first }
    }
    guard let scope = Scope.current else { return body() }
    return scope.call(self, on: inputs, name: name, reads: reads, body)
  }

  private func computed(_ inputs: [Tensor]) -> [Tensor] {
    func rejected(_ complaint: String) -> [Tensor] {
      [Tensor](repeating: (inputs.first ?? noInput()).rejected(complaint), count: max(outputCount, 1))
    }
    do {
      // Invalid settings are not even computed with. Where parameters have values, the layer has been traced before.
      if Scope.current?.addsInputs ?? true { try LayerCatalog.check(self) }
    } catch {
      return rejected("\(error)")
    }
    let inputs = acceptsIntegers ? inputs : inputs.map { computable($0).masked(by: $0.mask) }
    if let layer = self as? any MultiOutputLayer { return layer.outputs(of: inputs) }
    if let merge = self as? any MergeLayer { return [merge.forward(inputs)] }
    guard inputs.count == 1 else {
      return inputs.isEmpty ? [noInput()] : rejected("takes one input; received \(inputs.count).")
    }
    return [forward(inputs[0])]
  }
}

/// What stands for the result of a layer that was given nothing.
private func noInput() -> Tensor { Graph().input("no input", TensorType(.float32, [])) }

/// Numbers that layers compute with: integers are converted, and floating-point numbers where the model computes in
/// another type.
private func computable(_ x: Tensor) -> Tensor {
  let type = Scope.current?.computeType
  return x.dtype.isFloating ? type.map { x.converted(to: $0) } ?? x : x.converted(to: type ?? .float32)
}

extension MergeLayer {
  /// A merge of one input.
  public func forward(_ x: Tensor) -> Tensor { forward([x]) }

  /// The layer applied to tensors, with its name in the path of any error: the first output, where there are several.
  public func callAsFunction(_ inputs: [Tensor]) -> Tensor { called(inputs, name: nil)[0] }
}

extension Tensor {
  /// Reports that a layer cannot take this tensor and returns it, so that tracing can continue.
  /// - Parameter complaint: what was expected, what was received and what to do, beginning with "needs …".
  public func rejected(_ complaint: String) -> Tensor {
    graph.report(GraphError(complaint))
    return self
  }
}
