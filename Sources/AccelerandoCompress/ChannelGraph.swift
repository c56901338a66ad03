// Which channels of a model belong together. Every output of a dense layer or a convolution is a channel; channels that
// layers add together, or that one layer scales, are equivalent: they are kept or removed together. Each value of the
// model has a layout, the channel at each index of its last axis, and layers are rules about layouts.

import AccelerandoCore
import AccelerandoNN

/// The channels of a model, and where they occur in the parameters of its layers.
struct ChannelGraph {
  /// An axis of a parameter whose indices are channels.
  struct Axis {
    let parameter: String
    let axis: Int
    let channels: [Int]
  }

  /// A layer that creates channels: the first name of its parameters, and the channels of its outputs.
  struct Producer {
    let layer: any Layer
    let name: String
    let weight: String
    let channels: [Int]
  }

  private(set) var axes: [Axis] = []
  private(set) var producers: [Producer] = []
  /// Normalization's parameters that scale channels: gamma and the variance, by name.
  private(set) var scales: [(gamma: String?, variance: String, channels: [Int])] = []
  private var parents: [Int] = []
  private var isFixed: [Bool] = []
  /// The reason why a channel must stay, for messages: the name of a layer.
  private(set) var fixedBy: [String] = []
  private let names: ParameterNames

  /// Follows the channels through a model.
  /// - Parameter isFree: whether a layer's outputs may be removed.
  init(_ model: any Layer, inputs: [TensorType], names: ParameterNames, isFree: (Producer) -> Bool) throws {
    self.names = names
    let graph = Graph()
    let key = graph.input("key", TensorType(.uint32, [2]))
    let scope = Scope(graph: graph, names: names, isTraining: false, randomKey: key)
    let tensors = inputs.enumerated().map { graph.input("input \($0.offset)", $0.element) }
    let values = tensors.map { Value(tensor: $0, layout: fixedChannels($0)) }
    let result = scope.run { follow(model, values) }
    if let error = graph.firstError { throw error }
    for value in result { fix(value.layout, because: "the output") }
    for producer in producers where !isFree(producer) { fix(producer.channels, because: producer.name) }
  }

  /// A value of the model.
  private struct Value {
    let tensor: Tensor
    /// The channel at each index of the last axis.
    let layout: [Int]
  }

  /// The representative of the channels that belong together.
  func root(_ channel: Int) -> Int {
    var channel = channel
    while parents[channel] != channel { channel = parents[channel] }
    return channel
  }

  /// Whether a channel must stay.
  func isFixed(_ channel: Int) -> Bool { isFixed[root(channel)] }

  // MARK: Channels

  private mutating func channels(_ count: Int, isFixed fixed: Bool = false) -> [Int] {
    let first = parents.count
    for index in 0..<count {
      parents.append(first + index)
      isFixed.append(fixed)
    }
    return Array(first..<first + count)
  }

  private mutating func fixedChannels(_ tensor: Tensor) -> [Int] {
    channels(tensor.shape.last ?? 1, isFixed: true)
  }

  private mutating func fix(_ layout: [Int], because name: String) {
    if layout.contains(where: { !isFixed($0) }) { fixedBy.append(name) }
    for channel in layout { isFixed[root(channel)] = true }
  }

  private mutating func join(_ a: [Int], _ b: [Int]) {
    for (a, b) in zip(a, b) {
      let (first, second) = (root(a), root(b))
      if first == second { continue }
      parents[second] = first
      isFixed[first] = isFixed[first] || isFixed[second]
    }
  }

  // MARK: Layers

  private mutating func follow(_ layer: any Layer, _ inputs: [Value]) -> [Value] {
    switch layer {
    case let sequential as Sequential where inputs.count == 1:
      return sequential.layers.reduce(inputs) { follow($1, $0) }
    case let functional as Functional where functional.inputs.count == inputs.count:
      var values = inputs
      for (layer, sources) in zip(functional.layers, functional.sources) {
        values += follow(layer, sources.map { values[$0] })
      }
      return functional.outputs.map { values.indices.contains($0.value) ? values[$0.value] : inputs[0] }
    default:
      let outputs = layer.applied(to: inputs.map(\.tensor))
      guard outputs.count == 1 else {
        for input in inputs { fix(input.layout, because: layer.name ?? layer.typeName) }
        return outputs.map { Value(tensor: $0, layout: fixedChannels($0)) }
      }
      return outputs.map { Value(tensor: $0, layout: layout(layer, inputs, $0)) }
    }
  }

