// The losses by name: for recipes, and for `compile(loss: .huber())`.

extension Catalog where Item == any Loss {
  /// The built-in losses, by Keras' names.
  public static var losses: Catalog {
    plainLosses.changing { loss, reader in
      let reduction = try reader.choice("reduction", default: LossReduction.sumOverBatchSize)
      return reduction == .sumOverBatchSize ? loss : ReducedLoss(loss, by: reduction)
    }
  }

  /// The losses without the setting of how the losses of a batch become one number.
  static var plainLosses: Catalog {
    Catalog("loss")
      .adding("sparse_categorical_crossentropy", "Cross-entropy of class indices.") {
        SparseCategoricalCrossentropy(
          fromLogits: try $0.bool("from_logits", default: false),
          ignoredClass: try $0.optionalInt(
            "ignore_class", in: -Int(Int32.max)...Int(Int32.max), about: "A label whose places do not count"))
      }
      .adding("categorical_crossentropy", "Cross-entropy of a number for each class, such as one-hot targets.") {
        CategoricalCrossentropy(
          fromLogits: try $0.bool("from_logits", default: false),
          labelSmoothing: try $0.double("label_smoothing", default: 0, in: .fraction))
      }
      .adding("binary_crossentropy", aliases: ["bce"], "Cross-entropy of binary labels, each output separately.") {
        BinaryCrossentropy(
          fromLogits: try $0.bool("from_logits", default: false),
          labelSmoothing: try $0.double("label_smoothing", default: 0, in: .fraction))
      }
      .adding("mean_squared_error", aliases: ["mse"], "The mean of (prediction − target)².") { _ in MeanSquaredError() }
      .adding("mean_absolute_error", aliases: ["mae"], "The mean of |prediction − target|.") { _ in MeanAbsoluteError()
      }
      .adding("huber", "½d² for differences up to delta, delta · |d| − ½delta² beyond.") {
        Huber(delta: try $0.double("delta", default: 1, in: .positive))
      }
      .adding("binary_focal_crossentropy", BinaryFocalCrossentropy.summary) { try BinaryFocalCrossentropy(config: $0) }
      .adding("categorical_focal_crossentropy", CategoricalFocalCrossentropy.summary) {
        try CategoricalFocalCrossentropy(config: $0)
      }
      .adding("categorical_generalized_cross_entropy", CategoricalGeneralizedCrossEntropy.summary) {
        try CategoricalGeneralizedCrossEntropy(config: $0)
      }
      .adding("categorical_hinge", CategoricalHinge.summary) { try CategoricalHinge(config: $0) }
      .adding("circle", Circle.summary) { try Circle(config: $0) }
      .adding("cosine_similarity", CosineSimilarity.summary) { try CosineSimilarity(config: $0) }
      .adding("ctc", CTC.summary) { try CTC(config: $0) }
      .adding("dice", Dice.summary) { try Dice(config: $0) }
      .adding("hinge", Hinge.summary) { try Hinge(config: $0) }
      .adding("kl_divergence", aliases: ["kld", "kullback_leibler_divergence"], KLDivergence.summary) {
        try KLDivergence(config: $0)
      }
      .adding("log_cosh", aliases: ["logcosh"], LogCosh.summary) { try LogCosh(config: $0) }
      .adding("mean_absolute_percentage_error", aliases: ["mape"], MeanAbsolutePercentageError.summary) {
        try MeanAbsolutePercentageError(config: $0)
      }
      .adding("mean_squared_logarithmic_error", aliases: ["msle"], MeanSquaredLogarithmicError.summary) {
        try MeanSquaredLogarithmicError(config: $0)
      }
      .adding("poisson", Poisson.summary) { try Poisson(config: $0) }
      .adding("squared_hinge", SquaredHinge.summary) { try SquaredHinge(config: $0) }
      .adding("tversky", Tversky.summary) { try Tversky(config: $0) }
  }
}

extension SparseCategoricalCrossentropy: Configurable {
  public var configName: String { name }
  public func config() -> Config {
    Config(["from_logits": Config(.bool(fromLogits)), "ignore_class": ignoredClass.map { Config(.int($0)) }])
  }
}

extension CategoricalCrossentropy: Configurable {
  public var configName: String { name }
  public func config() -> Config {
    Config(["from_logits": Config(.bool(fromLogits)), "label_smoothing": Config(.double(labelSmoothing))])
  }
}

extension BinaryCrossentropy: Configurable {
  public var configName: String { name }
  public func config() -> Config {
    Config(["from_logits": Config(.bool(fromLogits)), "label_smoothing": Config(.double(labelSmoothing))])
  }
}

extension MeanSquaredError: Configurable {
  public var configName: String { name }
  public func config() -> Config { Config([:]) }
}

extension MeanAbsoluteError: Configurable {
  public var configName: String { name }
  public func config() -> Config { Config([:]) }
}

extension Huber: Configurable {
  public var configName: String { name }
  public func config() -> Config { Config(["delta": Config(.double(delta))]) }
}

extension Loss where Self == SparseCategoricalCrossentropy {
  /// Cross-entropy of class indices.
  public static var sparseCategoricalCrossentropy: Self { Self() }
  /// Cross-entropy of class indices.
  public static func sparseCategoricalCrossentropy(fromLogits: Bool = false, ignoredClass: Int? = nil) -> Self {
    Self(fromLogits: fromLogits, ignoredClass: ignoredClass)
  }
}

extension Loss where Self == CategoricalCrossentropy {
  /// Cross-entropy of one-hot targets.
  public static var categoricalCrossentropy: Self { Self() }
  /// Cross-entropy of one-hot targets.
  public static func categoricalCrossentropy(fromLogits: Bool = false, labelSmoothing: Double = 0) -> Self {
    Self(fromLogits: fromLogits, labelSmoothing: labelSmoothing)
  }
}

extension Loss where Self == BinaryCrossentropy {
  /// Cross-entropy of binary labels.
  public static var binaryCrossentropy: Self { Self() }
  /// Cross-entropy of binary labels.
  public static func binaryCrossentropy(fromLogits: Bool = false, labelSmoothing: Double = 0) -> Self {
    Self(fromLogits: fromLogits, labelSmoothing: labelSmoothing)
  }
}

extension Loss where Self == MeanSquaredError {
  /// The mean squared error.
  public static var meanSquaredError: Self { Self() }
}

extension Loss where Self == MeanAbsoluteError {
  /// The mean absolute error.
  public static var meanAbsoluteError: Self { Self() }
}

extension Loss where Self == Huber {
  /// Squared for differences up to 1 and absolute for larger ones.
  public static var huber: Self { Self() }
  /// Squared for small differences and absolute for large ones.
  public static func huber(delta: Double = 1) -> Self { Self(delta: delta) }
}
