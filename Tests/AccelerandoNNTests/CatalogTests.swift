import AccelerandoCore
import AccelerandoNN
import Testing

private func config(_ json: String) throws -> Config { try Config(json: json, file: "recipe") }

private func message(_ body: () throws -> Void) -> String {
  do { try body() } catch { return "\(error)" }
  return "no error"
}

@Suite struct CatalogTests {
  /// Writes every kind with settings of its own, reads what was written and expects to write the same again.
  private func expectRoundTrips<Item>(_ catalog: Catalog<Item>, _ items: [Item]) throws {
    for item in items {
      let written = try catalog.config(of: item)
      let read = try catalog.make(try Config(json: written.json, file: "saved.json"))
      #expect(try catalog.config(of: read) == written)
    }
    let kinds = Set(try items.map { name(try catalog.config(of: $0)) })
    // A kind that has no defaults is known by the name in the catalog alone.
    let known = catalog.names.map { kind in
      (try? catalog.config(of: catalog.named(kind))).map(name) ?? kind
    }
    #expect(Set(known).subtracting(kinds).isEmpty, "every kind is tried")
  }

  private func name(_ config: Config) -> String {
    switch config["name"]?.value ?? config.value {
    case .string(let name): name
    default: "\(config)"
    }
  }

  @Test func lossesSurviveTheWayThroughJSON() throws {
    try expectRoundTrips(
      .losses,
      [
        .sparseCategoricalCrossentropy(fromLogits: true), .categoricalCrossentropy(labelSmoothing: 0.1),
        .binaryCrossentropy(fromLogits: true, labelSmoothing: 0.2), .meanSquaredError, .meanAbsoluteError,
        .huber(delta: 2), BinaryFocalCrossentropy(balancesClasses: true, gamma: 1, labelSmoothing: 0.1),
        CategoricalFocalCrossentropy(alpha: 0.5, fromLogits: true), CategoricalGeneralizedCrossEntropy(q: 0.3),
        CategoricalHinge(), Circle(gamma: 2, margin: 0.1, removesDiagonal: false), CosineSimilarity(axis: 1), CTC(),
        Dice(axes: [1, 2]), Hinge(), KLDivergence(), LogCosh(), MeanAbsolutePercentageError(),
        MeanSquaredLogarithmicError(), Poisson(), SquaredHinge(), Tversky(alpha: 0.2, beta: 0.7, axes: [-1]),
      ])
  }

  @Test func metricsSurviveTheWayThroughJSON() throws {
    try expectRoundTrips(
      .metrics,
      [
        .accuracy, Accuracy(name: "acc"), .binaryAccuracy(threshold: 0.3), .categoricalAccuracy,
        .sparseCategoricalAccuracy, .topKCategoricalAccuracy(k: 3), .sparseTopKCategoricalAccuracy(k: 2),
        .meanSquaredError, .meanAbsoluteError, .loss(.huber(delta: 3), name: "far"),
        .loss(.sparseCategoricalCrossentropy), .loss(.categoricalCrossentropy(fromLogits: true)),
        .loss(.binaryCrossentropy), .loss(BinaryFocalCrossentropy()), .loss(CategoricalFocalCrossentropy()),
        .loss(CategoricalGeneralizedCrossEntropy()), .loss(CategoricalHinge()), .loss(Circle()), .loss(CTC()),
        .loss(Dice()), .loss(Hinge()), .loss(KLDivergence()), .loss(LogCosh()), .loss(MeanAbsolutePercentageError()),
        .loss(MeanSquaredLogarithmicError()), .loss(Poisson()), .loss(SquaredHinge()), .loss(Tversky()),
        .truePositives(threshold: 0.3), .falseNegatives(), .trueNegatives(),
        .falsePositives(threshold: 0.1), .precision(topK: 2),
        .recall(threshold: 0.4, classID: 1), .precision(atRecall: 0.7), .recall(atPrecision: 0.2),
        .sensitivity(atSpecificity: 0.1), .specificity(atSensitivity: 0.9),
        AUC(curve: .pr, summation: .minoring, thresholdCount: 30, isMultiLabel: true, fromLogits: true, name: "area"),
        .f1Score(average: .weighted, threshold: 0.5), FBetaScore(beta: 2, average: .micro, name: "f2"),
        ConfusionMatrix(threshold: 0.3, name: "table"), ConfusionCount(.truePositives, thresholds: [0.2, 0.7]),
        BinaryScore(.recall, thresholds: [0.2, 0.7]), FBetaScore(average: .none, name: "each"),
        AUC(curve: .prGain, thresholds: [0.2, 0.3], isMultiLabel: true, labelWeights: [1, 2], name: "gain"),
        R2Score(aggregation: .none, regressorCount: 2),
        .meanIoU(classes: 3), IoU(classCount: 4, targetClasses: [1, 2], ignoredClass: 0),
        IoU(classCount: 4, targetClasses: [1], predictions: .sparse, targets: .oneHot),
        IoU(classCount: 4, predictions: .oneHot, targets: .oneHot, name: "regions"),
        IoU(classCount: 2, targetClasses: [1], predictions: .binary(threshold: 0.2)), .rootMeanSquaredError,
        R2Score(aggregation: .varianceWeightedAverage), Similarity(.pearson), Similarity(.concordance, name: "c"),
        Similarity(.cosine),
      ])
    #expect(try Catalog.metrics.make(config(#"{"name": "top_k_categorical_accuracy", "label": "top"}"#)).name == "top")
  }

