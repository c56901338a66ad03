// The application of pruning to one model: which tensors belong together, and the part of a step's program that
// maintains their masks. A training step increments the counter, computes masks from the weights as the optimizer left
// them if the schedule says so, and masks the weights; then the layers read them. Masks, thresholds and the counter are
// state of the model.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain

/// The rule for a model's parameters that does the pruning.
struct PruningPlan: ParameterRule, CustomStringConvertible {
  /// Tensors of one target.
  struct Group: Sendable {
    let schedule: any PruningSchedule
    let structure: Pruning.Structure
    let competition: Pruning.Competition
    let parameters: [ParameterSpec]

    /// Sets of tensors that compete within.
    var contests: [[ParameterSpec]] {
      competition.isAcrossTensors ? [parameters] : parameters.map { [$0] }
    }
  }

  let groups: [Group]
  /// Whether the masks were computed before the first step, so that a schedule without further turns is no mistake.
  var hasMasks = false

  /// What the masks depend on, in words: a resumed run needs the same.
  var description: String {
    let parts = groups.map { group in
      let names = group.parameters.map(\.name).joined(separator: " ")
      return "\(group.schedule) \(group.structure) \(group.competition) of \(names)"
    }
    return "pruning by \(parts.joined(separator: "; "))"
  }

  /// Names of the state.
  enum Name {
    static let step = "pruning/step"
    static func mask(_ parameter: String) -> String { "pruning/mask/\(parameter)" }
    static func threshold(_ parameter: String) -> String { "pruning/threshold/\(parameter)" }
  }

  /// The parameters that have masks.
  var parameters: [ParameterSpec] { groups.flatMap(\.parameters) }

  var initialState: Store {
    var state = Store()
    state[Name.step] = NDArray(scalar: Int32(0))
    for spec in parameters {
      state[Name.mask(spec.name)] = NDArray(repeating: 1, type: spec.type.with(.bool))
      state[Name.threshold(spec.name)] = NDArray(repeating: 0, type: spec.type.with([]))
    }
    return state
  }

  func apply(to parameters: [String: Tensor], in step: RuleStep) -> [String: Tensor] {
    var masked: [String: Tensor] = [:]
    let counter = step.kind == .train ? step.state(Name.step).map { $0 + 1 } : nil
    if let counter { step.remember(Name.step, counter) }
    for group in groups {
      let known = group.parameters.compactMap { spec in parameters[spec.name].map { (spec, $0) } }
      var masks = known.compactMap { step.state(Name.mask($0.0.name)) }
      guard masks.count == known.count else { continue }
      if let counter {
        let thresholds = known.compactMap { step.state(Name.threshold($0.0.name)) }
        let updated = group.updated(known.map(\.1), masks, thresholds, counter)
        masks = Array(updated.prefix(masks.count))
        for (index, (spec, _)) in known.enumerated() {
          step.remember(Name.mask(spec.name), masks[index])
          step.remember(Name.threshold(spec.name), updated[masks.count + index])
        }
      }
      for ((spec, weight), mask) in zip(known, masks) {
        masked[spec.name] = select(mask, weight, weight.zerosLike())
      }
    }
    return masked
  }

  func check(_ state: Store, steps: Int?) throws {
    guard !hasMasks, let steps, steps > 0 else { return }
    let done = state[Name.step]?.elements(as: Int32.self).first.map(Int.init) ?? 0
    for group in groups {
      // A resumed run may have all its masks already.
      if let first = group.schedule.firstFiring(from: 1), first <= done { continue }
      guard let next = group.schedule.firstFiring(from: done + 1) else {
        throw CompressionError(
          "the pruning schedule of \(group.label) computes no masks: no step from \(max(group.schedule.begin, 1)) to "
            + "\(group.schedule.end ?? 0) is one of its turns, every \(group.schedule.frequency) steps from "
            + "\(group.schedule.begin). Make 'end' larger or 'frequency' smaller.")
      }
      guard next - done <= steps else {
        throw CompressionError(
          "the pruning schedule of \(group.label) computes its first masks in step \(next); this run has "
            + (done == 0 ? "\(steps) steps" : "\(steps) steps after step \(done)")
            + " and would leave the model dense. Begin earlier, use a frequency of at most \(steps), or train longer.")
      }
    }
  }
}

