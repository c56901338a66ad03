// What to prune and how: a list of targets, each with layers, a schedule and a structure. It is a description;
// `PruningPlan` is its application to one model.

import AccelerandoCore

/// A way to make weights zero while a model trains.
///
///     try model.prune(Pruning(.polynomial(from: 0.5, to: 0.9, end: 7000)))
///     try model.fit(data, epochs: 4)
///     let small = try model.stripped()
public struct Pruning: Sendable {
  /// What is pruned as a unit.
  public enum Structure: Hashable, Sendable {
    /// Single weights.
    case weights
    /// Blocks of a matrix. Its edges may have smaller blocks.
    case blocks(height: Int, width: Int, pooling: Pooling = .mean)
    /// This many zeros in each group of neighbours along the input axis. Of equal ones the first are kept.
    case nOfM(zeros: Int = 2, of: Int = 4)
    /// All the weights of one output: a filter of a convolution, a neuron of a dense layer.
    case filters
  }

  /// The score of a block.
  public enum Pooling: String, Hashable, Sendable, CaseIterable {
    /// The mean of its weights' magnitudes.
    case mean
    /// The maximum of its weights' magnitudes.
    case max
  }

  /// Which weights compete with each other.
  public enum Competition: String, Hashable, Sendable, CaseIterable {
    /// Those of one tensor: every tensor gets the sparsity.
    case tensor
    /// Those of all tensors of the target: together they get the sparsity.
    case global
    /// Those of all tensors of the target by their LAMP scores: together they get the sparsity, and small tensors,
    /// which have fewer weights to spare, keep more of theirs than large ones. The score of a weight is its square
    /// divided by the sum of the squares of all weights of its tensor that are not smaller (Lee, Park, Mo, Ahn and
    /// Shin, "Layer-adaptive sparsity for the magnitude-based pruning", ICLR 2021).
    case lamp

    /// Whether tensors compete with each other.
    var isAcrossTensors: Bool { self != .tensor }
  }

  /// Layers, and how to prune them.
  public struct Target: Sendable {
    /// Names of layers, types of layers or names of parameters; `*` stands for any characters.
    public var layers: [String]
    /// When and how much; nil to leave the layers unpruned.
    public var schedule: (any PruningSchedule)?
    /// What is pruned as a unit.
    public var structure: Structure
    /// Which weights compete with each other.
    public var competition: Competition

    /// Makes a target.
    /// - Parameters:
    ///   - layers: names or types of layers, or names of parameters, as in `dense_1`, `Conv2D`, `layers.3.*`.
    ///   - schedule: when and how much.
    ///   - structure: what is pruned as a unit.
    ///   - competition: which weights compete with each other.
    public init(
      _ layers: [String] = ["*"], _ schedule: some PruningSchedule, structure: Structure = .weights,
      competition: Competition = .tensor
    ) {
      self.layers = layers
      self.schedule = schedule
      self.structure = structure
      self.competition = competition
    }

    /// Layers that are not pruned, whatever later targets say.
    public static func keeping(_ layers: String...) -> Target {
      var target = Target(layers, ConstantSparsity(0))
      target.schedule = nil
      return target
    }
  }

  /// The targets; a tensor belongs to the first one that matches it.
  public var targets: [Target]

  /// Prunes by a list of targets; a tensor belongs to the first one that matches it.
  public init(targets: [Target]) { self.targets = targets }

  /// Prunes all layers in the same way.
  /// - Parameters:
  ///   - schedule: when and how much. The default makes half of the weights zero, every 100 steps.
  ///   - structure: what is pruned as a unit.
  ///   - competition: which weights compete with each other.
  ///   - layers: names or types of layers, or names of parameters; all by default.
  public init(
    _ schedule: some PruningSchedule = ConstantSparsity(0.5), structure: Structure = .weights,
    competition: Competition = .tensor, layers: [String] = ["*"]
  ) {
    self.init(targets: [Target(layers, schedule, structure: structure, competition: competition)])
  }

  /// This many zeros in each group of neighbours along the input axis, chosen once, in the first step.
  public static func nOfM(zeros: Int = 2, of group: Int = 4, layers: [String] = ["*"]) -> Pruning {
    let sparsity = group > 0 ? Double(zeros) / Double(group) : 0
    return Pruning(
      ConstantSparsity(sparsity, begin: 1, end: 1, frequency: 1), structure: .nOfM(zeros: zeros, of: group),
      layers: layers)
  }
}
