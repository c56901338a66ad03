// Two recurrent layers that read a sequence from both ends.

import AccelerandoCore

/// A recurrent layer forwards and one backwards, their outputs merged place by place.
///
/// The outputs are the merged one (or both, without merging), then the states of the first and of the second layer, if
/// the layers return them. Further inputs are initial states, in the same order.
public struct Bidirectional: MultiOutputLayer, ConfigurableLayer, TrainableLayer {
  /// How the two outputs become one.
  public enum MergeMode: String, Hashable, Sendable, CaseIterable {
    case concat
    case sum
    case mul
    case ave
    /// They stay two.
    case none
  }

  /// The layer that reads from the beginning.
  public let forwardLayer: any RecurrentLayer
  /// The layer that reads from the end.
  public let backwardLayer: any RecurrentLayer
  /// How the two outputs become one.
  public let mergeMode: MergeMode
  public let name: String?
  public var options = LayerOptions()
  private let problem: String?

  /// Makes the layer.
  /// - Parameters:
  ///   - layer: the layer that reads from the beginning.
  ///   - backward: the layer that reads from the end, with `goesBackwards`; nil for one with the settings of `layer`
  ///     and parameters of its own.
  ///   - mergeMode: how the two outputs become one.
  ///   - name: the layer's name.
  public init(
    _ layer: any RecurrentLayer, backward: (any RecurrentLayer)? = nil, mergeMode: MergeMode = .concat,
    name: String? = nil
  ) {
    forwardLayer = layer
    self.mergeMode = mergeMode
    self.name = name
    do {
      backwardLayer = try backward ?? layer.turned()
      let (a, b) = (layer.settings, backwardLayer.settings)
      problem =
        a.goesBackwards == b.goesBackwards
        ? "needs one layer that goes forwards and one that goes backwards; both go \(a.goesBackwards ? "back" : "for")wards."
        : a.returnsSequences != b.returnsSequences || a.returnsState != b.returnsState
          ? "needs two layers that return the same: 'returnsSequences' and 'returnsState' differ." : nil
    } catch {
      backwardLayer = layer
      problem = "needs a backward layer, since the settings of '\(layer.typeName)' cannot be read: \(error)"
    }
  }

  public var outputNames: [String] {
    let outputs = mergeMode == .none ? ["forward", "backward"] : ["output"]
    guard forwardLayer.settings.returnsState else { return outputs }
    return outputs
      + ["forward", "backward"].flatMap { side in forwardLayer.outputNames.dropFirst().map { "\(side)_\($0)" } }
  }

  public var passesMask: Bool { forwardLayer.settings.returnsSequences }

  public func outputs(of inputs: [Tensor]) -> [Tensor] {
    guard let x = inputs.first else { return [] }
    func rejected(_ complaint: String) -> [Tensor] {
      [Tensor](repeating: x.rejected(complaint), count: outputNames.count)
    }
    if let problem { return rejected(problem) }
    let states = inputs.dropFirst()
    guard states.count % 2 == 0 else {
      return rejected("needs initial states for both layers; received \(states.count) states.")
    }
    let there = forwardLayer.called([x] + states.prefix(states.count / 2), name: "forward_layer")
    let back = backwardLayer.called([x] + states.suffix(states.count / 2), name: "backward_layer")
    let first = there[0]
    let second = backwardLayer.settings.returnsSequences && back[0].rank > 1 ? back[0].reversed(axes: [1]) : back[0]
    guard mergeMode == .concat || mergeMode == .none || first.shape == second.shape else {
      return rejected("needs outputs of one shape to merge; the layers gave \(first.shape) and \(second.shape).")
    }
    let merged: [Tensor] =
      switch mergeMode {
      case .concat: x.graph.add(AccelerandoCore.Concatenate(axis: first.rank - 1), [first, second])
      case .sum: [first + second]
      case .mul: [first * second]
      case .ave: [(first + second) * 0.5]
      case .none: [first, second]
      }
    return merged + there.dropFirst() + back.dropFirst()
  }

  public static var summary: String {
    "A recurrent layer forwards and one backwards, their outputs merged: by default [N, T, features] to [N, 2 · units]."
  }

  public init(config: ConfigReader) throws {
    let layer = try config.recurrentLayer("layer")
    let backward = try config.value("backward_layer", kind: "a recurrent layer").map { _ in
      try config.recurrentLayer("backward_layer")
    }
    self.init(
      layer, backward: backward, mergeMode: try config.choice("merge_mode", default: .concat),
      name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "layer": try Config(of: forwardLayer),
      "backward_layer": try Config(of: backwardLayer), "merge_mode": Config(.string(mergeMode.rawValue)),
    ])
  }
}

extension RecurrentLayer {
  /// A layer with the same settings that reads from the other end, and has parameters of its own.
  fileprivate func turned() throws -> any RecurrentLayer {
    let settings = try config()
    guard case .object(let entries) = settings.value else { return self }
    let turned =
      entries.filter { $0.key != "name" && $0.key != "go_backwards" }
      + [Config.Entry("go_backwards", Config(.bool(!self.settings.goesBackwards)))]
    var made = try Self(config: ConfigReader(Config(.object(turned)), subject: typeName))
    made.options = options
    return made
  }
}

extension ConfigReader {
  /// A recurrent layer inside a layer.
  fileprivate func recurrentLayer(_ key: String) throws -> any RecurrentLayer {
    if isDescribing {
      _ = try required(key, kind: "a recurrent layer")
      return SimpleRNN(1)
    }
    let layer = try layer(key)
    guard let recurrent = layer as? any RecurrentLayer else {
      throw refused(key, "a recurrent layer, like LSTM; '\(layer.typeName)' is none")
    }
    return recurrent
  }
}
