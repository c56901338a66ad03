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
}

/// A layer that computes its output from several inputs, like a sum of branches.
public protocol MergeLayer: Layer {
  /// The formula.
  func forward(_ inputs: [Tensor]) -> Tensor
}

extension Layer {
  public var name: String? { nil }
  public var typeName: String { String(describing: Self.self) }
  public var acceptsIntegers: Bool { false }

  /// The layer applied to a tensor, with its name in the path of any error.
  public func callAsFunction(_ x: Tensor) -> Tensor { called([x], name: nil) }

  /// A model applied to all of its inputs.
  public func applied(to inputs: [Tensor]) -> Tensor { called(inputs, name: nil) }

  /// The layer applied to tensors under a name that the layer around it has chosen.
  func called(_ inputs: [Tensor], name: String?) -> Tensor {
    let body = { () -> Tensor in
      do {
        // Invalid settings are not even computed with. Where parameters have values, the layer has been traced before.
        if Scope.current?.addsInputs ?? true { try LayerCatalog.check(self) }
      } catch {
        return (inputs.first ?? Graph().input("no input", TensorType(.float32, []))).rejected("\(error)")
      }
      let inputs = acceptsIntegers ? inputs : inputs.map(computable)
      if let merge = self as? any MergeLayer { return merge.forward(inputs) }
      guard inputs.count == 1 else {
        guard let first = inputs.first else { return Graph().input("no input", TensorType(.float32, [])) }
        return first.rejected("takes one input; received \(inputs.count).")
      }
      return forward(inputs[0])
    }
    guard let scope = Scope.current else { return body() }
    return scope.call(self, on: inputs, name: name, body)
  }
}

/// Numbers that layers compute with: integers are converted, and floating-point numbers where the model computes in
/// another type.
private func computable(_ x: Tensor) -> Tensor {
  let type = Scope.current?.computeType
  return x.dtype.isFloating ? type.map { x.converted(to: $0) } ?? x : x.converted(to: type ?? .float32)
}

extension MergeLayer {
  /// A merge of one input.
  public func forward(_ x: Tensor) -> Tensor { forward([x]) }

  /// The layer applied to tensors, with its name in the path of any error.
  public func callAsFunction(_ inputs: [Tensor]) -> Tensor { called(inputs, name: nil) }
}

extension Tensor {
  /// Reports that a layer cannot take this tensor and returns it, so that tracing can continue.
  /// - Parameter complaint: what was expected, what was received and what to do, beginning with "needs …".
  public func rejected(_ complaint: String) -> Tensor {
    graph.report(GraphError(complaint))
    return self
  }
}
