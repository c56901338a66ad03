// The metrics by name: for recipes, and for `compile(metrics: [.accuracy])`.

extension Catalog where Item == any Metric {
  /// The built-in metrics, by Keras' names. Each takes a `label`, the name that it is reported under.
  public static var metrics: Catalog {
    Catalog("metric")
      .adding("accuracy", "The accuracy that fits the shapes: binary, sparse categorical or categorical.") {
        Accuracy(name: try $0.string("label", default: "accuracy"))
      }
      .adding("acc", "accuracy, reported as acc.") { Accuracy(name: try $0.string("label", default: "acc")) }
      .adding("binary_accuracy", "Whether outputs are on the target's side of the threshold.") {
        BinaryAccuracy(
          threshold: try $0.double("threshold", default: 0.5),
          name: try $0.string("label", default: "binary_accuracy"))
      }
      .adding("categorical_accuracy", "Whether the largest output is where the target is largest.") {
        CategoricalAccuracy(name: try $0.string("label", default: "categorical_accuracy"))
      }
      .adding("sparse_categorical_accuracy", "Whether the largest output is the labelled class.") {
        SparseCategoricalAccuracy(name: try $0.string("label", default: "sparse_categorical_accuracy"))
      }
      .adding("top_k_categorical_accuracy", "Whether the class with the largest target is among the k largest outputs.")
    {
      TopKCategoricalAccuracy(
        k: try $0.int("k", default: 5, in: .counts), name: try $0.string("label", default: "top_k_categorical_accuracy")
      )
    }
      .adding("sparse_top_k_categorical_accuracy", "Whether the labelled class is among the k largest outputs.") {
        SparseTopKCategoricalAccuracy(
          k: try $0.int("k", default: 5, in: .counts),
          name: try $0.string("label", default: "sparse_top_k_categorical_accuracy"))
      }
      .addingLosses()
      .addingCounts()
  }

  private func addingLosses() -> Catalog {
    let losses = Catalog<any Loss>.plainLosses
    let aliases = [
      "mean_squared_error": ["mse"], "mean_absolute_error": ["mae"], "binary_crossentropy": ["bce"],
      "kl_divergence": ["kld"], "log_cosh": ["logcosh", "log_cosh_error"], "mean_absolute_percentage_error": ["mape"],
      "mean_squared_logarithmic_error": ["msle"],
    ]
    // As a metric, the similarity is positive.
    return losses.names.filter { $0 != "cosine_similarity" }.reduce(self) { catalog, name in
      let summary = (try? losses.entry(name).summary) ?? ""
      return catalog.adding(name, aliases: aliases[name] ?? [], summary) {
        LossMetric(try losses.read(name, $0), name: try $0.optionalString("label"))
      }
    }
  }
}

/// The label of a metric, if it is not the metric's own name.
private func label(_ metric: some Metric & Configurable) -> Config? {
  metric.name == metric.configName ? nil : Config(.string(metric.name))
}

extension Accuracy: Configurable {
  public var configName: String { "accuracy" }
  public func config() -> Config { Config(["label": label(self)]) }
}

extension BinaryAccuracy: Configurable {
  public var configName: String { "binary_accuracy" }
  public func config() -> Config { Config(["threshold": Config(.double(threshold)), "label": label(self)]) }
}

extension CategoricalAccuracy: Configurable {
  public var configName: String { "categorical_accuracy" }
  public func config() -> Config { Config(["label": label(self)]) }
}

extension SparseCategoricalAccuracy: Configurable {
  public var configName: String { "sparse_categorical_accuracy" }
  public func config() -> Config { Config(["label": label(self)]) }
}

extension TopKCategoricalAccuracy: Configurable {
  public var configName: String { "top_k_categorical_accuracy" }
  public func config() -> Config { Config(["k": Config(.int(k)), "label": label(self)]) }
}

extension SparseTopKCategoricalAccuracy: Configurable {
  public var configName: String { "sparse_top_k_categorical_accuracy" }
  public func config() -> Config { Config(["k": Config(.int(k)), "label": label(self)]) }
}

extension LossMetric: Configurable {
  public var configName: String { loss.name }
  public func config() throws -> Config {
    guard let loss = loss as? any Configurable else {
      throw ConfigError("the loss '\(loss.name)' cannot be written: it does not conform to Configurable.")
    }
    guard case .object(var entries) = try loss.config().value else { return Config([:]) }
    if let label = label(self) { entries.append(Config.Entry("label", label)) }
    return Config(.object(entries))
  }
}

extension Metric where Self == Accuracy {
  /// The accuracy that fits the shapes.
  public static var accuracy: Self { Self() }
}

extension Metric where Self == BinaryAccuracy {
  /// Whether outputs are above or below ½ like the target.
  public static var binaryAccuracy: Self { Self() }
  /// Whether outputs lie on the target's side of a threshold.
  public static func binaryAccuracy(threshold: Double = 0.5) -> Self { Self(threshold: threshold) }
}

extension Metric where Self == CategoricalAccuracy {
  /// Whether the largest output is where the target is largest.
  public static var categoricalAccuracy: Self { Self() }
}

extension Metric where Self == SparseCategoricalAccuracy {
  /// Whether the largest output is the labelled class.
  public static var sparseCategoricalAccuracy: Self { Self() }
}

extension Metric where Self == TopKCategoricalAccuracy {
  /// Whether the class where the target is largest is among the five largest outputs.
  public static var topKCategoricalAccuracy: Self { Self() }
  /// Whether the class where the target is largest is among the `k` largest outputs.
  public static func topKCategoricalAccuracy(k: Int = 5) -> Self { Self(k: k) }
}

extension Metric where Self == SparseTopKCategoricalAccuracy {
  /// Whether the labelled class is among the five largest outputs.
  public static var sparseTopKCategoricalAccuracy: Self { Self() }
  /// Whether the labelled class is among the `k` largest outputs.
  public static func sparseTopKCategoricalAccuracy(k: Int = 5) -> Self { Self(k: k) }
}

extension Metric where Self == LossMetric {
  /// The mean squared error.
  public static var meanSquaredError: Self { Self(MeanSquaredError()) }
  /// The mean absolute error.
  public static var meanAbsoluteError: Self { Self(MeanAbsoluteError()) }
  /// A loss that is reported instead of minimized.
  public static func loss(_ loss: any Loss, name: String? = nil) -> Self { Self(loss, name: name) }
}
