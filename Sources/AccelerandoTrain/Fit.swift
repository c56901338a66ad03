// The training loop: epochs, steps, validation, callbacks. A step loads a batch and runs one program; nothing else
// happens in it unless a callback asks.

import AccelerandoCore
import AccelerandoNN

/// What is shown while a model trains.
public enum Verbosity: Hashable, Sendable {
  /// A moving bar on a terminal, one line per epoch elsewhere.
  case automatic
  /// Nothing.
  case silent
  /// A moving bar.
  case bar
  /// One line per epoch.
  case lines
}

extension Model {
  /// Trains the model.
  /// - Parameters:
  ///   - data: the samples to train on.
  ///   - epochs: the epoch before which training ends; the number of epochs if `initialEpoch` is 0.
  ///   - batchSize: the number of samples in a step; the last step of an epoch has the rest.
  ///   - validation: samples to evaluate the model on after epochs.
  ///   - validationSplit: the proportion of samples, the last ones before any shuffling, to use for validation instead.
  ///   - validationBatchSize: the number of samples in a step of validation; `batchSize` for nil.
  ///   - validationFrequency: the number of epochs between validations.
  ///   - shuffle: whether to reshuffle the samples in each epoch.
  ///   - classWeights: the weight of samples by class; 1 for classes that are not listed.
  ///   - initialEpoch: the first epoch, to continue an earlier run. Each pass over the data has its own order: a later
  ///     call of `fit` continues with the next orders, and so does one with a later first epoch.
  ///   - stepsPerEpoch: the number of steps in an epoch; the next epoch continues where this one ended.
  ///   - validationSteps: the number of steps of a validation.
  ///   - callbacks: the callbacks, in order.
  ///   - verbose: what to show.
  /// - Returns: the numbers of every epoch.
  /// - Throws: `GraphError` or `TrainingError` when data and model do not fit, and what callbacks throw;
  ///   `TrainingError` when the loss becomes NaN or infinite, which names the step and the layer. The model then has
  ///   the values from before that step, where these could be computed again. With `TerminateOnNaN` among the callbacks
  ///   training ends without an error instead.
  @discardableResult
  public func fit(
    _ data: Dataset, epochs: Int = 1, batchSize: Int = 32, validation: Dataset? = nil, validationSplit: Double = 0,
    validationBatchSize: Int? = nil, validationFrequency: Int = 1, shuffle: Bool = true,
    classWeights: [Int: Double]? = nil, initialEpoch: Int = 0, stepsPerEpoch: Int? = nil,
    validationSteps: Int? = nil, callbacks: [any Callback] = [], verbose: Verbosity = .automatic
  ) throws -> History {
    _ = try compiled()
    guard epochs >= 0, initialEpoch >= 0, validationFrequency >= 1, stepsPerEpoch ?? 1 >= 1, validationSteps ?? 1 >= 1
    else {
      throw TrainingError(
        "epochs and initialEpoch are at least 0, validationFrequency, stepsPerEpoch and validationSteps at least 1; "
          + "received \(epochs), \(initialEpoch), \(validationFrequency), "
          + "\(stepsPerEpoch.map(String.init) ?? "nil"), \(validationSteps.map(String.init) ?? "nil").")
    }
    guard validation == nil || validationSplit == 0 else {
      throw TrainingError(
        "validation samples and a validation split (\(validationSplit)) were both given: give one of the two.")
    }
    var (training, validation) = (data, validation)
    if validationSplit != 0 {
      let parts = try data.split(lastFraction: validationSplit)
      (training, validation) = (parts.first, parts.last)
    }
    if callbacks.contains(where: { $0 is ReduceLROnPlateau || $0 is LearningRateScheduler }),
      tasks.contains(where: { $0.metrics.contains { $0.labels.contains("learning_rate") } })
    {
      throw TrainingError(
        "a metric has the label 'learning_rate', under which a callback logs the learning rate. Give it another label.")
    }
    try prepareValues()
    warnOfFreshValues()
    try outline().names.noteLearning()
    try noteHomes(trains: true)
    let feeder = try feeder(
      training, .train, batchSize: batchSize, shuffles: shuffle, classWeights: classWeights)
    let validationFeeder = try validation.map {
      try self.feeder($0, .evaluate, batchSize: validationBatchSize ?? batchSize)
    }
    let run = TrainingRun(
      model: self, epochs: epochs, firstEpoch: initialEpoch, stepsPerEpoch: stepsPerEpoch ?? feeder.stepCount,
      expectedLogs: ExpectedLogs(
        tasks, validationFrequency: validationFeeder == nil ? nil : validationFrequency))
    // Errors are reported before any file is written, not after the first epoch.
    try feeder.check()
    try validationFeeder?.check()
    for note in notes.take() { run.say(note) }
    if validationSplit != 0, validation != nil, training.transforms.contains(where: \.isForTraining) {
      run.say("The validation split is taken without what 'mapped' does: see 'preprocessed' for what it needs too.")
    }
    let progress = ProgressBar.make(verbose)
    let loop = FitLoop(
      run: run, feeder: feeder, validation: validationFeeder, callbacks: callbacks + progress,
      stepsPerEpoch: stepsPerEpoch, validationSteps: validationSteps, validationFrequency: validationFrequency)
    if let shared = backend as? SharedBackend { try shared.checkSize(feeder.fullBatch) }
    try loop.trainKeepingCheckpoints {
      var settings = try settings() + feeder.settings()
      if let validation {
        settings.append(RunSetting("digest of the validation data", try validation.digest()))
        settings.append(RunSetting("epochs between validations", validationFrequency))
        settings.append(RunSetting("steps of a validation", validationSteps.map(String.init) ?? "all"))
      }
      for (label, weight) in (classWeights ?? [:]).sorted(by: { $0.key < $1.key }) {
        settings.append(RunSetting("weight of class \(label)", weight))
      }
      return settings + TrainingRun.settings(of: callbacks)
    }
    return run.history
  }

