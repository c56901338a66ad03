// Parameters by name: everything that chooses some of them (to freeze, to prune, to load) reads patterns in one way.

import AccelerandoCore

/// A parameter with the names that it goes by.
package struct NamedParameter {
  /// The parameter.
  package let spec: ParameterSpec
  /// The name in the summary of the layer that uses it first.
  package let layer: String
  /// That layer's type.
  package let layerType: String
  /// The innermost layer that stores it.
  package let owner: (any Layer)?
  /// Whether pruning may touch it.
  package let allowsPruning: Bool
  /// Its name by the layers that use it: `trunk.weight`.
  package let lastingName: String

  /// Whether a pattern matches this parameter or a layer that it is in: by name in the summary (`trunk`, `trunk.bias`), by
  /// given name, by type (`Dense`), or by path (`layers.3`). `*` stands for any characters or none.
  package func fits(_ pattern: String) -> Bool {
    var names = [layer, layerType]
    if let owner { names += [owner.typeName] + (owner.name.map { [$0] } ?? []) }
    // `layers.3` and `block` match everything inside.
    for name in [spec.name, lastingName] {
      let parts = name.split(separator: ".")
      names += parts.indices.dropFirst().map { parts[..<$0].joined(separator: ".") } + [name]
    }
    return names.contains { matches(pattern, $0) }
  }
}

extension Outline {
  /// The parameters with the names of their layers, in the order of first use.
  package var namedParameters: [NamedParameter] {
    var layers: [String: Scope.LayerCall] = [:]
    for call in layerCalls { for name in call.parameters where layers[name] == nil { layers[name] = call } }
    return parameters.map { spec in
      NamedParameter(
        spec: spec, layer: layers[spec.name]?.name ?? spec.name, layerType: layers[spec.name]?.typeName ?? "",
        owner: names.owner(of: spec.name), allowsPruning: names.options(of: spec.name).isPrunable,
        lastingName: lastingNames[spec.name] ?? spec.name)
    }
  }
}

/// Whether a name matches a pattern, in which `*` stands for any characters or none.
package func matches(_ pattern: String, _ name: String) -> Bool {
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
