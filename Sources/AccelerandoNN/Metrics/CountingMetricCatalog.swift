// The metrics that are more than a mean over samples, by name.

extension Catalog where Item == any Metric {
  /// The catalog with counts, shares, areas and correlations.
  func addingCounts() -> Catalog {
    ConfusionCount.Kind.allCases.reduce(self) { catalog, kind in
      let words = kind.rawValue.split(separator: "_").joined(separator: " ")
      return catalog.adding(kind.rawValue, "The number of \(words), weighted.") {
        ConfusionCount(
          kind, thresholds: try $0.thresholds() ?? [0.5],
          name: try $0.string("label", default: kind.rawValue))
      }
    }
    .adding("confusion_matrix", "How often each class is predicted as each, in several numbers.") {
      ConfusionMatrix(
        threshold: try $0.double("threshold", default: 0.5), name: try $0.string("label", default: "confusion_matrix"))
    }
    .addingShares().addingRegions().addingRegression()
  }

  private func addingShares() -> Catalog {
    let shares = [
      (BinaryScore.Kind.precision, "The share of right ones among positive predictions."),
      (.recall, "The share of true labels with a positive prediction."),
    ].reduce(self) { catalog, entry in
      catalog.adding(entry.0.rawValue, entry.1) {
        BinaryScore(
          entry.0, thresholds: try $0.thresholds() ?? [],
          topK: try $0.optionalInt("top_k", in: .counts),
          classID: try $0.optionalInt("class_id", in: 0...Int(Int32.max)),
          name: try $0.string("label", default: entry.0.rawValue))
      }
    }
    return OperatingPoint.Kind.allCases.reduce(shares) { catalog, kind in
      let words = kind.rawValue.split(separator: "_")
      return catalog.adding(kind.rawValue, "The best \(words[0]) among thresholds with at least a given \(words[2]).") {
        OperatingPoint(
          kind, try $0.double(kind.given, in: .fraction),
          thresholdCount: try $0.int("num_thresholds", default: 200, in: 2...1_000_000),
          classID: try $0.optionalInt("class_id", in: 0...Int(Int32.max)),
          name: try $0.string("label", default: kind.rawValue))
      }
    }
    .adding("auc", "The area under the curve of sensitivity (ROC) or of precision (PR) over all thresholds.") {
      AUC(
        curve: try $0.choice("curve", default: .roc),
        summation: try $0.choice("summation_method", default: .interpolation),
        thresholdCount: try $0.int("num_thresholds", default: 200, in: 2...1_000_000),
        thresholds: try $0.thresholds(), isMultiLabel: try $0.bool("multi_label", default: false),
        labelWeights: try $0.optionalDoubles("label_weights", in: .notNegative),
        fromLogits: try $0.bool("from_logits", default: false), name: try $0.string("label", default: "auc"))
    }
    .adding("f1_score", "The harmonic mean of precision and recall, [N, classes].") {
      FBetaScore(
        average: try $0.choice("average", default: .macro),
        threshold: try $0.optionalDouble("threshold", in: .fraction),
        name: try $0.string("label", default: "f1_score"))
    }
    .adding("fbeta_score", "The weighted harmonic mean of precision and recall, [N, classes].") {
      FBetaScore(
        beta: try $0.double("beta", default: 1, in: .positive), average: try $0.choice("average", default: .macro),
        threshold: try $0.optionalDouble("threshold", in: .fraction),
        name: try $0.string("label", default: "fbeta_score"))
    }
  }

  private func addingRegions() -> Catalog {
    return adding("iou", "Intersection over union of some classes.") {
      try IoU($0, "iou", named: true, oneHot: false)
    }
    .adding("mean_iou", "Intersection over union, the mean over all classes.") {
      try IoU($0, "mean_iou", named: false, oneHot: false)
    }
    .adding("one_hot_iou", "Intersection over union of some classes, with a number for each class.") {
      try IoU($0, "one_hot_iou", named: true, oneHot: true)
    }
    .adding("one_hot_mean_iou", "Intersection over union of all classes, with a number for each class.") {
      try IoU($0, "one_hot_mean_iou", named: false, oneHot: true)
    }
    .adding("binary_iou", "Intersection over union of yes and no, for predictions from a threshold on.") {
      IoU(
        classCount: 2, targetClasses: try $0.ints("target_class_ids", default: [0, 1], in: 0...1),
        predictions: .binary(threshold: try $0.double("threshold", default: 0.5)),
        name: try $0.string("label", default: "binary_iou"))
    }
  }