  /// Trains the model on arrays.
  @discardableResult
  public func fit(
    _ features: NDArray, _ labels: NDArray, sampleWeights: NDArray? = nil, epochs: Int = 1, batchSize: Int = 32,
    validation: Dataset? = nil, validationSplit: Double = 0, validationFrequency: Int = 1, shuffle: Bool = true,
    classWeights: [Int: Double]? = nil, initialEpoch: Int = 0, stepsPerEpoch: Int? = nil,
    callbacks: [any Callback] = [], verbose: Verbosity = .automatic
  ) throws -> History {
    try fit(
      Dataset(features, labels, sampleWeights: sampleWeights), epochs: epochs, batchSize: batchSize,
      validation: validation, validationSplit: validationSplit, validationFrequency: validationFrequency,
      shuffle: shuffle, classWeights: classWeights, initialEpoch: initialEpoch, stepsPerEpoch: stepsPerEpoch,
      callbacks: callbacks, verbose: verbose)
  }
}

/// One call of `fit`.
final class FitLoop {
  let run: TrainingRun
  let feeder: Feeder
  let validation: Feeder?
  let callbacks: [any Callback]
  let stepsPerEpoch: Int?
  let validationSteps: Int?
  let validationFrequency: Int
  /// The number of the next pass through the data, and how many steps of the one before it were done; nil before the
  /// first.
  var nextPass = 0
  var passStep: Int?
  /// The current epoch, or the one that begins next, and when it began.
  var epoch = 0
  var epochStart = ContinuousClock.now
  /// What the result depends on.
  var settings: [RunSetting] = []
  /// The state in the last checkpoint, whose memory the next one uses.
  var copiedState: [String: NDArray] = [:]
  /// Whether the model is at the end of a step: not before the first, and not while one runs, which may fail halfway.
  private(set) var isBetweenSteps = false
  private var pace = LaunchPace()
  let watch: DivergenceWatch?
  /// The numbers of steps after which callbacks want to act.
  private let intervals: [Int]

