// What is minimized beside the losses of outputs: the penalties of weights, and what layers add while they compute. The
// penalty of a weight is the same for all workers; it and its gradient are therefore added once, after the sums over the
// workers, so that any number of them gives the same bits.

import AccelerandoCore
import AccelerandoNN

/// The losses that do not belong to an output, in a step that is being traced.
struct AddedLosses {
  /// What layers add: this worker's part, a scalar `float32`; nil for nothing.
  let ofSamples: Tensor?
  /// The penalties of weights, a scalar `float32`, the same for all workers; nil for none.
  let ofWeights: Tensor?
  /// The names of the parameters that have penalties.
  let penalized: Set<String>

  /// - Parameters:
  ///   - losses: what layers have added.
  ///   - plan: frozen weights have no penalty.
  ///   - parameters: the tensors of the parameters by name.
  ///   - names: what is said of parameters.
  init(_ losses: [Tensor], _ plan: ParameterPlan, _ parameters: [String: Tensor], _ names: ParameterNames) {
    ofSamples = losses.first.map { losses.dropFirst().reduce($0, +) }
    var penalties: [Tensor] = []
    var penalized: Set<String> = []
    for spec in plan.trained {
      guard let regularizer = names.options(of: spec.name).regularizer, let weight = parameters[spec.name] else {
        continue
      }
      weight.graph.path = ["regularizer", spec.name]
      penalties.append(regularizer.penalty(weight.widened()).converted(to: .float32))
      weight.graph.path = []
      penalized.insert(spec.name)
    }
    ofWeights = penalties.first.map { penalties.dropFirst().reduce($0, +) }
    self.penalized = penalized
  }

  /// All of them, over all workers; nil if there are none.
  func total(_ share: BatchShare?) -> Tensor? {
    let samples = ofSamples.map { share?.summed($0) ?? $0 }
    guard let samples, let ofWeights else { return samples ?? ofWeights }
    return samples + ofWeights
  }

  /// Gradients with those of the penalties of weights.
  func addingGradients(of weights: [Tensor], to gradients: [Tensor]) -> [Tensor] {
    guard let ofWeights else { return gradients }
    let own = pullback(of: [ofWeights], seeds: [ofWeights.onesLike()], withRespectTo: weights)
    return zip(gradients, own).map { gradient, own in own.map { gradient + $0 } ?? gradient }
  }
}
