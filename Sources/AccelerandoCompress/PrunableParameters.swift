// Which parameters can be pruned. Matrices and kernels can, of custom layers too; biases, normalization and depthwise
// kernels are small and hurt, so they never are.

import AccelerandoCore
import AccelerandoNN

/// A parameter with what people call the layer that it belongs to.
struct NamedParameter {
  let spec: ParameterSpec
  /// The layer's name in the summary, its type, and the types of the layers between it and the parameter.
  let layer: String
  let layerType: String
  let owner: (any Layer)?

  /// Whether zeros in it are worth anything.
  var isPrunable: Bool {
    guard spec.role == .trainable, spec.type.rank >= 2, spec.type.dtype.isFloating, spec.type.elementCount > 0
    else { return false }
    switch owner {
    case is DepthwiseConv2D, is BatchNormalization, is AccelerandoNN.LayerNormalization, is PReLU: return false
    default: return true
    }
  }

  /// Whether a pattern means this parameter or its layer.
  func fits(_ pattern: String) -> Bool {
    var names = [spec.name, layer, layerType]
    if let owner { names += [owner.typeName] + (owner.name.map { [$0] } ?? []) }
    // `layers.3` means all that is inside.
    let parts = spec.name.split(separator: ".")
    names += parts.indices.dropFirst().map { parts[..<$0].joined(separator: ".") }
    return names.contains { matches(pattern, $0) }
  }
}

extension Outline {
  /// The parameters with the names of their layers, in the order of first use.
  var namedParameters: [NamedParameter] {
    var layers: [String: Scope.LayerCall] = [:]
    for call in layerCalls { for name in call.parameters where layers[name] == nil { layers[name] = call } }
    return parameters.map { spec in
      let owner = names.owner(of: spec.name)
      return NamedParameter(
        spec: spec, layer: layers[spec.name]?.name ?? spec.name, layerType: layers[spec.name]?.typeName ?? "",
        owner: owner)
    }
  }
}

/// Whether a name is what a pattern says, where `*` stands for any letters, none included.
func matches(_ pattern: String, _ name: String) -> Bool {
  let (pattern, name) = (Array(pattern), Array(name))
  var (p, n) = (0, 0)
  var retry: (p: Int, n: Int)?
  while n < name.count {
    if p < pattern.count, pattern[p] == "*" {
      retry = (p + 1, n)
      p += 1
    } else if p < pattern.count, pattern[p] == name[n] {
      p += 1
      n += 1
    } else if let last = retry {
      // The last star takes one letter more.
      retry = (last.p, last.n + 1)
      (p, n) = (last.p, last.n + 1)
    } else {
      return false
    }
  }
  return pattern[p...].allSatisfy { $0 == "*" }
}