  private func addingRegression() -> Catalog {
    let similarities = Similarity.Kind.allCases.reduce(self) { catalog, kind in
      let words = kind.rawValue.split(separator: "_").joined(separator: " ")
      return catalog.adding(kind.rawValue, "The \(words) of the outputs of a sample and its targets.") {
        Similarity(kind, name: try $0.string("label", default: kind.rawValue))
      }
    }
    return
      similarities
      .adding("root_mean_squared_error", aliases: ["rmse"], "The square root of the mean squared error.") {
        RootMeanSquaredError(name: try $0.string("label", default: "root_mean_squared_error"))
      }
      .adding("r2_score", "The coefficient of determination, [N, outputs].") {
        R2Score(
          aggregation: try $0.choice("class_aggregation", default: .uniformAverage),
          regressorCount: try $0.int("num_regressors", default: 0, in: 0...Int(Int32.max)),
          name: try $0.string("label", default: "r2_score"))
      }
  }
}

extension ConfigReader {
  /// Thresholds from 0 to 1: a number or a list; nil if there are none.
  fileprivate func thresholds() throws -> [Double]? {
    let kind = "a number from 0 to 1, or a list of them"
    guard let value = value("thresholds", kind: kind) else { return nil }
    guard case .array = value.value else { return [try double("thresholds", in: .fraction)] }
    let thresholds = try doubles("thresholds", in: .fraction)
    guard !thresholds.isEmpty, Set(thresholds).count == thresholds.count else {
      throw refused("thresholds", "\(kind), all different")
    }
    return thresholds
  }

  /// A list of numbers, if it is set.
  fileprivate func optionalDoubles(_ key: String, in limit: NumberLimit) throws -> [Double]? {
    value(key, kind: "a list of numbers") == nil ? nil : try doubles(key, in: limit)
  }
}

extension Config {
  /// One number as itself, several as a list.
  fileprivate init(thresholds: [Double]) {
    self =
      thresholds.count == 1 ? Config(.double(thresholds[0])) : Config(.array(thresholds.map { Config(.double($0)) }))
  }
}

extension IoU {
  /// Reads the settings of a kind.
  /// - Parameters:
  ///   - label: the label where none is given.
  ///   - named: whether the classes that count are listed.
  ///   - oneHot: whether targets have a number for each class.
  fileprivate init(_ reader: ConfigReader, _ label: String, named: Bool, oneHot: Bool) throws {
    let count = try reader.int("num_classes", in: 1...65_536)
    func form(_ key: String, default isSparse: Bool) throws -> Form {
      try reader.bool(key, default: isSparse) ? .sparse : .oneHot
    }
    self.init(
      classCount: count, targetClasses: named ? try reader.ints("target_class_ids", in: 0...count - 1) : nil,
      ignoredClass: try reader.optionalInt("ignore_class", in: -Int(Int32.max)...Int(Int32.max)),
      predictions: try form("sparse_y_pred", default: !oneHot), targets: oneHot ? .oneHot : .sparse,
      name: try reader.string("label", default: label))
  }
}

/// Settings that are set, and the label if it is not the metric's own name.
private func settings(_ metric: some Metric & Configurable, _ settings: KeyValuePairs<String, Config?>) -> Config {
  var entries = settings.compactMap { key, value in value.map { Config.Entry(key, $0) } }
  if metric.name != metric.configName { entries.append(Config.Entry("label", Config(.string(metric.name)))) }
  return Config(.object(entries))
}

extension ConfusionCount: Configurable {
  public var configName: String { kind.rawValue }
  public func config() -> Config { settings(self, ["thresholds": Config(thresholds: thresholds)]) }
}

extension BinaryScore: Configurable {
  public var configName: String { kind.rawValue }
  public func config() -> Config {
    settings(
      self,
      [
        "thresholds": thresholds.isEmpty ? Config?.none : Config(thresholds: thresholds),
        "top_k": topK.map { Config(.int($0)) },
        "class_id": classID.map { Config(.int($0)) },
      ])
  }
}

extension OperatingPoint: Configurable {
  public var configName: String { kind.rawValue }
  public func config() -> Config {
    settings(
      self,
      [
        kind.given: Config(.double(least)), "num_thresholds": Config(.int(thresholdCount)),
        "class_id": classID.map { Config(.int($0)) },
      ])
  }
}

extension AUC: Configurable {
  public var configName: String { "auc" }
  public func config() -> Config {
    settings(
      self,
      [
        "curve": Config(.string(curve.rawValue)), "summation_method": Config(.string(summation.rawValue)),
        "num_thresholds": Config(.int(thresholdCount)),
        "thresholds": thresholds.map { Config(.array($0.map { Config(.double($0)) })) },
        "multi_label": Config(.bool(isMultiLabel)),
        "label_weights": labelWeights.map { Config(.array($0.map { Config(.double($0)) })) },
        "from_logits": Config(.bool(fromLogits)),
      ])
  }
}

