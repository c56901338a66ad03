// From a description of pruning to the tensors of one model. All errors of the combination are reported here, before
// anything is compiled or trained.

import AccelerandoCore
import AccelerandoNN

extension PruningPlan {
  /// More turns than this have no place in a program's table.
  static let mostTurns = 1 << 20

  /// Finds the tensors of each target.
  /// - Throws: `CompressionError` when a target matches nothing that can be pruned, or its structure or schedule is
  ///   invalid.
  init(_ pruning: Pruning, for outline: Outline) throws {
    let all = outline.namedParameters
    let prunable = all.filter(\.isPrunable)
    guard !pruning.targets.isEmpty else { throw CompressionError("pruning needs at least one target.") }
    guard !prunable.isEmpty else {
      throw CompressionError(
        "the model has nothing to prune: none of its \(all.count) parameters is a matrix or a kernel. Biases, "
          + "normalization and depthwise kernels are never pruned.")
    }
    var taken: Set<String> = []
    var groups: [Group] = []
    for target in pruning.targets {
      let chosen = try Self.parameters(target, among: all, prunable)
      let own = chosen.filter { taken.insert($0.spec.name).inserted }
      guard let schedule = target.schedule, !own.isEmpty else { continue }
      for parameter in own { try target.structure.check(parameter) }
      try schedule.validate()
      try Self.checkTurns(schedule)
      groups.append(
        Group(
          schedule: schedule, structure: target.structure, competition: target.competition,
          parameters: own.map(\.spec)))
      let types = Set(own.map(\.spec.type.dtype))
      guard target.competition != .global || types.count == 1 else {
        throw CompressionError(
          "weights compete with each other only if they have one element type; \(groups[groups.count - 1].label) have "
            + "\(types.map(\.rawValue).sorted().joined(separator: " and ")).")
      }
    }
    guard !groups.isEmpty else {
      throw CompressionError("pruning leaves every layer as it is: no target has a schedule and layers of its own.")
    }
    self.groups = groups
  }

  private static func checkTurns(_ schedule: any PruningSchedule) throws {
    let turns = (max(schedule.settled, schedule.begin) - schedule.begin) / schedule.frequency + 1
    guard turns <= mostTurns else {
      throw CompressionError(
        "a schedule computes masks at most \(mostTurns) times before its sparsity stays; this one would \(turns) times. "
          + "Use a larger frequency.")
    }
  }

  /// What a target means, in a model's order.
  private static func parameters(
    _ target: Pruning.Target, among all: [NamedParameter], _ prunable: [NamedParameter]
  ) throws -> [NamedParameter] {
    guard !target.layers.isEmpty else { throw CompressionError("a target of pruning names at least one layer.") }
    for pattern in target.layers where !prunable.contains(where: { $0.fits(pattern) }) {
      let names = prunable.map { "\($0.layer) (\($0.spec.name))" }.joined(separator: ", ")
      if let found = all.first(where: { $0.fits(pattern) }) {
        throw CompressionError(
          "'\(pattern)' has nothing to prune: '\(found.spec.name)', \(found.spec.type), is no matrix or kernel. Biases, "
            + "normalization and depthwise kernels are never pruned. What can be pruned: \(names).")
      }
      throw CompressionError(
        "'\(pattern)' has nothing to prune: no layer with parameters is called so. What can be pruned: \(names).")
    }
    let chosen = prunable.filter { parameter in target.layers.contains { parameter.fits($0) } }
    // Pruning outputs of the last layer would remove whole classes; it is pruned only if it is named explicitly.
    if case .filters = target.structure, !target.layers.contains(where: { $0 != "*" }), chosen.count > 1,
      let last = prunable.last
    {
      return chosen.filter { $0.spec.name != last.spec.name }
    }
    return chosen
  }
}

extension Pruning.Structure {
  /// Refuses tensors that cannot have this structure.
  func check(_ parameter: NamedParameter) throws {
    let (name, shape) = (parameter.spec.name, parameter.spec.type.shape)
    let remedy = "Name the layers that can: Dense, for example."
    switch self {
    case .weights: return
    case .filters:
      guard !(parameter.owner is MultiHeadAttention), !(parameter.owner is Embedding) else {
        throw CompressionError("'\(name)' of a layer of type \(parameter.layerType) has no filters. \(remedy)")
      }
    case .blocks(let height, let width, _):
      guard height >= 1, width >= 1 else {
        throw CompressionError("blocks are at least 1 by 1; received \(height) by \(width).")
      }
      guard shape.count == 2 else {
        throw CompressionError(
          "blocks of \(height) by \(width) do not fit '\(name)', \(parameter.spec.type): they are taken out of matrices. "
            + remedy)
      }
      guard height <= shape[0], width <= shape[1] else {
        throw CompressionError(
          "blocks of \(height) by \(width) do not fit '\(name)', \(parameter.spec.type): it is smaller. Use smaller "
            + "blocks, or choose other layers.")
      }
    case .nOfM(let zeros, let size):
      guard zeros >= 1, zeros < size else {
        throw CompressionError("N:M has at least 1 zero and fewer than M; received \(zeros) of \(size).")
      }
      // Each weight is compared with each other of its group.
      guard size <= 32 else {
        throw CompressionError("N:M takes groups of at most 32 weights; received \(zeros) of \(size).")
      }
      let inputs = shape[shape.count - 2]
      guard inputs % size == 0 else {
        throw CompressionError(
          "\(zeros) zeros in each \(size) weights do not fit '\(name)', \(parameter.spec.type): its input axis has "
            + "\(inputs) elements, which \(size) does not divide. \(remedy)")
      }
    }
  }
}
