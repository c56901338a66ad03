// The running totals of an epoch: sums over samples, whose means are the loss and the metrics. They are float64, since
// float32 cannot count beyond 16,777,216, and have a namespace of their own, since metrics may have any label.

import AccelerandoCore

/// A sum over the samples of an epoch, kept on the device from step to step.
enum Total: Hashable {
  /// The losses, weighted.
  case loss
  /// The samples.
  case samples
  /// The samples' weights.
  case weights
  /// A metric, by its label.
  case metric(String)
  /// The steps that a loss scale left out; they count in no other total.
  case skippedSteps

  /// The type of a total on the device.
  static let type = TensorType(.float64, [])

  /// More float32 values than this lose digits when they are added up as float32.
  static let mostAddends = 4096

  fileprivate var name: String {
    switch self {
    case .loss: "loss"
    case .samples: "samples"
    case .weights: "weights"
    case .metric(let label): "metric/\(label)"
    case .skippedSteps: "skipped_steps"
    }
  }
}

extension StateName {
  private static let allTotals = "totals/"

  /// The name of a running total.
  static func total(_ kind: StepKind, _ total: Total) -> String { totals(kind) + total.name }

  /// What the names of a kind's totals begin with. Training has totals of its own, so that a validation in the middle
  /// of an epoch disturbs nothing.
  static func totals(_ kind: StepKind) -> String { allTotals + (kind == .train ? "train/" : "evaluate/") }

  /// The number of the first step of the epoch, by the optimizer's count from 1, whose loss was not finite; 0 for none.
  static let firstBadStep = totals(.train) + "first_bad_step"

  /// Whether a tensor is a running total.
  static func isTotal(_ name: String) -> Bool { name.hasPrefix(allTotals) }

  /// The name and the value that a total of an earlier version's checkpoint has today: it was a float32 whose label
  /// shared its space with other names. Nil for what is no such total.
  static func migrated(total name: String, _ value: NDArray) -> (name: String, value: NDArray)? {
    for (kind, prefix) in [(StepKind.train, "train/"), (.evaluate, "evaluate/")] where name.hasPrefix(prefix) {
      let label = String(name.dropFirst(prefix.count))
      let total: Total =
        switch label {
        case "loss": .loss
        case "count": .samples
        case "weights": .weights
        default: .metric(label)
        }
      return (self.total(kind, total), value.converted(to: .float64))
    }
    return nil
  }
}
