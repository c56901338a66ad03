// What an optimizer's options add to a step: gradients that are collected over several batches, and a mean of the weights.
//
// A step in which nothing is updated computes the update all the same and keeps the old values: the step stays one program,
// and the update is small beside the gradients, which every step needs.

import AccelerandoCore
import AccelerandoNN

/// The options of an optimizer in a step that is being traced.
struct AddedUpdates {
  private let options: OptimizerOptions
  /// The number of updates before, a scalar `int32`.
  private let count: Tensor
  /// Whether weights are updated in the step; nil if they are in every one.
  private let updates: Tensor?

  init(_ options: OptimizerOptions, _ iteration: Tensor) {
    self.options = options
    guard options.accumulationSteps > 1 else {
      (count, updates) = (iteration, nil)
      return
    }
    let steps = iteration.constant(NDArray(scalar: Int32(clamping: options.accumulationSteps)))
    count = iteration / steps
    updates = Self.isTurn(iteration, of: options.accumulationSteps)
  }

  /// The number of the update, from 1, as formulas of optimizers count: a scalar `float32`.
  var number: Tensor { count.converted(to: .float32) + 1 }

  /// Whether gradients of several batches make one update.
  var accumulates: Bool { updates != nil }
  /// Whether a mean of the weights is kept.
  var averages: Bool { options.averaging != nil }

  /// Whether it is the last of every so many.
  private static func isTurn(_ iteration: Tensor, of count: Int) -> Tensor {
    let count = iteration.constant(NDArray(scalar: Int32(clamping: count)))
    return (iteration + 1).remainder(count).equal(to: iteration.zerosLike())
  }

  /// The mean gradients since the last update, and their sums for the next step.
  func collected(_ gradients: [Tensor], _ sums: [Tensor]) -> (means: [Tensor], sums: [Tensor]) {
    let all = zip(gradients, sums).map(+)
    return (all.map { $0 / Double(options.accumulationSteps) }, all.map { kept($0.zerosLike(), $0) })
  }

  /// The new value in a step that updates, the old one in others.
  func kept(_ new: Tensor, _ old: Tensor) -> Tensor {
    updates.map { select($0.broadcast(to: new.shape), new, old) } ?? new
  }

  /// The weight and its mean after the step: the mean of the first step is its weight.
  func averaged(_ weight: Tensor, _ mean: Tensor) -> (weight: Tensor, mean: Tensor) {
    guard let averaging = options.averaging else { return (weight, mean) }
    let isFirst = count.equal(to: count.zerosLike())
    let momentum = select(isFirst, weight.scalar(0), weight.scalar(averaging.momentum))
    let next = mean * momentum + weight * (1 - momentum)
    guard let frequency = averaging.overwriteFrequency else { return (weight, next) }
    let overwrites = Self.isTurn(count, of: frequency).broadcast(to: weight.shape)
    return (select(overwrites, next, weight), next)
  }
}