extension FBetaScore: Configurable {
  public var configName: String { beta == 1 ? "f1_score" : "fbeta_score" }
  public func config() -> Config {
    settings(
      self,
      [
        "beta": beta == 1 ? Config?.none : Config?.some(Config(.double(beta))),
        "average": Config(.string(average.rawValue)), "threshold": threshold.map { Config(.double($0)) },
      ])
  }
}

extension IoU: Configurable {
  public var configName: String {
    if case .binary = predictions { return "binary_iou" }
    let name = targetClasses == nil ? "mean_iou" : "iou"
    return targets == .oneHot ? "one_hot_\(name)" : name
  }

  public func config() -> Config {
    let classes = targetClasses.map { Config.ints($0) }
    if case .binary(let threshold) = predictions {
      return settings(self, ["target_class_ids": classes, "threshold": Config(.double(threshold))])
    }
    return settings(
      self,
      [
        "num_classes": Config(.int(classCount)), "target_class_ids": classes,
        "ignore_class": ignoredClass.map { Config(.int($0)) }, "sparse_y_pred": Config(.bool(predictions == .sparse)),
      ])
  }
}

extension RootMeanSquaredError: Configurable {
  public var configName: String { "root_mean_squared_error" }
  public func config() -> Config { settings(self, [:]) }
}

extension R2Score: Configurable {
  public var configName: String { "r2_score" }
  public func config() -> Config {
    settings(
      self,
      [
        "class_aggregation": Config(.string(aggregation.rawValue)), "num_regressors": Config(.int(regressorCount)),
      ])
  }
}

extension Similarity: Configurable {
  public var configName: String { kind.rawValue }
  public func config() -> Config { settings(self, [:]) }
}

extension Metric where Self == ConfusionCount {
  /// The number of positive predictions that are right.
  public static func truePositives(threshold: Double = 0.5) -> Self { Self(.truePositives, threshold: threshold) }
  /// The number of negative predictions that are right.
  public static func trueNegatives(threshold: Double = 0.5) -> Self { Self(.trueNegatives, threshold: threshold) }
  /// The number of positive predictions that are wrong.
  public static func falsePositives(threshold: Double = 0.5) -> Self { Self(.falsePositives, threshold: threshold) }
  /// The number of negative predictions that are wrong.
  public static func falseNegatives(threshold: Double = 0.5) -> Self { Self(.falseNegatives, threshold: threshold) }
}

extension Metric where Self == BinaryScore {
  /// The share of right ones among positive predictions.
  public static func precision(threshold: Double? = nil, topK: Int? = nil, classID: Int? = nil) -> Self {
    Self(.precision, threshold: threshold, topK: topK, classID: classID)
  }
  /// The share of true labels with a positive prediction.
  public static func recall(threshold: Double? = nil, topK: Int? = nil, classID: Int? = nil) -> Self {
    Self(.recall, threshold: threshold, topK: topK, classID: classID)
  }
}

extension Metric where Self == OperatingPoint {
  /// The best precision among thresholds with at least a given recall.
  public static func precision(atRecall recall: Double) -> Self { Self(.precisionAtRecall, recall) }
  /// The best recall among thresholds with at least a given precision.
  public static func recall(atPrecision precision: Double) -> Self { Self(.recallAtPrecision, precision) }
  /// The best sensitivity among thresholds with at least a given specificity.
  public static func sensitivity(atSpecificity specificity: Double) -> Self {
    Self(.sensitivityAtSpecificity, specificity)
  }
  /// The best specificity among thresholds with at least a given sensitivity.
  public static func specificity(atSensitivity sensitivity: Double) -> Self {
    Self(.specificityAtSensitivity, sensitivity)
  }
}

extension Metric where Self == AUC {
  /// The area under the receiver operating characteristic.
  public static var auc: Self { Self() }
  /// The area under a curve over all thresholds.
  public static func auc(curve: AUC.Curve = .roc, fromLogits: Bool = false) -> Self {
    Self(curve: curve, fromLogits: fromLogits)
  }
}

extension Metric where Self == FBetaScore {
  /// The harmonic mean of precision and recall.
  public static func f1Score(average: FBetaScore.Average = .macro, threshold: Double? = nil) -> Self {
    Self(average: average, threshold: threshold)
  }
}

extension Metric where Self == IoU {
  /// Intersection over union, the mean over all classes of predictions with a number for each.
  public static func meanIoU(classes: Int) -> Self { Self(classCount: classes, predictions: .oneHot) }
}

extension Metric where Self == RootMeanSquaredError {
  /// The square root of the mean squared error.
  public static var rootMeanSquaredError: Self { Self() }
}

extension Metric where Self == R2Score {
  /// The coefficient of determination.
  public static var r2Score: Self { Self() }
}
