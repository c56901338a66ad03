// What programs are specialized for: what the step does, the shapes and the source of its batch; and the names of a
// program's inputs.

import AccelerandoCore
import AccelerandoNN

/// What a step does.
public enum StepKind: String, Hashable, Sendable, CaseIterable {
  /// Forward, loss, gradients, the optimizer's update, metrics.
  case train
  /// Forward, loss, metrics.
  case evaluate
  /// Forward.
  case predict
}

/// The source of a step's batch.
enum BatchSource: Hashable {
  /// Each batch is transferred.
  case brought
  /// Gathered from a data set of this many samples on the device, by index.
  case held(samples: Int)
  /// As `held`, for many steps in one program, with the order of a pass over this many samples on the device too.
  case looped(samples: Int, order: Int)

  /// The number of samples of the data set on the device.
  var samples: Int? {
    switch self {
    case .brought: nil
    case .held(let samples), .looped(let samples, _): samples
    }
  }
}

/// What a step's program is specialized for: shapes are static, so a shorter last batch has its own program.
struct StepSignature: Hashable {
  let kind: StepKind
  /// The types of a worker's part of the batch.
  let features: [TensorType]
  /// The labels of the outputs that have some.
  let labels: [Column]
  /// The weights of the samples, or of their elements; one for all outputs has no name.
  let weights: [Column]
  let source: BatchSource
  /// The workers that compute the step together.
  let workers: Int
  /// The number of samples in the whole batch.
  let globalCount: Int

  /// Labels or weights of an output.
  struct Column: Hashable {
    /// The output's name; nil where there is one output, or one array for all.
    let output: String?
    let type: TensorType
  }

  /// - Parameters:
  ///   - batch: the batch, or what batches are parts of.
  ///   - count: the samples of a step; those of `batch` for nil.
  init(kind: StepKind, like batch: Batch, count: Int? = nil, source: BatchSource = .brought, workers: Int = 1) {
    let shares = BatchShares(of: count ?? batch.count, workers: workers)
    func resized(_ type: TensorType) -> TensorType { type.with([shares.rows] + type.shape.dropFirst()) }
    self.kind = kind
    self.source = source
    self.workers = workers
    globalCount = shares.count
    features = batch.features.map { resized($0.type) }
    func columns(_ arrays: NamedArrays) -> [Column] {
      if kind == .predict { return [] }
      return arrays.enumerated().map { index, array in
        Column(output: arrays.names.isEmpty ? nil : arrays.names[index], type: resized(array.type))
      }
    }
    labels = columns(batch.targets)
    weights = columns(batch.weights)
  }

  /// A step that predicts for features of these types.
  init(inferenceOn features: [TensorType]) {
    kind = .predict
    self.features = features
    labels = []
    weights = []
    source = .brought
    workers = 1
    globalCount = features.first?.shape.first ?? 0
  }

  /// The number of rows of a worker's part.
  var count: Int { features.first?.shape.first ?? 0 }

  /// How the batch is split.
  var shares: BatchShares { BatchShares(of: globalCount, workers: workers) }

  /// The inputs of the program that change with the batch.
  var batchNames: Set<String> {
    switch source {
    case .brought:
      Set(
        features.indices.map(StateName.feature) + labels.map { StateName.labels($0.output) }
          + weights.map { StateName.weights($0.output) })
    case .held: [StateName.rows]
    case .looped: [StateName.first, StateName.steps]
    }
  }
}

/// Names of the state tensors.
enum StateName {
  static let iteration = "iteration"
  static let learningRate = "learning_rate"
  /// The learning rate of a group that has an optimizer of its own.
  static func learningRate(ofGroup number: Int) -> String { "learning_rate/\(number)" }
  static let randomKey = "random_key"
  static func parameter(_ name: String) -> String { "parameter/\(name)" }
  static func slot(_ name: String, of parameter: String) -> String { "slot/\(parameter).\(name)" }
  static func feature(_ index: Int) -> String { "x\(index)" }
  static func labels(_ output: String?) -> String { output.map { "y/\($0)" } ?? "y" }
  static func weights(_ output: String?) -> String { output.map { "w/\($0)" } ?? "w" }
  /// The indices of the batch's samples in the data set.
  static let rows = "rows"
  /// For many steps at a time: the order of the samples in a pass, the position to begin at, and the number of steps.
  static let order = "order"
  static let first = "first"
  static let steps = "steps"
  /// The offset of a worker's part of the batch, and its number of samples.
  static let shareOffset = "share/offset"
  static let shareCount = "share/count"
}
