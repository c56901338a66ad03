// Brings the batches of a dataset to the steps. Arrays in memory go row by row straight into the device's input buffers;
// everything else comes as batches.

import AccelerandoCore
import AccelerandoNN

/// Loads one batch after the other into the steps that will run on them.
final class Feeder {
  private let dataset: Dataset
  private let kind: StepKind
  private let batchSize: Int
  private let key: RandomKey?
  private let session: Session
  private let programs: StepPrograms
  private let expectation: DataExpectation
  private let classWeights: [Int: Double]?

  private var pass = 0
  private var direct: Direct?
  private var batches: BatchIterator?
  private var stepNumber = 0

  /// Arrays in memory without transformations: the fast path.
  private struct Direct {
    let arrays: Batch
    var order: [Int]
    var position = 0
    var full: Step?
  }

  /// - Parameter key: what the order of the samples is drawn from; nil for the order in the arrays.
  init(
    _ dataset: Dataset, kind: StepKind, batchSize: Int, key: RandomKey?, session: Session, programs: StepPrograms,
    expectation: DataExpectation, classWeights: [Int: Double]? = nil
  ) throws {
    var dataset = dataset
    guard batchSize >= 1 else { throw TrainingError("a batch size is at least 1; received \(batchSize).") }
    if case .arrays(let arrays) = dataset.source {
      guard !dataset.rows.isEmpty else { throw TrainingError("the dataset is empty: there is no sample to work on.") }
      dataset.source = .arrays(
        dataset.transforms.isEmpty
          ? try Self.prepared(arrays, kind, expectation, classWeights) : arrays)
    }
    self.dataset = dataset
    self.kind = kind
    self.batchSize = max(dataset.batchSize ?? batchSize, 1)
    self.key = (dataset.isShuffled ?? (key != nil)) ? key ?? RandomKey(seed: 0) : nil
    self.session = session
    self.programs = programs
    self.expectation = expectation
    self.classWeights = classWeights
  }

  /// The number of steps of a pass, if it is known beforehand.
  var stepCount: Int? { dataset.steps(batchSize: batchSize) }

  /// Begins pass `number`; the order of the samples is a function of the number.
  func begin(pass number: Int) throws {
    pass = number
    stepNumber = 0
    let order = key.map { shuffledOrder(dataset.rows, key: $0.folded(UInt32(truncatingIfNeeded: number))) }
    if case .arrays(let arrays) = dataset.source, dataset.transforms.isEmpty, dataset.prefetchDepth == 0 {
      direct = Direct(arrays: arrays, order: order ?? Array(dataset.rows), full: direct?.full)
      batches = nil
    } else {
      direct = nil
      batches = try dataset.makeBatches(batchSize: batchSize, order: order)
    }
  }

  /// Loads the next batch and returns the step to run; nil after the last batch.
  func next() throws -> Step? {
    stepNumber += 1
    if direct != nil { return try nextDirect() }
    guard let batch = try batches?.next() else { return nil }
    let prepared = try Self.prepared(batch, kind, expectation, classWeights, origin: "step \(stepNumber)")
    let step = try session.step(StepSignature(kind: kind, batch: prepared), programs)
    try step.load(prepared)
    return step
  }

  private func nextDirect() throws -> Step? {
    guard let (arrays, order, position) = direct.map({ ($0.arrays, $0.order, $0.position) }),
      position < order.count
    else { return nil }
    let end = min(position + batchSize, order.count)
    direct?.position = end
    let isFull = end - position == batchSize
    let step: Step
    if isFull, let full = direct?.full {
      step = full
    } else {
      step = try session.step(StepSignature(kind: kind, like: arrays, count: end - position), programs)
      if isFull { direct?.full = step }
    }
    try step.load(arrays, rows: order[position..<end])
    return step
  }

  /// A batch in the model's shapes, checked and weighted.
  private static func prepared(
    _ batch: Batch, _ kind: StepKind, _ expectation: DataExpectation, _ classWeights: [Int: Double]?,
    origin: String? = nil
  ) throws -> Batch {
    try batch.checkCounts()
    guard batch.count > 0 else { throw TrainingError("a batch without samples\(origin.map { " (\($0))" } ?? "").") }
    var result = try expectation.fitted(batch)
    if kind == .predict {
      result.labels = nil
      result.sampleWeights = nil
      return result
    }
    guard let labels = result.labels else {
      throw TrainingError("the dataset has no labels; training and evaluation need them.")
    }
    if let classWeights {
      guard result.sampleWeights == nil else {
        throw TrainingError("class weights and sample weights do not go together; multiply them yourself.")
      }
      result.sampleWeights = try sampleWeights(for: labels, classWeights: classWeights)
    }
    result.sampleWeights = result.sampleWeights?.converted(to: .float32)
    try expectation.checkValues(result, origin: origin)
    return result
  }
}