  init(
    run: TrainingRun, feeder: Feeder, validation: Feeder?, callbacks: [any Callback], stepsPerEpoch: Int?,
    validationSteps: Int?, validationFrequency: Int
  ) {
    self.run = run
    self.feeder = feeder
    self.validation = validation
    self.callbacks = callbacks
    self.stepsPerEpoch = stepsPerEpoch
    self.validationSteps = validationSteps
    self.validationFrequency = validationFrequency
    intervals = callbacks.compactMap(\.stepInterval).filter { $0 > 0 }
    watch = callbacks.contains { $0 is TerminateOnNaN } ? nil : DivergenceWatch(run.model)
  }

  func train() throws {
    try run.check(callbacks)
    try resume()
    try run.model.checkAdapted()
    try agree()
    for callback in callbacks { try callback.onTrainBegin(run) }
    if !run.isResumed {
      try checkRule()
      (epoch, nextPass) = (run.firstEpoch, max(run.firstEpoch, run.model.passes))
    }
    try runBegins()
    if run.isInsideEpoch { try rememberPlace() }
    isBetweenSteps = true
    while epoch < run.epochs, !run.stopsTraining || run.isInsideEpoch {
      if !run.isInsideEpoch { try beginEpoch() }
      try runSteps()
      let seconds = epochStart.seconds
      if run.stepsPerEpoch == nil { run.stepsPerEpoch = run.stepsDone }
      try finishEpoch(epoch, seconds: seconds)
    }
    if !run.wasInterrupted { try run.model.adoptAverages() }
    inform { try $0.onTrainEnd(run) }
    if let interruption = run.interruption { throw interruption }
  }

  /// Calls callbacks. An error of one ends the run once all others have run, so that it can resume from there.
  private func inform(_ tell: (any Callback) throws -> Void) {
    for callback in callbacks {
      do { try tell(callback) } catch { run.interrupt(throwing: error) }
    }
  }

  private func beginEpoch() throws {
    (run.epoch, run.stepsDone) = (epoch, 0)
    inform { try $0.onEpochBegin(epoch, run) }
    try stepsEnded(0)
    epochStart = .now
    run.isInsideEpoch = true
    try run.model.session.resetTotals(.train)
    if stepsPerEpoch == nil || passStep == nil { try beginPass() }
    try rememberPlace()
  }

  /// Notes where the run is, to come back to if it diverges.
  private func rememberPlace() throws {
    try watch?.remember(pass: nextPass &- 1, passStep: passStep ?? 0, step: run.stepsDone)
  }

  private func runSteps() throws {
    var last: Feeder.Launch?
    while !run.stopsTraining, stepsPerEpoch.map({ run.stepsDone < $0 }) ?? true,
      let launch = try nextLaunch(atMost: mostSteps)
    {
      try perform(launch)
      last = launch
    }
    // The time of an epoch is that of its steps, not of handing them over.
    try last?.step.execution.finish()
    pace.pause()
    isBetweenSteps = false
    try watch?.check(run, feeder, waits: true)
    isBetweenSteps = true
    guard run.stepsDone > 0 || run.stopsTraining else {
      throw TrainingError("the dataset is empty: its sequence of batches gave none.")
    }
  }

  private func beginPass() throws {
    try feeder.begin(pass: nextPass)
    nextPass &+= 1
    run.model.passes = nextPass
    passStep = 0
  }

  /// The next steps; with steps per epoch, an epoch longer than the data continues with a new pass.
  private func nextLaunch(atMost limit: Int) throws -> Feeder.Launch? {
    if let launch = try feeder.next(atMost: limit) { return launch }
    guard stepsPerEpoch != nil else { return nil }
    try beginPass()
    return try feeder.next(atMost: limit)
  }

