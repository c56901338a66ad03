import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Testing

/// A metric that says nothing about itself, and one that says what its name hides.
private struct Watched: MeanMetric {
  let name: String
  var direction: MetricDirection?
  func values(_ prediction: Tensor, _ target: Tensor) -> Tensor { Accuracy().values(prediction, target) }
}

/// A callback of one's own that sets a number and does not announce it.
private final class Setting: Callback {
  let name: String
  let values: [Double]
  init(_ name: String, _ values: [Double]) { (self.name, self.values) = (name, values) }
  func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) { logs[name] = values[epoch] }
}

@Suite struct CallbackChecksTests {
  /// Trains, and counts the steps.
  private func steps(
    _ callbacks: [any Callback], metrics: [any Metric] = [.accuracy], epochs: Int = 4, validates: Bool = true,
    every validationFrequency: Int = 1, optimizer: any Optimizer = .adam(0.01)
  ) throws -> (count: Int, text: String, history: History?) {
    let (x, y) = try quadrants(40)
    let model = classifier()
    try model.compile(optimizer: optimizer, loss: .sparseCategoricalCrossentropy, metrics: metrics)
    var count = 0
    var history: History?
    let counter = LambdaCallback(batchEnd: { _, _ in count += 1 })
    let text = message {
      history = try model.fit(
        x, y, epochs: epochs, batchSize: 20, validation: validates ? Dataset(x, y) : nil,
        validationFrequency: validationFrequency, callbacks: callbacks + [counter], verbose: .silent)
    }
    return (count, text, history)
  }

  @Test(arguments: ["val_iou", "val_AUC", "dice", "acceleration_error", "psnr"])
  func theDirectionOfANumberThatNobodyKnowsIsNotGuessed(name: String) throws {
    let setting = Setting(name, [0.1, 0.2, 0.3, 0.4])
    let users: [(MonitorMode) -> any Callback] = [
      { EarlyStopping(monitor: name, mode: $0) }, { ReduceLROnPlateau(monitor: name, mode: $0) },
      { ModelCheckpoint("/nowhere/x", monitor: name, mode: $0, savesBestOnly: true) },
    ]
    for user in users {
      let refused = try steps([setting, user(.automatic)])
      #expect(refused.count == 0)
      #expect(refused.text.contains("'\(name)'") && refused.text.contains("min ") && refused.text.contains("max "))
    }
    let rising = try steps([setting, EarlyStopping(monitor: name, patience: 1, mode: .maximum)])
    #expect(rising.count == 8, "\(rising.text)")
    let falling = try steps([setting, EarlyStopping(monitor: name, patience: 1, mode: .minimum)])
    #expect(falling.count == 4)
  }

  @Test func theMetricSaysWhichDirectionIsBetterWhateverItIsCalled() throws {
    let known: [(any Metric, MetricDirection)] = [
      (Accuracy(name: "error"), .maximize), (SparseCategoricalAccuracy(name: "loss2"), .maximize),
      (SparseTopKCategoricalAccuracy(k: 1, name: "x"), .maximize),
      (LossMetric(MeanAbsoluteError(), name: "acc"), .minimize),
      (Watched(name: "miss_accuracy", direction: .minimize), .minimize),
    ]
    for (metric, direction) in known {
      #expect(metric.direction == direction)
      let stopping = EarlyStopping(monitor: metric.name, patience: 1)
      let values: [Double] = direction == .maximize ? [0.1, 0.2, 0.3, 0.4] : [0.4, 0.3, 0.2, 0.1]
      let metrics: [any Metric] = metric is LossMetric ? [] : [metric]
      if metrics.isEmpty { continue }
      #expect(try steps([Setting(metric.name, values), stopping], metrics: metrics).count == 8)
      #expect(try steps([Setting(metric.name, values.reversed()), stopping], metrics: metrics).count == 4)
    }
    let unknown = try steps([EarlyStopping(monitor: "val_own")], metrics: [Watched(name: "own")])
    #expect(unknown.count == 0 && unknown.text.contains("min where smaller"))
  }

  @Test func numbersThatWillNeverComeAreRefusedBeforeTheFirstStep() throws {
    let missing = try steps([EarlyStopping(monitor: "val_acc")])
    #expect(missing.count == 0)
    #expect(missing.text.contains("There are: accuracy, loss, val_accuracy, val_loss."), "\(missing.text)")
    let unvalidated = try steps([EarlyStopping()], validates: false)
    #expect(unvalidated.count == 0 && unvalidated.text.contains("a number of validation, and this run has none"))
    let late = LambdaCallback(epochEnd: { _, logs, _ in logs["own"] = 1 }, adds: ["own"])
    let stopping = EarlyStopping(monitor: "own", patience: 9, mode: .minimum)
    #expect(try steps([stopping, late]).count == 0)
    #expect(try steps([late, stopping]).count == 8)
  }

