// Settings that make no sense are refused whoever makes them: Swift code hears what a recipe hears.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Testing

private struct Flat: LearningRateSchedule {
  let rate: Double
  func rate(at iteration: ScheduleValue) -> ScheduleValue { .known(rate) }
}

@Suite struct SettingsTests {
  private func problem(_ optimizer: any Optimizer) -> String {
    message { try classifier().compile(optimizer: optimizer, loss: .sparseCategoricalCrossentropy) }
  }

  @Test func everySettingOfAnOptimizerHasItsLimits() {
    let cases: [(any Optimizer, String)] = [
      (.sgd(0.1, clipping: .norm(-1)), "'clipnorm' needs a number above 0; received the number -1.0"),
      (.sgd(0.1, clipping: .value(0)), "'clipvalue' needs a number above 0"),
      (.adam(clipping: .globalNorm(.nan)), "'global_clipnorm' needs a number above 0"),
      (.sgd(.constant(-0.1)), "a learning rate needs a number of at least 0; received the number -0.1"),
      (.adam(.constant(.nan)), "a learning rate needs"), (.rmsprop(.constant(.infinity)), "a learning rate needs"),
      (.sgd(.constant(1e300)), "a learning rate needs"),
      (.sgd(momentum: 1.5), "'momentum' needs a number from 0 to 1"),
      (.sgd(weightDecay: -1), "'weight_decay' needs a number of at least 0"),
      (.adam(beta1: 1.5), "'beta_1' needs a number from 0 to below 1; received the number 1.5"),
      (.adam(beta2: .nan), "'beta_2' needs"), (.adam(epsilon: -1), "'epsilon' needs a number of at least 0"),
      (.adamW(weightDecay: .infinity), "'weight_decay' needs"), (.rmsprop(rho: -0.1), "'rho' needs"),
      (.rmsprop(momentum: 2), "'momentum' needs"), (.rmsprop(epsilon: .nan), "'epsilon' needs"),
      (.sgd(.cosineDecay(-1, steps: 5)), "'initial_learning_rate' needs"),
      (.sgd(.cosineDecay(1, steps: 0)), "'decay_steps' needs a whole number of at least 1"),
      (.sgd(.cosineDecay(1, steps: 5, warmupTarget: .nan)), "'warmup_target' needs"),
      (.sgd(.exponentialDecay(1, steps: 5, rate: -2)), "'decay_rate' needs"),
      (.sgd(.polynomialDecay(1, steps: 5, end: -1)), "'end_learning_rate' needs"),
      (.sgd(.piecewiseConstant(boundaries: [5, 3], values: [1, 2, 3])), "boundaries that increase"),
      (.sgd(.piecewiseConstant(boundaries: [5], values: [1])), "one value more than boundaries"),
      (.sgd(.schedule(InverseTimeDecay(.nan, steps: 1, decayRate: 1))), "'initial_learning_rate' needs"),
      (.sgd(.schedule(Flat(rate: -3))), "a learning rate needs"),
      (.sgd(.schedule(Flat(rate: 3)), clipping: .norm(-1)), "'clipnorm' needs"),
    ]
    for (optimizer, expected) in cases {
      let text = problem(optimizer)
      #expect(text.contains(expected), "\(text) should contain \(expected)")
    }
    for good: any Optimizer in [
      .sgd(0), .adam, .adamW, .rmsprop, .sgd, .sgd(momentum: 1), .adam(beta1: 0, epsilon: 0),
      .sgd(.schedule(Flat(rate: 3))), .sgd(.piecewiseConstant(boundaries: [3, 5], values: [1, 0, 2])),
    ] {
      #expect(problem(good) == "no error")
    }
  }

  @Test func lossesAndMetricsHaveTheirLimits() {
    func problem(_ loss: any Loss = .huber, _ metrics: [any Metric] = [], _ weighted: [any Metric] = []) -> String {
      message { try classifier().compile(optimizer: .sgd, loss: loss, metrics: metrics, weightedMetrics: weighted) }
    }
    #expect(problem(.huber(delta: 0)).contains("'delta' needs a number above 0; received the number 0.0"))
    #expect(problem(.categoricalCrossentropy(labelSmoothing: 1.5)).contains("'label_smoothing' needs"))
    #expect(problem(.binaryCrossentropy(labelSmoothing: .nan)).contains("'label_smoothing' needs"))
    #expect(problem(.huber, [.topKCategoricalAccuracy(k: 0)]).contains("'k' needs a whole number of at least 1"))
    #expect(problem(.huber, [], [.sparseTopKCategoricalAccuracy(k: -1)]).contains("'k' needs"))
    #expect(problem(.huber, [.binaryAccuracy(threshold: .nan)]).contains("'threshold' needs"))
    #expect(problem(.huber, [.loss(.huber(delta: -1))]).contains("'delta' needs"))
    #expect(problem(.huber, [.binaryAccuracy, .topKCategoricalAccuracy]) == "no error")
  }

  @Test(arguments: [Double.nan, -0.1, .infinity, 1e300])
  func aRateThatIsNoneCannotBeSet(_ rate: Double) throws {
    let model = try compiledClassifier()
    #expect(message { try model.setLearningRate(rate) }.contains("a learning rate needs a number of at least 0"))
    #expect(try model.learningRate() == Double(Float(0.01)))
    try model.setLearningRate(0)
  }
}
