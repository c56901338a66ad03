// The lines of a recipe that layers come from. A shape that does not fit is found while the model is traced, by the path of
// layers; people need the line, and for a layer in a block also the line where the block is used.

/// Where a layer was read, and the layers inside it.
struct LayerPlace: Sendable {
  let typeName: String
  let name: String?
  let location: SourceLocation?
  let inner: [LayerPlace]

  init(_ layer: any Layer, _ location: SourceLocation?, _ inner: [LayerPlace]) {
    (typeName, name, self.location, self.inner) = (layer.typeName, layer.name, location, inner)
  }

  /// The locations on a path of layers, outermost first, as far as the path is known.
  /// - Parameters:
  ///   - path: the layers as a trace calls them: `Dense 'dense_1'`.
  ///   - places: the layers that the path begins with, in the order of their calls.
  static func locations(of path: ArraySlice<String>, in places: [LayerPlace]) -> [SourceLocation] {
    guard let label = path.first else { return [] }
    var counts: [String: Int] = [:]
    for place in places {
      let name = place.name ?? numbered(snakeCase(place.typeName), &counts)
      guard "\(place.typeName) '\(name)'" == label else { continue }
      return (place.location.map { [$0] } ?? []) + locations(of: path.dropFirst(), in: place.inner)
    }
    return []
  }
}

/// The next name of a kind: `dense`, `dense_1`, ….
func numbered(_ base: String, _ counts: inout [String: Int]) -> String {
  let count = counts[base, default: 0]
  counts[base] = count + 1
  return count == 0 ? base : "\(base)_\(count)"
}
