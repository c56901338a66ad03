// Parameters that are not trained like the others: frozen ones, and those with an optimizer or a rate of their own.

import AccelerandoCore
import AccelerandoNN

/// Parameters, chosen by name, and what holds for their training. A parameter belongs to the first group that matches it;
/// those that no group matches are trained by the model's optimizer.
///
///     model.compile(
///       optimizer: .adam(1e-3), loss: .sparseCategoricalCrossentropy,
///       groups: [.frozen("stem"), .trained("block*", by: .sgd(0.01)), .trained("head", rateFactor: 10)])
public struct ParameterGroup: Sendable {
  /// What chooses parameters: the name of a layer in the summary (`stem`), of a parameter (`stem.bias`), a type (`Dense`), or
  /// a pattern with `*`.
  public var patterns: [String]
  /// Whether they are trained; nil for what their layers say (`TrainableLayer`). Frozen parameters have no gradient and no
  /// slots; a frozen `BatchNormalization` uses its running statistics, and keeps them.
  public var isTrainable: Bool?
  /// The optimizer; nil for the model's.
  public var optimizer: (any Optimizer)?
  /// What the learning rate is multiplied by.
  public var rateFactor: Double

  /// Describes a group.
  public init(
    _ patterns: [String], isTrainable: Bool? = nil, optimizer: (any Optimizer)? = nil, rateFactor: Double = 1
  ) {
    self.patterns = patterns
    self.isTrainable = isTrainable
    self.optimizer = optimizer
    self.rateFactor = rateFactor
  }

  /// Parameters that stay what they are.
  public static func frozen(_ patterns: String...) -> ParameterGroup { ParameterGroup(patterns, isTrainable: false) }

  /// Parameters with an optimizer of their own, or another rate.
  public static func trained(
    _ patterns: String..., by optimizer: (any Optimizer)? = nil, rateFactor: Double = 1
  ) -> ParameterGroup {
    ParameterGroup(patterns, optimizer: optimizer, rateFactor: rateFactor)
  }
}

/// How the parameters of one model are trained.
struct ParameterPlan {
  /// Parameters that are trained alike.
  struct Group {
    let optimizer: any Optimizer
    let rateFactor: Double
    /// The name of the learning rate among the state tensors, where it is a number.
    let rateName: String
    var parameters: [ParameterSpec]

    /// What is kept for a parameter: by the formula, and by the optimizer's options.
    func slots(of parameter: ParameterSpec) -> [Slot] { optimizer.rule(for: parameter).slots + optimizer.options.slots }
  }

  /// The groups that have parameters to train.
  private(set) var groups: [Group] = []
  /// The names of the parameters that stay what they are, state included.
  private(set) var frozen: Set<String> = []

  /// The parameters to train, group by group.
  var trained: [ParameterSpec] { groups.flatMap(\.parameters) }

  /// - Throws: `TrainingError` for a pattern that matches nothing, and for a rate factor that is none.
  init(_ compilation: Compilation, for outline: Outline) throws {
    let named = outline.namedParameters
    for group in compilation.groups {
      guard !group.patterns.isEmpty else { throw TrainingError("a group of parameters needs at least one pattern.") }
      guard group.rateFactor >= 0, group.rateFactor.isFinite else {
        throw TrainingError("a rate factor is a number of at least 0; received \(group.rateFactor).")
      }
      for pattern in group.patterns { try Model.check(pattern, named, "of a group") }
    }
    var members = [[ParameterSpec]](repeating: [], count: compilation.groups.count + 1)
    for parameter in named {
      let number = compilation.groups.firstIndex { group in group.patterns.contains { parameter.fits($0) } }
      let isTrainable = number.flatMap { compilation.groups[$0].isTrainable }
      if !(isTrainable ?? outline.names.options(of: parameter.spec.name).isTrainable) {
        frozen.insert(parameter.spec.name)
      } else if parameter.spec.role == .trainable {
        members[number.map { $0 + 1 } ?? 0].append(parameter.spec)
      }
    }
    for (number, parameters) in members.enumerated() where !parameters.isEmpty {
      let group = number == 0 ? nil : compilation.groups[number - 1]
      let own = group?.optimizer
      groups.append(
        Group(
          optimizer: own ?? compilation.optimizer, rateFactor: group?.rateFactor ?? 1,
          rateName: own == nil ? StateName.learningRate : StateName.learningRate(ofGroup: number - 1),
          parameters: parameters))
    }
  }
}

extension Model {
  /// Freezes parameters, or trains them again, from the next call of `fit` on. The optimizer's state of all others stays;
  /// that of parameters that are trained again begins anew.
  /// - Parameters:
  ///   - isTrainable: whether they are trained, by the model's optimizer.
  ///   - patterns: names of layers or parameters, or patterns with `*`, as in `ParameterGroup`.
  /// - Throws: `TrainingError` for a pattern that matches nothing; nothing is changed then.
  public func setTrainable(_ isTrainable: Bool, _ patterns: String...) throws {
    var compilation = try compiled()
    compilation.groups.insert(ParameterGroup(patterns, isTrainable: isTrainable), at: 0)
    try recompile(compilation)
  }
}
