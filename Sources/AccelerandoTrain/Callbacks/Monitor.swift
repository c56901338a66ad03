// Watching one number for improvement: what early stopping, plateaus and checkpoints have in common. Which way a number
// gets better is asked of the metric that it comes from, whatever that is called; nothing is guessed from a name.

import AccelerandoNN

/// Which direction of a number is better.
public enum MonitorMode: String, Hashable, Sendable, CaseIterable {
  /// As the metric says: smaller for losses, larger for accuracies. Numbers of unknown direction are refused.
  case automatic = "auto"
  /// Smaller is better.
  case minimum = "min"
  /// Larger is better.
  case maximum = "max"
}

/// A metric and the direction in which it improves.
struct Monitor {
  let name: String
  let mode: MonitorMode
  let minimumChange: Double
  /// Known once the run is checked.
  private var direction: MetricDirection?
  private var isExpected = false
  private var hasComplained = false
  /// Whether the number was there at least once.
  private(set) var wasSeen = false

  init(_ name: String, _ mode: MonitorMode, minimumChange: Double = 0) {
    self.name = name
    self.mode = mode
    self.minimumChange = minimumChange.magnitude
    switch mode {
    case .automatic: direction = nil
    case .minimum: direction = .minimize
    case .maximum: direction = .maximize
    }
  }

  /// Finds out which direction is better, before the first step.
  /// - Throws: `TrainingError` when the run will not have the number, or nothing says which direction of it is better.
  mutating func check(_ numbers: ExpectedLogs, for user: String) throws {
    guard minimumChange.isFinite else {
      throw TrainingError("\(user): the least change that counts is a finite number; received \(minimumChange).")
    }
    (hasComplained, wasSeen) = (false, false)
    isExpected = numbers.names.contains(name)
    guard isExpected || !numbers.isComplete else {
      throw TrainingError("\(user) watches '\(name)', which \(numbers.whyMissing(name))")
    }
    guard mode == .automatic else { return }
    guard let known = numbers.direction(of: name) else {
      throw TrainingError(
        "\(user) watches '\(name)', and nothing says which direction of it is better. Give the mode: min where smaller "
          + "is better, max where larger is.")
    }
    direction = known
  }

  /// The number of this epoch; nil in epochs without it. If the number was not expected, a message is shown once.
  mutating func value(_ logs: Logs, _ run: TrainingRun, for user: String) -> Double? {
    if let value = logs[name] {
      wasSeen = true
      return value
    }
    if !isExpected, !hasComplained {
      hasComplained = true
      run.say(
        "\(user) watches '\(name)', which is not among the numbers of this epoch: "
          + logs.keys.sorted().joined(separator: ", ") + ".")
    }
    return nil
  }

  /// The message at the end if no epoch was best; nil if `best` is known.
  func missingBest(_ best: Double?) -> String? {
    if best != nil { return nil }
    return wasSeen
      ? "'\(name)' was a number in no epoch (NaN is never best)" : "no epoch had the number '\(name)'"
  }

  /// Whether a value is better than the best so far. NaN is never better, nor is the worst infinity.
  func isBetter(_ value: Double, than best: Double?) -> Bool {
    switch direction {
    case .minimize: value + minimumChange < best ?? .infinity
    case .maximize: value - minimumChange > best ?? -.infinity
    case nil: false
    }
  }

  /// What the result of a run depends on.
  var settings: [Config.Entry] {
    [
      Config.Entry("monitor", Config(.string(name))), Config.Entry("mode", Config(.string(mode.rawValue))),
      Config.Entry("min_delta", Config(.double(minimumChange))),
    ]
  }
}
