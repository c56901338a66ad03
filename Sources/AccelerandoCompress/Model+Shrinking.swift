// Structural pruning: filters and neurons are really taken out, with all that follows from it, so that what is left is
// a smaller dense model that any engine runs faster. No machinery stays behind.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain

extension Model {
  /// A smaller model without the least filters and neurons, with the weights of the others.
  ///
  /// What goes is followed through additions, normalization, flattening, concatenation and depthwise convolutions. The
  /// model's outputs stay, and so does what feeds layers that are not known to treat channels one by one (custom
  /// layers, attention, layer normalization). A channel counts as much as its filter's mean magnitude, against that of
  /// its layer, times the scale that batch normalization gives it. Usually the smaller model is trained on for a while.
  /// - Parameters:
  ///   - part: the part of the filters and neurons to take out, at least 0 and below 1.
  ///   - layers: names or types of layers, or names of parameters, whose outputs may be taken out.
  /// - Returns: a model of the same layers with fewer outputs, compiled like this one; its optimizer starts anew.
  /// - Throws: `CompressionError` when no layer has outputs that can be taken out, or weights are not finite;
  ///   `ConfigError` when a layer that would change cannot be described.
  public func withoutChannels(_ part: Double, layers: [String] = ["*"]) throws -> Model {
    guard part >= 0, part < 1 else {
      throw CompressionError(
        "the part of the channels to take out is at least 0 and below 1; received \(part).")
    }
    let outline = try outline()
    let named = outline.namedParameters
    let prunable = named.filter(\.isPrunable)
    for pattern in layers where !prunable.contains(where: { $0.fits(pattern) }) {
      throw CompressionError(
        "'\(pattern)' has nothing to prune. What can be pruned: "
          + "\(prunable.map { "\($0.layer) (\($0.spec.name))" }.joined(separator: ", ")).")
    }
    let free = Set(
      prunable.filter { parameter in layers.contains { parameter.fits($0) } }.map(\.spec.name))
    let types = inputs.map { TensorType($0.dtype, [1] + $0.shape) }
    let graph = try ChannelGraph(layer, inputs: types, names: outline.names) { free.contains($0.weight) }
    let weights = try settledWeights()
    try weights.requireFinite(weights.names)
    let removed = try ChannelChoice(graph, weights).removed(part)
    guard part == 0 || graph.producers.contains(where: { $0.channels.contains { !graph.isFixed($0) } }) else {
      throw CompressionError(
        "no layer has outputs that can be taken out: \(Set(graph.fixedBy).sorted().joined(separator: ", ")) need all of "
          + "what they get.")
    }
    return try shrunk(graph, removed, weights)
  }

  /// The model without channels.
  private func shrunk(_ graph: ChannelGraph, _ removed: Set<Int>, _ weights: Store) throws -> Model {
    func isKept(_ channel: Int) -> Bool { !removed.contains(graph.root(channel)) }
    var smaller = weights
    for axis in graph.axes {
      let places = axis.channels.indices.filter { isKept(axis.channels[$0]) }
      guard places.count < axis.channels.count, let array = smaller[axis.parameter] else { continue }
      smaller[axis.parameter] = try array.taking(places, axis: axis.axis)
    }
    var replacements: [String: any Layer] = [:]
    for producer in graph.producers {
      let count = producer.channels.filter(isKept).count
      if count < producer.channels.count { replacements[producer.weight] = try producer.layer.resized(outputs: count) }
    }
    let names = try outline().names
    let rebuilt = try replacing(layer, names) { weight in replacements[weight] }
    let model = Model(rebuilt, inputs: inputs, backend: backend, seed: seed, parameterTransforms: parameterTransforms)
    try model.setWeights(smaller)
    if let compilation { try model.compile(compilation) }
    return model
  }
}

/// A model with other layers, wherever it holds them.
/// - Parameter replacement: the layer to stand for the one whose kernel has this name.
private func replacing(
  _ layer: any Layer, _ names: ParameterNames, _ replacement: (String) -> (any Layer)?
) throws -> any Layer {
  switch layer {
  case let sequential as Sequential:
    var made = Sequential(try sequential.layers.map { try replacing($0, names, replacement) }, name: sequential.name)
    made.options = sequential.options
    return made
  case let functional as Functional:
    return try functional.replacingLayers { try replacing($1, names, replacement) }
  default:
    return names.names(inside: layer)["weight"].flatMap(replacement) ?? layer
  }
}

/// Which channels are worth least.
private struct ChannelChoice {
  let graph: ChannelGraph
  /// What each channel that may go counts for, by the channel that stands for it.
  private var scores: [Int: Double] = [:]

  init(_ graph: ChannelGraph, _ weights: Store) throws {
    self.graph = graph
    var factors: [Int: [Double]] = [:]
    for (gamma, variance, channels) in graph.scales {
      let spread = weights[variance]?.elements(as: Double.self) ?? []
      let gains = gamma.flatMap { weights[$0] }?.elements(as: Double.self)
      for (place, channel) in channels.enumerated() where place < spread.count {
        let gain = gains.map { abs($0[place]) } ?? 1
        factors[graph.root(channel), default: []].append(gain / (max(spread[place], 0) + 1e-3).squareRoot())
      }
    }
    for producer in graph.producers {
      guard let weight = weights[producer.weight] else { continue }
      let outputs = producer.channels.count
      var sums = [Double](repeating: 0, count: outputs)
      for (index, element) in weight.elements(as: Float.self).enumerated() {
        sums[index % outputs] += Double(element.magnitude)
      }
      let values = zip(producer.channels, sums).map { channel, sum -> Double in
        let factor = factors[graph.root(channel)] ?? []
        return factor.isEmpty ? sum : sum * factor.reduce(0, +) / Double(factor.count)
      }
      let mean = max(values.reduce(0, +) / Double(max(outputs, 1)), .leastNonzeroMagnitude)
      for (channel, value) in zip(producer.channels, values) {
        scores[graph.root(channel), default: 0] += value / mean
      }
    }
  }

  /// The channels to take out: of each set of layers that share channels, the same part.
  func removed(_ part: Double) -> Set<Int> {
    var sets: [Set<Int>] = []
    for producer in graph.producers {
      var own = Set(producer.channels.map(graph.root).filter { !graph.isFixed($0) })
      guard !own.isEmpty else { continue }
      let touching = sets.filter { !$0.isDisjoint(with: own) }
      sets.removeAll { !$0.isDisjoint(with: own) }
      for other in touching { own.formUnion(other) }
      sets.append(own)
    }
    return sets.reduce(into: []) { removed, set in
      // Of equals the first stay.
      let order = set.sorted { a, b in
        let (x, y) = (scores[a] ?? 0, scores[b] ?? 0)
        return x == y ? a < b : x > y
      }
      removed.formUnion(order.dropFirst(keptCount(of: set.count, sparsity: Float(part))))
    }
  }
}
