// Which parameters can be pruned. Matrices and kernels can, also of custom layers; biases, normalization and depthwise
// kernels are small and pruning them hurts, so they never are.

import AccelerandoCore
import AccelerandoNN

/// A parameter with the names of the layer that it belongs to.
struct NamedParameter {
  let spec: ParameterSpec
  /// The layer's name in the summary, its type, and the types of the layers between it and the parameter.
  let layer: String
  let layerType: String
  let owner: (any Layer)?

  /// Whether zeros in it can pay.
  var isPrunable: Bool {
    guard spec.role == .trainable, spec.type.rank >= 2, spec.type.dtype.isFloating, spec.type.elementCount > 0
    else { return false }
    switch owner {
    case is any DepthwiseConvolutionLayer, is BatchNormalization, is AccelerandoNN.LayerNormalization,
      is GroupNormalization, is RMSNormalization, is PReLU:
      return false
    case is any SeparableConvolutionLayer: return !spec.name.hasSuffix("depthwiseKernel")
    default: return true
    }
  }

  /// Whether a pattern matches this parameter or its layer.
  func fits(_ pattern: String) -> Bool {
    var names = [spec.name, layer, layerType]
    if let owner { names += [owner.typeName] + (owner.name.map { [$0] } ?? []) }
    // `layers.3` matches everything inside it.
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

/// Whether a name matches a pattern, in which `*` stands for any characters or none.
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
      // The last star matches one more character.
      retry = (last.p, last.n + 1)
      (p, n) = (last.p, last.n + 1)
    } else {
      return false
    }
  }
  return pattern[p...].allSatisfy { $0 == "*" }
}
