// How channels pass through layers. To remove a channel from a model, its place in every layer has to be known; so each
// layer says in its own file what it does with channels, and a layer of one's own can say it too.

import AccelerandoCore

/// What a layer does with channels: the elements along the last axis of its inputs and its output.
public struct ChannelFlow: Sendable {
  /// Where the channels of the output come from.
  public enum Outputs: Sendable {
    /// Each depends on all inputs in their order, so that none of these can be removed. That of a layer that says nothing.
    case mixed
    /// Channel i depends on channel i of the input. Those of several inputs are kept or removed together.
    case separate
    /// Each channel of the input becomes so many adjacent ones.
    case repeated(Int)
    /// All channels of the input, one time after the other.
    case tiled
    /// The channels of the first input, then those of the second, and so on.
    case concatenated
    /// New ones, by a parameter whose last two axes are the input's channels and the output's.
    /// - Parameter setting: the name of the layer's setting that is their number: `units`.
    case produced(by: Parameter, count: Int, setting: String)
  }

  /// An axis of a parameter whose indices are channels.
  public struct ParameterAxis: Sendable {
    /// The parameter.
    public let parameter: Parameter
    /// The axis.
    public let axis: Int
    /// Whether the channels are those of the input; otherwise they are those of the output.
    public let isOfInput: Bool
  }

  /// Where the channels of the output come from.
  public var outputs: Outputs
  /// The axes of further parameters whose indices are channels.
  public var axes: [ParameterAxis] = []
  /// Whether the results of channels depend on each other in the end, as those of softmax do.
  public var mixesResults = false
  /// For a normalization, what its results are multiplied by, and the variance that they are divided by the root of.
  public var scale: (gamma: Parameter?, variance: Parameter)?

  /// Describes a flow.
  public init(_ outputs: Outputs) { self.outputs = outputs }

  /// Each channel of the output depends on all inputs.
  public static var mixed: ChannelFlow { ChannelFlow(.mixed) }
  /// Each channel of the output depends on one channel of the inputs.
  public static var separate: ChannelFlow { ChannelFlow(.separate) }

  /// The same flow with a parameter that has an index for each channel along an axis.
  public func with(_ parameter: Parameter, axis: Int = 0, isOfInput: Bool = false) -> ChannelFlow {
    var result = self
    result.axes.append(ParameterAxis(parameter: parameter, axis: axis, isOfInput: isOfInput))
    return result
  }

  /// The same flow with an activation of the results.
  public func followed(by activation: Activation) -> ChannelFlow {
    var result = self
    if !activation.isElementwise { result.mixesResults = true }
    return result
  }

  /// The flow if channels are the last axis.
  func `where`(_ format: DataFormat) -> ChannelFlow { format == .channelsLast ? self : .mixed }
}
