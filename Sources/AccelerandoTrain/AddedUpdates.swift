// An optimizer's update of weights in a step, with what its options and the weights' constraints add to the formula.
//
// A step in which gradients are only collected computes the update all the same and keeps the old values: the step stays one
// program, and the update is small beside the gradients, which every step needs.

import AccelerandoCore
import AccelerandoNN

/// The update of weights by one optimizer, in a step that is being traced.
struct WeightUpdate {
  /// A weight, with its gradient over the whole batch.
  struct Member {
    let spec: ParameterSpec
    let weight: Tensor
    let gradient: Tensor
    let constraint: (any Constraint)?
  }

  let optimizer: any Optimizer
  let learningRate: Tensor
  /// What begins the path of errors.
  let path: [String]
  /// The number of updates before, a scalar `int32`.
  private let count: Tensor
  /// Whether weights are updated in the step; nil if they are in every one.
  private let updates: Tensor?

  /// - Parameter iteration: the number of steps before, a scalar `int32`.
  init(_ optimizer: any Optimizer, learningRate: Tensor, iteration: Tensor, path: [String]) {
    self.optimizer = optimizer
    self.learningRate = learningRate
    self.path = path
    guard optimizer.options.accumulationSteps > 1 else {
      (count, updates) = (iteration, nil)
      return
    }
    let steps = iteration.constant(NDArray(scalar: Int32(clamping: optimizer.options.accumulationSteps)))
    count = iteration / steps
    updates = Self.isTurn(iteration, of: optimizer.options.accumulationSteps)
  }

  /// The weights after the step.
  /// - Parameters:
  ///   - read: the value of a slot of a parameter.
  ///   - write: says what it will be: the new value, and the old one.
  func weights(
    _ members: [Member], read: (Slot, ParameterSpec) -> Tensor,
    write: (Slot, ParameterSpec, _ new: Tensor, _ old: Tensor) -> Void
  ) -> [Tensor] {
    let step = count.converted(to: .float32) + 1
    let gradients = optimizer.clipped(collected(members, read: read, write: write))
    return zip(members, gradients).map { member, gradient in
      let (spec, graph) = (member.spec, member.weight.graph)
      let rule = optimizer.rule(for: spec)
      let slots = rule.slots.map { read($0, spec) }
      graph.path = path + [spec.name]
      defer { graph.path = [] }
      let updated = rule.update(
        weight: member.weight, gradient: gradient, slots: slots, step: step, learningRate: learningRate)
      for (slot, (new, old)) in zip(rule.slots, zip(updated.slots, slots)) { write(slot, spec, kept(new, old), old) }
      var weight = kept(updated.weight, member.weight)
      if let averaging = optimizer.options.averaging {
        let slot = Slot(OptimizerOptions.average)
        let mean = read(slot, spec)
        let next = averaged(weight, mean, averaging)
        write(slot, spec, next.mean, mean)
        weight = next.weight
      }
      guard let constraint = member.constraint else { return weight }
      graph.path = ["constraint", spec.name]
      return constraint.constrained(weight)
    }
  }

  /// The gradients of the update: those of the step, or the means since the last update.
  private func collected(
    _ members: [Member], read: (Slot, ParameterSpec) -> Tensor,
    write: (Slot, ParameterSpec, _ new: Tensor, _ old: Tensor) -> Void
  ) -> [Tensor] {
    if updates == nil { return members.map(\.gradient) }
    let slot = Slot(OptimizerOptions.gradientSum)
    return members.map { member in
      let old = read(slot, member.spec)
      let sum = old + member.gradient
      write(slot, member.spec, kept(sum.zerosLike(), sum), old)
      return sum / Double(optimizer.options.accumulationSteps)
    }
  }

  /// The new value in a step that updates, the old one in others.
  private func kept(_ new: Tensor, _ old: Tensor) -> Tensor {
    updates.map { select($0.broadcast(to: new.shape), new, old) } ?? new
  }

  /// The weight and its mean after the step: the mean of the first update is its weight.
  private func averaged(
    _ weight: Tensor, _ mean: Tensor, _ averaging: WeightAveraging
  ) -> (weight: Tensor, mean: Tensor) {
    let isFirst = count.equal(to: count.zerosLike())
    let momentum = select(isFirst, weight.scalar(0), weight.scalar(averaging.momentum))
    let next = mean * momentum + weight * (1 - momentum)
    guard let frequency = averaging.overwriteFrequency else { return (weight, next) }
    let overwrites = Self.isTurn(count, of: frequency).broadcast(to: weight.shape)
    return (select(overwrites, next, weight), next)
  }

  /// Whether it is the last of every so many.
  private static func isTurn(_ number: Tensor, of count: Int) -> Tensor {
    let count = number.constant(NDArray(scalar: Int32(clamping: count)))
    return (number + 1).remainder(count).equal(to: number.zerosLike())
  }
}
