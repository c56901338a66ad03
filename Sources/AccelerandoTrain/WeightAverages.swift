// The running means of weights that an optimizer keeps beside them (`averagingWeights`), in the place of the weights.

import AccelerandoCore
import AccelerandoNN

extension Model {
  /// The weights that have running means, with the names of the means among the state tensors.
  private func averages() throws -> [(weight: String, mean: String)] {
    guard let compilation else { return [] }
    return try ParameterPlan(compilation, for: try outline()).groups.filter { $0.optimizer.options.averaging != nil }
      .flatMap(\.parameters).map {
        (StateName.parameter($0.name), StateName.slot(OptimizerOptions.average, of: $0.name))
      }
  }

  /// Whether the optimizer keeps running means of weights.
  var keepsAverages: Bool {
    get throws { try !averages().isEmpty }
  }

  /// Exchanges the weights with their running means. Before the first step there are none yet, and nothing is done.
  func exchangeAverages() throws {
    guard try iteration() > 0 else { return }
    for (weight, mean) in try averages() {
      guard let old = try session.value(weight), let new = try session.value(mean) else { continue }
      try session.set(weight, new)
      try session.set(mean, old)
    }
    holdsAverages.toggle()
  }

  /// Lets the weights be their running means, as at the end of training.
  func adoptAverages() throws {
    guard try iteration() > 0 else { return }
    for (weight, mean) in try averages() {
      let (from, to) = holdsAverages ? (weight, mean) : (mean, weight)
      if let value = try session.value(from) { try session.set(to, value) }
    }
    holdsAverages = false
  }
}
