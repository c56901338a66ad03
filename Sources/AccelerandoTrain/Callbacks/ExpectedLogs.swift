// The numbers that an epoch of a run will have. Known before the first step, so that a callback that needs a number
// which does not exist is refused then, and not after an hour of training.

import AccelerandoNN

/// The numbers that callbacks will find in the logs of a run, as far as they are known beforehand.
public struct ExpectedLogs: Sendable {
  /// The names, in alphabetical order: those of the loss, of the metrics, with `val_` before them where there is
  /// validation, and what callbacks say they add.
  public private(set) var names: [String]
  /// Whether there will be no others: false where a callback may add numbers of any name.
  public private(set) var isComplete = true
  /// Epochs from one validation to the next; nil without validation.
  public let validationFrequency: Int?
  private let directions: [String: MetricDirection]

  /// Whether these are the numbers before an epoch is over.
  private let isInsideEpoch: Bool

  init(_ tasks: [OutputTask], validationFrequency: Int?, isInsideEpoch: Bool = false) {
    self.isInsideEpoch = isInsideEpoch
    let metrics = tasks.flatMap(\.metrics)
    let losses = ["loss"] + tasks.compactMap(\.lossLabel)
    let own = losses + metrics.flatMap(\.labels)
    names = (own + (validationFrequency == nil ? [] : own.map { "val_\($0)" })).sorted()
    self.validationFrequency = validationFrequency
    var directions: [String: MetricDirection] = [:]
    for label in losses { directions[label] = .minimize }
    for watch in metrics {
      for label in watch.labels { directions[label] = watch.metric.direction }
    }
    self.directions = directions
  }

  /// The direction in which a number improves; nil if it is unknown.
  public func direction(of name: String) -> MetricDirection? {
    directions[name] ?? (name.hasPrefix("val_") ? directions[String(name.dropFirst(4))] : nil)
  }

  /// Takes in what a callback adds.
  mutating func add(_ callback: any Callback) {
    guard let added = callback.addedLogs else {
      isComplete = false
      return
    }
    names = Set(names + added).sorted()
  }

  /// Why there will be no number of a name, and what there will be; the end of a sentence.
  func whyMissing(_ name: String) -> String {
    let list = names.joined(separator: ", ")
    if isInsideEpoch { return "is not among the numbers in the middle of an epoch. There are: \(list)." }
    if validationFrequency == nil, name.hasPrefix("val_"), names.contains(String(name.dropFirst(4))) {
      return
        "is a number of validation, and this run has none. Give it validation data or a validation split, or use one "
        + "of: \(list)."
    }
    let nearest = nearestWord(to: name, among: names).map { " Did you mean '\($0)'?" } ?? ""
    return "is not among the numbers of this run.\(nearest) There are: \(list)."
  }
}

extension TrainingRun {
  /// The numbers that there are in the middle of an epoch: those of its steps.
  func numbersOfSteps() throws -> ExpectedLogs {
    ExpectedLogs(model.tasks, validationFrequency: nil, isInsideEpoch: true)
  }

  /// Lets callbacks refuse what they could not do later. Each is told of the numbers that those before it add.
  func check(_ callbacks: [any Callback]) throws {
    let own = expectedLogs
    for callback in callbacks {
      try callback.check(self)
      expectedLogs.add(callback)
    }
    expectedLogs = own
  }
}

extension Model {
  /// Refuses callbacks that could not work while this model trains, as `fit` does before its first step; for training
  /// runs that follow others.
  /// - Parameters:
  ///   - callbacks: the callbacks, in order.
  ///   - epochs: the epochs of the training.
  ///   - validates: whether there will be validation.
  /// - Throws: what the callbacks throw.
  public func checkCallbacks(_ callbacks: [any Callback], epochs: Int, validates: Bool) throws {
    let numbers = ExpectedLogs(tasks, validationFrequency: validates ? 1 : nil)
    try TrainingRun(model: self, epochs: epochs, firstEpoch: 0, stepsPerEpoch: nil, expectedLogs: numbers)
      .check(callbacks)
  }
}