  @Test func validationEveryFewEpochsIsNoMistake() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("deep/log.csv")
      var told: [String] = []
      let listener = LambdaCallback(trainEnd: { told = $0.messages })
      let result = try steps(
        [
          CSVLogger(url), EarlyStopping(patience: 9), ReduceLROnPlateau(),
          ModelCheckpoint(directory.path + "/w-{epoch}-{val_loss:.2f}", savesWeightsOnly: true), listener,
        ], every: 2)
      #expect(result.count == 8, "\(result.text)")
      let lines = try String(contentsOf: url, encoding: .utf8).split(separator: "\n").map {
        $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      }
      #expect(lines[0] == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"])
      #expect(lines.map(\.count) == [5, 5, 5, 5, 5])
      #expect(lines[1][3...].elementsEqual(["NA", "NA"]) && lines[3][3...].elementsEqual(["NA", "NA"]))
      let second = try #require(result.history?.epochs[1].logs["val_loss"])
      #expect(Double(lines[2][4]) == second)
      #expect(!told.contains { $0.contains("not among") })
      #expect(told.filter { $0.contains("epoch 1 has no 'val_loss'") }.count == 1, "\(told)")
      let saved = try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0.hasPrefix("w-") }
      #expect(saved.sorted().map { String($0.prefix(4)) } == ["w-2-", "w-4-"])
    }
  }

  @Test func twoWhoSetTheLearningRateAreRefusedBeforeTheFirstStep() throws {
    let schedule = Adam(.exponentialDecay(0.1, steps: 10, rate: 0.5))
    for (callback, name) in [
      (ReduceLROnPlateau() as any Callback, "ReduceLROnPlateau"),
      (LearningRateScheduler { _, rate in rate }, "LearningRateScheduler"),
    ] {
      let result = try steps([callback], optimizer: schedule)
      #expect(result.count == 0 && result.text.contains("\(name) sets the learning rate"), "\(result.text)")
    }
  }

  @Test func pathsThatCannotBeAreRefusedBeforeTheFirstStep() throws {
    try withTemporaryDirectory { directory in
      func refused(_ path: String, _ reason: String, steps everySteps: Int? = nil, weights: Bool = true) throws {
        let checkpoint = ModelCheckpoint(
          directory.path + "/" + path, savesWeightsOnly: weights, everySteps: everySteps)
        let result = try steps([checkpoint])
        #expect(result.count == 0 && result.text.contains(reason), "\(path): \(result.text)")
      }
      try refused("{val_acc:.2f}", "There are: accuracy, loss, val_accuracy, val_loss")
      try refused("{val_loss:.2f}", "in the middle of an epoch. There are: accuracy, loss", steps: 2)
      try refused("{epoch:.2q}", "needs a format like")
      try refused("{loss:02d}", "no whole number")
      try refused("{epoch", "has no '}'")
      try Data().write(to: directory.appendingPathComponent("file"))
      try refused("file/w", "cannot make the directory")
      try FileManager.default.createDirectory(
        at: directory.appendingPathComponent("somebody"), withIntermediateDirectories: true)
      try Data().write(to: directory.appendingPathComponent("somebody/notes.txt"))
      try refused("somebody", "would be lost: notes.txt", weights: false)
      try refused("somebody", "a directory is in its place")
      try refused("file", "a file is in its place", weights: false)
    }
  }

  @Test func validationSamplesAndASplitAreTwoAnswersToOneQuestion() throws {
    let (x, y) = try quadrants(40)
    let model = try compiledClassifier()
    #expect(
      message { try model.fit(x, y, validation: Dataset(x, y), validationSplit: 0.2, verbose: .silent) }
        .contains("give one of the two"))
  }

  @Test func epochsWithoutEndDoNotOverflow() throws {
    let (x, y) = try quadrants(40)
    let model = try compiledClassifier()
    let stop = LambdaCallback(epochEnd: { _, _, run in run.stopsTraining = true }, adds: [])
    #expect(try model.fit(x, y, epochs: .max, callbacks: [stop], verbose: .silent).epochs.count == 1)
  }
}