  @Test func optimizersSurviveTheWayThroughJSON() throws {
    let optimizers: [any Optimizer] = [
      .sgd(0.1, momentum: 0.9, nesterov: true, clipping: .norm(1)), .adam(1e-4, beta1: 0.8, clipping: .value(2)),
      .adamW(weightDecay: 0.1, clipping: .globalNorm(3)), .rmsprop(rho: 0.8, momentum: 0.5, centered: true),
      .adam(.cosineDecay(0.1, steps: 100, warmupTarget: 0.2, warmupSteps: 10), amsgrad: true),
      .sgd(.piecewiseConstant(boundaries: [3, 5], values: [1, 0.5, 0.1])),
      .sgd(.exponentialDecay(0.1, steps: 7, rate: 0.5, staircase: true)),
      .sgd(.polynomialDecay(0.1, steps: 7, end: 0.01, power: 2, cycle: true)),
      .sgd(.schedule(InverseTimeDecay(0.1, steps: 7, decayRate: 0.5))), Adadelta(rho: 0.5), Adafactor(clipThreshold: 2),
      Adagrad(.schedule(CosineDecayRestarts(0.1, steps: 5, rateFactor: 0.5)), initialAccumulator: 0.2),
      Adamax(beta1: 0.5, weightDecay: 0.1), Ftrl(l1: 0.1, beta: 2), Lamb(clipping: .norm(1)), Lion(beta2: 0.9),
      Muon(rmsRate: nil, excludedLayers: ["head"], adamWeightDecay: nil), Nadam(epsilon: 1e-3),
      ScheduleFreeAdamW(warmupSteps: 7), .adam.averagingWeights(momentum: 0.5, overwriteFrequency: 3),
      .sgd.accumulatingGradients(steps: 4), Muon().averagingWeights().accumulatingGradients(steps: 2),
    ]
    try expectRoundTrips(.optimizers, optimizers)
  }

  @Test func regularizersAndConstraintsSurviveTheWayThroughJSON() throws {
    try expectRoundTrips(
      .regularizers, [.l1(0.1), .l2(0.2), .l1l2(l1: 0.1, l2: 0.2), L1L2(l2: 0.5), .orthogonal(0.3, mode: .columns)])
    try expectRoundTrips(
      .constraints, [.maxNorm(3, axes: [0, 1]), .minMaxNorm(0.1, 0.9, rate: 0.5, axes: [-1]), .nonNeg, .unitNorm()])
  }