extension PruningPlan.Group {
  /// A description of the tensors.
  var label: String {
    let names = parameters.prefix(3).map { "'\($0.name)'" }.joined(separator: ", ")
    return parameters.count > 3 ? "\(names) and \(parameters.count - 3) more" : names
  }

  /// The masks and then the thresholds after the mask update, if the schedule has one in this step.
  fileprivate func updated(_ weights: [Tensor], _ masks: [Tensor], _ thresholds: [Tensor], _ counter: Tensor)
    -> [Tensor]
  {
    let count = weights.count
    return conditional(turn(counter), on: masks + thresholds + weights + [counter]) { operands in
      let weights = Array(operands[2 * count..<3 * count])
      return renewed(weights, Array(operands[..<(2 * count)]), operands[3 * count])
    } otherwise: { operands in
      Array(operands[..<(2 * count)])
    }
  }

  /// New masks and thresholds where all weights are finite, and the old ones otherwise: among numbers that are none,
  /// every order is wrong, and a run that has gone astray should not lose the whole net on top of it.
  private func renewed(_ weights: [Tensor], _ old: [Tensor], _ counter: Tensor) -> [Tensor] {
    let finite = weights.map { $0.isFinite().all(axes: Array(0..<$0.rank)) }
    guard let first = finite.first else { return old }
    let all = finite.dropFirst().reduce(first) { $0.and($1) }
    return zip(computed(weights, counter), old).map { new, old in
      select(all.broadcast(to: new.shape), new, old)
    }
  }

  /// Whether masks are computed in a step.
  private func turn(_ counter: Tensor) -> Tensor {
    func number(_ value: Int) -> Tensor { counter.constant(NDArray(scalar: Int32(clamping: value))) }
    let begin = number(schedule.begin)
    var turn = counter.greaterOrEqual(to: begin)
    if let end = schedule.end { turn = turn.and(counter.lessOrEqual(to: number(end))) }
    return turn.and((counter - begin).remainder(number(schedule.frequency)).equal(to: number(0)))
  }

  /// The masks and then the thresholds for weights as they are in a step.
  func computed(_ weights: [Tensor], _ counter: Tensor) -> [Tensor] {
    if case .nOfM(let zeros, let size) = structure {
      return weights.map { groupMask($0, zeros: zeros, of: size) } + weights.map { $0.scalar(0) }
    }
    var masks: [Tensor] = []
    var thresholds: [Tensor] = []
    var next = 0
    for contest in contests {
      let members = Array(weights[next..<next + contest.count])
      next += contest.count
      let units = contest.reduce(0) { $0 + structure.unitCount($1.type.shape) }
      let result = competitionMasks(
        members, structure: structure, competition: competition, kept: kept(of: units, counter))
      masks += result.masks
      thresholds += result.thresholds
    }
    return masks + thresholds
  }

  /// The number of `units` that are kept in a step: looked up in a table, since the schedule is known beforehand.
  private func kept(of units: Int, _ counter: Tensor) -> Tensor {
    let turns = updates.map { Int32(clamping: keptCount(of: units, sparsity: schedule.sparsity(at: $0))) }
    let table = counter.constant(NDArray(turns))
    func number(_ value: Int) -> Tensor { counter.constant(NDArray(scalar: Int32(clamping: value))) }
    let turn = (counter - number(schedule.begin)) / number(schedule.frequency)
    return table.dynamicElement(turn.minimum(number(turns.count - 1)))
  }

  /// The steps in which masks are computed, up to the one after which the sparsity is constant.
  var updates: [Int] {
    Array(stride(from: schedule.begin, through: max(schedule.settled, schedule.begin), by: schedule.frequency))
  }
}