  /// The number of steps that may run before something must happen: the pace, the end of the epoch, callbacks.
  private var mostSteps: Int {
    var limit = pace.stepsPerLaunch
    if let stepsPerEpoch { limit = min(limit, stepsPerEpoch - run.stepsDone) }
    for interval in intervals { limit = min(limit, interval - run.totalSteps % interval) }
    return limit
  }

  private func perform(_ launch: Feeder.Launch) throws {
    let number = run.stepsDone
    inform { try $0.onTrainBatchBegin(number, run) }
    try stepsEnded(0)
    isBetweenSteps = false
    try launch.step.execution.run()
    if launch.step.isLoop { try pace.record(launch) }
    run.stepsDone = number + launch.stepCount
    run.totalSteps += launch.stepCount
    // Before anybody saves what the step has left.
    try watch?.check(run, feeder, waits: false)
    isBetweenSteps = true
    inform { try $0.onTrainBatchEnd(number, run) }
    for later in number + 1..<max(run.stepsDone, number + 1) {
      inform {
        try $0.onTrainBatchBegin(later, run)
        try $0.onTrainBatchEnd(later, run)
      }
    }
    try stepsEnded(launch.stepCount)
  }

  /// A rule for parameters that this run gives no chance to is a mistake.
  private func checkRule() throws {
    if run.model.parameterRules.isEmpty { return }
    let steps = run.stepsPerEpoch.map { max(run.epochs - run.firstEpoch, 0).multipliedReportingOverflow(by: $0) }
    let state = try run.model.ruleState()
    for rule in run.model.parameterRules {
      try rule.check(state, steps: steps.map { $0.overflow ? .max : $0.partialValue })
    }
  }

  private func finishEpoch(_ epoch: Int, seconds: Double) throws {
    try run.model.settleParameters()
    var logs = try run.logs()
    try saySkippedSteps()
    var validationSeconds: Double?
    if let validation, (epoch + 1) % validationFrequency == 0, !run.wasInterrupted {
      let start = ContinuousClock.now
      inform { try $0.onValidationBegin(run) }
      let results = try run.model.evaluate(validation, steps: validationSteps) { step in
        inform { try $0.onValidationBatchEnd(step, run) }
        return !run.wasInterrupted
      }
      validationSeconds = start.seconds
      // A run that is ended here resumes with the validation, from its beginning.
      try stepsEnded(0)
      if !run.wasInterrupted {
        inform { try $0.onValidationEnd(results, run) }
        for (name, value) in results { logs["val_\(name)"] = value }
        if let loss = results["loss"], !loss.isFinite {
          run.say("Epoch \(epoch + 1): the loss on the validation data is \(loss.isNaN ? "NaN" : "infinite").")
        }
      }
    }
    inform { try $0.onEpochEnd(epoch, logs: &logs, run) }
    run.history.epochs.append(
      EpochRecord(
        epoch: epoch, steps: run.stepsDone, seconds: seconds, validationSeconds: validationSeconds, logs: logs))
    try epochEnded()
  }
}

extension FitLoop {
  /// Says how many steps of the epoch the scale of the loss has left out.
  private func saySkippedSteps() throws {
    let session = run.model.session
    let skipped = Int(try session.scalar(StateName.total(.train, .skippedSteps)))
    guard skipped > 0 else { return }
    let scale = try session.scalar(LossScale.scaleName)
    run.say(
      "Epoch \(run.epoch + 1): \(skipped) of \(run.stepsDone) steps were left out, since gradients did not fit into "
        + "float16; they count in no number. The scale of the loss is \(scale.formatted) now.")
  }
}

extension ContinuousClock.Instant {
  /// Seconds since the instant.
  var seconds: Double { (ContinuousClock.now - self).inSeconds }
}

extension Duration {
  var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