  @Test func initializersAndActivationsSurviveTheWayThroughJSON() throws {
    try expectRoundTrips(
      .initializers,
      [
        .zeros, .ones, .constant(3), .glorotUniform, .glorotNormal, .heUniform, .heNormal, .lecunUniform, .lecunNormal,
        .randomUniform(from: -2, to: 1), .randomNormal(mean: 1, standardDeviation: 2),
        .truncatedNormal(mean: 1, standardDeviation: 2), .orthogonal(gain: 2), .parts([.ones, .zeros]),
        .identity(gain: 3),
        .varianceScaling(scale: 3, mode: .fanOut, distribution: .normal), .seeded(.heNormal, seed: 7),
        .seeded(.randomUniform(from: 0, to: 2), seed: 9), .seeded(.orthogonal(), seed: 1),
      ])
    try expectRoundTrips(
      .activations,
      Catalog.activations.names.filter { $0 != "threshold" }.map { try Catalog.activations.named($0) } + [
        .threshold(0.5, default: -1), .glu(axis: 1), .hardShrink(threshold: 0.1), .softShrink(threshold: 0.2),
        .gelu(approximate: true), .elu(alpha: 2), .celu(alpha: 3), .leakyRelu(negativeSlope: 0.1),
      ])
  }

  @Test func namesAreFoundInAnySpelling() throws {
    for name in ["MeanSquaredError", "mean_squared_error", "mse", "MSE", "Mean-Squared-Error"] {
      #expect(try Catalog.losses.named(name).name == "mean_squared_error")
    }
    #expect(try Catalog.activations.named("swish") == .silu)
    let leaky = try config(#"{"name": "leaky_relu", "negative_slope": 0.3}"#)
    #expect(try Catalog.activations.make(leaky) == .leakyRelu(negativeSlope: 0.3))
    let keras = try config(#"{"class_name": "Adam", "config": {"learning_rate": 0.5}}"#)
    #expect(try Catalog.optimizers.make(keras).learningRate.value(iteration: 0) == 0.5)
  }

  @Test func mistakesAreNamedWithWhatWouldBeRight() {
    func problem(_ json: String) -> String { message { _ = try Catalog.optimizers.make(config(json)) } }
    #expect(problem(#""adm""#).contains("there is no optimizer 'adm'. Did you mean 'adam'? Known: sgd, adam"))
    #expect(problem(#"{"name": "adam", "beta1": 0.5}"#).contains("'beta1'; did you mean 'beta_1'?"))
    #expect(problem(#"{"name": "sgd", "momentum": 2}"#).contains("'momentum' needs a number from 0 to 1"))
    #expect(problem(#"{"name": "sgd", "learning_rate": "fast"}"#).contains("there is no schedule 'fast'"))
    #expect(problem(#"{"name": "sgd", "learning_rate": -1.0}"#).contains("at least 0"))
    #expect(problem(#"{"name": "adam", "beta_1": 1}"#).contains("'beta_1' needs a number from 0 to below 1"))
    let clips = problem(#"{"name": "sgd", "clipnorm": 1, "clipvalue": 1}"#)
    #expect(clips.contains("takes one of clipnorm, clipvalue and global_clipnorm"))
    let steps = problem(#"{"sgd": {"learning_rate": {"name": "cosine_decay", "initial_learning_rate": 1}}}"#)
    #expect(steps.contains("'decay_steps'"))
    #expect(problem("7").contains("needs the name of an optimizer"))
    let delta = message { _ = try Catalog.losses.make(config(#"{"huber": {"delta": 0}}"#)) }
    #expect(delta.contains("'delta' needs a number above 0"))
  }

  @Test func customKindsAreAddedToACopy() throws {
    struct Zero: Loss, Configurable {
      var name: String { "zero" }
      var configName: String { name }
      func config() -> Config { Config([:]) }
      func values(_ prediction: Tensor, _ target: Tensor) -> Tensor { prediction.sum(axes: [1]) * 0 }
    }
    let catalog = Catalog.losses.adding("zero") { _ in Zero() }
    #expect(try catalog.named("Zero") is Zero)
    #expect(try catalog.config(of: Zero()) == "zero")
    #expect(message { _ = try Catalog.losses.named("zero") }.contains("there is no loss 'zero'"))
  }
}
