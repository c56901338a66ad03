// The running totals of an epoch: sums over samples, whose means are the loss and the metrics. They are float64, since
// float32 cannot count beyond 16,777,216, and have a namespace of their own, since metrics may have any label.

import AccelerandoCore

/// A sum over the samples of an epoch, a number or a tensor, kept on the device from step to step.
enum Total: Hashable {
  /// The losses, weighted.
  case loss
  /// The samples.
  case samples
  /// The losses of an output, by their label, where several outputs have some.
  case outputLoss(String)
  /// The samples' weights, for an output.
  case weights(String?)
  /// What the places weigh that a metric counts, by the metric's label, where places have weights of their own.
  case metricWeight(String)
  /// A tensor of a metric, by the metric's label. The sum of a mean has no name.
  case metric(String, state: String)
  /// The steps that a loss scale left out; they count in no other total.
  case skippedSteps

  /// The type of a total that is a number.
  static let type = TensorType(.float64, [])

  fileprivate var name: String {
    switch self {
    case .loss: "loss"
    case .samples: "samples"
    case .outputLoss(let label): "output_loss/\(label)"
    case .weights(let output): output.map { "weights/\($0)" } ?? "weights"
    case .metricWeight(let label): "metric_weight/\(label)"
    case .metric(let label, let state): state.isEmpty ? "metric/\(label)" : "metric_\(state)/\(label)"
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
        case "weights": .weights(nil)
        default: .metric(label, state: "")
        }
      return (self.total(kind, total), value.converted(to: .float64))
    }
    return nil
  }
}
