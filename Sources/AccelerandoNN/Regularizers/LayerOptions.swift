// What can be said of any layer with weights, whatever it computes: that it is not trained, that its weights or results are
// penalized, that its weights keep to limits. It is said in one place for all layers: a layer stores the options and names
// its weights; reading and writing files, tracing and training ask for them here.

import AccelerandoCore

/// What is said of a layer's weights beside their initial values.
public struct LayerOptions: Sendable {
  /// Whether the weights of the layer, and of all layers inside, are trained. `setTrainable(true, …)` of a model overrides it.
  public var isTrainable = true
  /// The penalty on the layer's results, divided by the number of samples; nil for none.
  public var activityRegularizer: (any Regularizer)?
  /// The penalties on weights, by the names that the layer has for them: `kernel`, `bias`.
  public var regularizers: [String: any Regularizer] = [:]
  /// The limits of weights, by the names that the layer has for them.
  public var constraints: [String: any Constraint] = [:]

  /// Makes options that change nothing.
  public init() {}
}

/// A layer whose weights may be frozen, regularized and constrained. Store `var options = LayerOptions()`, and name
/// the weights for which there are settings.
///
///     Dense(64, activation: .relu).regularized(kernel: .l2(1e-4)).constrained(kernel: .maxNorm(3))
///     backbone.trainable(false)
public protocol TrainableLayer: Layer {
  /// What is said of the layer's weights.
  var options: LayerOptions { get set }
  /// The names of weights in settings, by the properties that hold the parameters: `["weight": "kernel"]` lets files say
  /// `kernel_regularizer` and `kernel_constraint`. A property of a part of the layer counts by its own name.
  static var weightNames: KeyValuePairs<String, String> { get }
}

extension TrainableLayer {
  public static var weightNames: KeyValuePairs<String, String> { [:] }

  /// The layer with its weights, and those of all layers inside, trained or frozen. Frozen weights have no gradient; a frozen
  /// `BatchNormalization` uses its running means and keeps them.
  public func trainable(_ isTrainable: Bool) -> Self {
    var copy = self
    copy.options.isTrainable = isTrainable
    return copy
  }

  /// The layer with penalties that are added to the loss, in training and in evaluation. The layer needs to have the weights
  /// that are named; other penalties stay as they are.
  /// - Parameters:
  ///   - kernel: of the kernel.
  ///   - recurrent: of a recurrent layer's kernel for its state.
  ///   - depthwise: of the kernel for each channel.
  ///   - pointwise: of the kernel over the channels of a place.
  ///   - embeddings: of a table.
  ///   - gamma: of a normalization's scale.
  ///   - beta: of a normalization's shift.
  ///   - alpha: of the slopes.
  ///   - bias: of the bias.
  ///   - activity: of the layer's results; divided by the number of samples.
  public func regularized(
    kernel: (any Regularizer)? = nil, recurrent: (any Regularizer)? = nil, depthwise: (any Regularizer)? = nil,
    pointwise: (any Regularizer)? = nil, embeddings: (any Regularizer)? = nil, gamma: (any Regularizer)? = nil,
    beta: (any Regularizer)? = nil, alpha: (any Regularizer)? = nil, bias: (any Regularizer)? = nil,
    activity: (any Regularizer)? = nil
  ) -> Self {
    var copy = self
    let given = [
      "kernel": kernel, "recurrent": recurrent, "depthwise": depthwise, "pointwise": pointwise,
      "embeddings": embeddings, "gamma": gamma, "beta": beta, "alpha": alpha, "bias": bias,
    ]
    copy.options.regularizers.merge(given.compactMapValues { $0 }) { $1 }
    if let activity { copy.options.activityRegularizer = activity }
    return copy
  }

