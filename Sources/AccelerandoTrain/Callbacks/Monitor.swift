// Watching one number for improvement: what early stopping, plateaus and checkpoints have in common.

/// Which direction of a number is better.
public enum MonitorMode: String, Hashable, Sendable, CaseIterable {
  /// Larger for accuracies and the like, smaller for everything else.
  case automatic = "auto"
  /// Smaller is better.
  case minimum = "min"
  /// Larger is better.
  case maximum = "max"

  func resolved(for name: String) -> MonitorMode {
    guard self == .automatic else { return self }
    let grows = ["acc", "auc", "precision", "recall", "f1"].contains { name.contains($0) }
    return grows ? .maximum : .minimum
  }
}

/// A metric and the direction in which it improves.
struct Monitor {
  let name: String
  let mode: MonitorMode
  let minimumChange: Double
  private var hasComplained = false

  init(_ name: String, _ mode: MonitorMode, minimumChange: Double = 0) {
    self.name = name
    self.mode = mode.resolved(for: name)
    self.minimumChange = minimumChange.magnitude
  }

  /// The number of this epoch. If it is missing, people are told once.
  mutating func value(_ logs: Logs, _ run: TrainingRun, for user: String) -> Double? {
    if let value = logs[name] { return value }
    if !hasComplained {
      hasComplained = true
      run.say(
        "\(user) watches '\(name)', which is not among the numbers of this run: "
          + logs.keys.sorted().joined(separator: ", ") + ".")
    }
    return nil
  }

  func isBetter(_ value: Double, than best: Double?) -> Bool {
    guard let best else { return true }
    return mode == .maximum ? value - minimumChange > best : value + minimumChange < best
  }
}