  /// The layout of a layer's output.
  private mutating func layout(_ layer: any Layer, _ inputs: [Value], _ output: Tensor) -> [Int] {
    guard let first = inputs.first, let extent = output.shape.last else { return fixedChannels(output) }
    let own = names.names(inside: layer)
    switch layer {
    case let dense as Dense where dense.lora == nil:
      return produced(layer, own, first.layout, rank: 2, sized: dense.units, fixing: dense.activation)
    case let convolution as any ConvolutionLayer
    where convolution.groups == 1 && convolution.dataFormat == .channelsLast:
      return produced(
        layer, own, first.layout, rank: convolution.kernelSize.count + 2, sized: convolution.filters,
        fixing: convolution.activation)
    case let depthwise as any DepthwiseConvolutionLayer where depthwise.dataFormat == .channelsLast:
      let layout = first.layout.flatMap { [Int](repeating: $0, count: depthwise.depthMultiplier) }
      note(own["weight"], axis: depthwise.kernelSize.count, first.layout)
      note(own["bias"], axis: 0, layout)
      if mixes(depthwise.activation) { fix(layout, because: layer.name ?? layer.typeName) }
      return layout
    case let normalization as BatchNormalization:
      let axis = normalization.axis < 0 ? normalization.axis + output.rank : normalization.axis
      guard axis == output.rank - 1 else { return first.layout }
      for role in ["gamma", "beta", "movingMean", "movingVariance"] { note(own[role], axis: 0, first.layout) }
      if let variance = own["movingVariance"], !scales.contains(where: { $0.variance == variance }) {
        scales.append((normalization.scales ? own["gamma"] : nil, variance, first.layout))
      }
      return first.layout
    case let activation as ActivationLayer:
      if mixes(activation.activation) { fix(first.layout, because: layer.name ?? layer.typeName) }
      return first.layout
    case is ActivityRegularization, is ReLU, is LeakyReLU, is ELU, is AccelerandoNN.Dropout, is Rescaling, is Identity,
      is GaussianNoise,
      is GaussianDropout, is UpSampling1D:
      return first.layout
    case let pooling as any PoolingLayer where pooling.dataFormat == .channelsLast: return first.layout
    case let pooling as any GlobalPoolingLayer where pooling.dataFormat == .channelsLast: return first.layout
    case let pooling as any AdaptivePoolingLayer where pooling.dataFormat == .channelsLast: return first.layout
    case let sampling as any UpSamplingLayer where sampling.dataFormat == .channelsLast: return first.layout
    case let padding as any ZeroPaddingLayer where padding.dataFormat == .channelsLast: return first.layout
    case let cropping as any CroppingLayer where cropping.dataFormat == .channelsLast: return first.layout
    case let dropout as any SpatialDropoutLayer where dropout.dataFormat == .channelsLast: return first.layout
    case let flatten as Flatten
    where flatten.dataFormat == .channelsLast && first.tensor.rank >= 2 && !first.layout.isEmpty:
      return (0..<extent).map { first.layout[$0 % first.layout.count] }
    case is Add, is Average, is Subtract, is Maximum, is Minimum, is Multiply:
      return merged(inputs, output, layer.name ?? layer.typeName)
    case let concatenate as AccelerandoNN.Concatenate:
      let axis = concatenate.axis < 0 ? concatenate.axis + output.rank : concatenate.axis
      if axis == output.rank - 1 { return inputs.flatMap(\.layout) }
      return merged(inputs, output, layer.name ?? layer.typeName)
    default:
      // An unknown layer needs all its inputs, in order.
      for input in inputs { fix(input.layout, because: layer.name ?? layer.typeName) }
      return fixedChannels(output)
    }
  }

  /// The outputs of a layer with a kernel of inputs and outputs. Used a second time, it has the outputs that it had.
  private mutating func produced(
    _ layer: any Layer, _ own: [String: String], _ input: [Int], rank: Int, sized count: Int,
    fixing activation: Activation
  ) -> [Int] {
    guard let weight = own["weight"] else { return channels(count, isFixed: true) }
    if let known = producers.first(where: { $0.weight == weight }) {
      note(weight, axis: rank - 2, input)
      return known.channels
    }
    let outputs = channels(count)
    note(weight, axis: rank - 2, input)
    note(weight, axis: rank - 1, outputs)
    note(own["bias"], axis: 0, outputs)
    let name = layer.name ?? layer.typeName
    producers.append(Producer(layer: layer, name: name, weight: weight, channels: outputs))
    if mixes(activation) { fix(outputs, because: name) }
    return outputs
  }

  /// Adds values, or selects among them, element by element.
  private mutating func merged(_ inputs: [Value], _ output: Tensor, _ name: String) -> [Int] {
    let extent = output.shape.last ?? 1
    let whole = inputs.filter { $0.layout.count == extent }
    // A value that is spread over all channels belongs to none of them.
    for input in inputs where input.layout.count != extent { fix(input.layout, because: name) }
    guard let first = whole.first else { return fixedChannels(output) }
    for other in whole.dropFirst() { join(first.layout, other.layout) }
    return first.layout
  }

  /// Notes that an axis of a parameter has these channels. A parameter that is used a second time is cut once, so the
  /// channels there are unified, one by one, with those of its first use.
  private mutating func note(_ parameter: String?, axis: Int, _ channels: [Int]) {
    guard let parameter else { return }
    if let known = axes.first(where: { $0.parameter == parameter && $0.axis == axis }) {
      join(known.channels, channels)
    } else {
      axes.append(Axis(parameter: parameter, axis: axis, channels: channels))
    }
  }

  /// Whether the result for one channel depends on the others.
  private func mixes(_ activation: Activation) -> Bool { !activation.isElementwise }
}