  /// The layer with limits that its weights are brought back to after each step of training. The layer needs to have the
  /// weights that are named; other limits stay as they are.
  /// - Parameters:
  ///   - kernel: of the kernel.
  ///   - recurrent: of a recurrent layer's kernel for its state.
  ///   - depthwise: of the kernel for each channel.
  ///   - pointwise: of the kernel over the channels of a place.
  ///   - embeddings: of a table.
  ///   - gamma: of a normalization's scale.
  ///   - beta: of a normalization's shift.
  ///   - alpha: of the slopes.
  ///   - bias: of the bias.
  public func constrained(
    kernel: (any Constraint)? = nil, recurrent: (any Constraint)? = nil, depthwise: (any Constraint)? = nil,
    pointwise: (any Constraint)? = nil, embeddings: (any Constraint)? = nil, gamma: (any Constraint)? = nil,
    beta: (any Constraint)? = nil, alpha: (any Constraint)? = nil, bias: (any Constraint)? = nil
  ) -> Self {
    var copy = self
    let given = [
      "kernel": kernel, "recurrent": recurrent, "depthwise": depthwise, "pointwise": pointwise,
      "embeddings": embeddings, "gamma": gamma, "beta": beta, "alpha": alpha, "bias": bias,
    ]
    copy.options.constraints.merge(given.compactMapValues { $0 }) { $1 }
    return copy
  }

  /// What is wrong with the options; nil if nothing is.
  var optionProblem: String? {
    let known = Self.weightNames.map(\.value)
    for (what, names) in [
      ("a regularizer", options.regularizers.keys.sorted()), ("a constraint", options.constraints.keys.sorted()),
    ] {
      if let stranger = names.first(where: { !known.contains($0) }) {
        let list = known.isEmpty ? "no weights for which there could be one" : known.joined(separator: ", ")
        return "has \(what) for '\(stranger)', which it does not have. It has: \(list)."
      }
    }
    do {
      for (_, item) in options.regularizers { try Catalog.regularizers.check(item) }
      for (_, item) in options.constraints { try Catalog.constraints.check(item) }
      if let item = options.activityRegularizer { try Catalog.regularizers.check(item) }
      return nil
    } catch {
      return "\(error)"
    }
  }
}

// MARK: - Files

extension ConfigReader {
  /// The layer with the options that are set: `trainable`, `activity_regularizer`, and `NAME_regularizer` and
  /// `NAME_constraint` for each of its weights.
  func withOptions(_ layer: any Layer) throws -> any Layer {
    guard var layer = layer as? any TrainableLayer else { return layer }
    try readOptions(type(of: layer).weightNames.map(\.value), into: &layer.options)
    return layer
  }

  /// Lets a catalog know which options a type of layers has.
  func describeOptions(of type: any Layer.Type) {
    var options = LayerOptions()
    guard let type = type as? any TrainableLayer.Type else { return }
    try? readOptions(type.weightNames.map(\.value), into: &options)
  }

  private func readOptions(_ weights: [String], into options: inout LayerOptions) throws {
    for name in weights {
      if let found = try regularizer("\(name)_regularizer") { options.regularizers[name] = found }
      if let found = try constraint("\(name)_constraint") { options.constraints[name] = found }
    }
    if let found = try regularizer("activity_regularizer") { options.activityRegularizer = found }
    let about = "Whether its weights, and those of layers inside, are trained"
    options.isTrainable = try bool("trainable", default: true, about: about)
  }
}

extension ConfigurableLayer {
  /// The layer's settings, with its options.
  /// - Throws: `ConfigError` when a part of them cannot be written.
  func settings() throws -> Config {
    let own = try config()
    guard let layer = self as? any TrainableLayer else { return own }
    let options = layer.options
    var entries: [Config.Entry] = []
    var seen: Set<String> = []
    for name in type(of: layer).weightNames.map(\.value) where seen.insert(name).inserted {
      if let item = options.regularizers[name] {
        entries.append(Config.Entry("\(name)_regularizer", try Catalog.regularizers.config(of: item)))
      }
      if let item = options.constraints[name] {
        entries.append(Config.Entry("\(name)_constraint", try Catalog.constraints.config(of: item)))
      }
    }
    if let item = options.activityRegularizer {
      entries.append(Config.Entry("activity_regularizer", try Catalog.regularizers.config(of: item)))
    }
    if !options.isTrainable { entries.append(Config.Entry("trainable", Config(.bool(false)))) }
    return entries.isEmpty ? own : own.adding(entries)
  }
}
