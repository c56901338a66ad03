// Brings the batches of a dataset to the steps. Arrays in memory go row by row straight into the device's input
// buffers; everything else comes as batches.

import AccelerandoCore
import AccelerandoNN

/// Loads one batch after the other into the steps that will run on it.
final class Feeder {
  private var dataset: Dataset
  private let kind: StepKind
  /// The samples of a full batch: no more than there are, where that is known.
  private let batchSize: Int
  /// The batch size that was asked for.
  private let givenBatchSize: Int
  /// Nil for the order in the arrays.
  private let key: RandomKey?
  private let session: Session
  private let programs: StepPrograms
  private let expectation: DataExpectation
  private let classWeights: [Int: Double]?
  /// Whether the dataset's batches come out in the model's shapes, checked and weighted.
  private let isPrepared: Bool
  /// Samples in the model's shapes, where their types are known before the first batch.
  private let example: Batch?

  /// Whether a pass is long enough for steps to inspect the model's values, which are frozen unless training.
  /// Accelerators ignore this.
  private var isFrozen: Bool {
    kind != .train && (isLongPass ?? ((dataset.count ?? 0) >= Self.longPass)) && !session.backend.runsAhead
  }
  /// Says whether a pass is long; nil if the number of samples says so.
  var isLongPass: Bool?
  /// Looking at weights, and packing them without their zeros, takes as long as some hundred samples take with them.
  static let longPass = 2048

  private var pass = 0
  private var direct: Direct?
  private var batches: BatchIterator?
  private var stepNumber = 0

  /// Arrays in memory without transformations: the fast path.
  private struct Direct {
    let arrays: Batch
    /// The arrays on the device, where it takes them.
    let held: HeldData?
    /// Whether the device prefers many steps at a time, once that is known.
    var takesLoops: Bool?
    /// The order on the device, where it takes many steps at a time.
    var heldOrder: (any Buffer)?
    /// The steps for batches of each size.
    var steps: [Int: Step] = [:]
    /// The program of many steps.
    var loop: Step?
    var order: [Int]
    var position = 0
  }

  /// A call to the device.
  struct Launch {
    let step: Step
    /// The number of steps in it.
    let stepCount: Int
  }

  /// - Parameters:
  ///   - key: the key of the sample order.
  ///   - shuffles: whether samples are shuffled, unless the dataset insists on something else.
  init(
    _ dataset: Dataset, kind: StepKind, batchSize: Int, key: RandomKey, shuffles: Bool, session: Session,
    programs: StepPrograms, expectation: DataExpectation, classWeights: [Int: Double]? = nil
  ) throws {
    var dataset = dataset
    guard batchSize >= 1 else { throw TrainingError("a batch size is at least 1; received \(batchSize).") }
    var isPrepared = false
    var example: Batch?
    if dataset.count == 0 { throw TrainingError("the dataset is empty: there is no sample to work on.") }
    // The results of transformations can only be checked batch by batch.
    switch dataset.source {
    case .arrays(let arrays) where dataset.transforms.isEmpty:
      isPrepared = true
      let prepared = try Self.prepared(arrays, kind, expectation, classWeights)
      dataset.source = .arrays(prepared)
      example = prepared
    case .samples(let reader) where dataset.transforms.isEmpty:
      let first = try reader.batch([dataset.rows.lowerBound][...])
      example = try Self.prepared(first, kind, expectation, classWeights)
    default: break
    }
    self.isPrepared = isPrepared
    self.example = example
    self.dataset = dataset
    self.kind = kind
    givenBatchSize = max(dataset.batchSize ?? batchSize, 1)
    self.batchSize = min(givenBatchSize, dataset.count ?? givenBatchSize)
    self.key = dataset.isShuffled ?? shuffles ? key : nil
    self.session = session
    self.programs = programs
    self.expectation = expectation
    self.classWeights = classWeights
  }

  /// The number of steps of a pass, if it is known beforehand.
  var stepCount: Int? { dataset.steps(batchSize: batchSize) }

  /// The samples of a full batch.
  var fullBatch: Int { batchSize }

  /// What the steps that come depend on, besides the samples themselves.
  func settings() throws -> [RunSetting] {
    [
      RunSetting("batch size", givenBatchSize), RunSetting("samples", dataset.count.map(String.init) ?? "a stream"),
      RunSetting("shuffled", key != nil), RunSetting("digest of the data", try dataset.digest()),
      RunSetting("digest of the step", stepDigest()),
    ]
  }

  /// A digest of what one step of a full batch computes, on any worker: it also covers custom layers and losses that do
  /// not describe their settings. The batches of streams are not known beforehand.
  private func stepDigest() -> String {
    guard let example else { return "a stream" }
    // Errors of a step are reported when it is compiled.
    let program = try? programs.program(StepSignature(kind: kind, like: example, count: fullBatch))
    return (try? program?.digest()) ?? "unknown"
  }

  /// Begins pass `number`; the order of the samples is a function of the number.
  /// - Parameter skipped: steps to leave out, as if they had been done.
  func begin(pass number: Int, skipping skipped: Int = 0) throws {
    pass = number
    stepNumber = skipped
    session.valuesMayHaveChanged()
    if isFrozen, let direct { for step in direct.steps.values { step.isStale = true } }
    let order = key.map { shuffledOrder(dataset.rows, key: $0.folded(UInt32(truncatingIfNeeded: number))) }
    if case .arrays(let arrays) = dataset.source, isPrepared, dataset.prefetchDepth == 0 {
      let order = order ?? Array(dataset.rows)
      if direct == nil {
        // The shape of a program that predicts would change with every array that is predicted for.
        let held = kind == .predict ? nil : try HeldData(arrays, on: session.backend)
        direct = Direct(arrays: arrays, held: held, order: order)
      }
      direct?.order = order
      direct?.position = firstRow(skipping: skipped, batchSize: batchSize, of: order.count)
      try holdOrder(order)
      batches = nil
    } else {
      direct = nil
      // Far devices compute while the next batch is made; samples that have to be made first are made beside the steps.
      if dataset.prefetchDepth == 0, session.backend.runsAhead || dataset.makesSamples { dataset.prefetchDepth = 2 }
      batches = try dataset.makeBatches(batchSize: batchSize, order: order, skipping: skipped)
    }
  }

  /// Traces the step of a full batch, if its types are already known, so that errors are reported before anything runs.
  func check() throws {
    guard let example else { return }
    try session.check(
      StepSignature(kind: kind, like: example, count: batchSize, workers: workers(of: batchSize)), programs)
  }

  /// The next batch, in the model's shapes, and the indices of its samples if known; nil after the last. It is
  /// consumed: a step that is requested afterwards gets the next one.
  func nextBatch() throws -> (batch: Batch, samples: [Int]?)? {
    if let direct {
      guard direct.position < direct.order.count else { return nil }
      let rows = direct.order[direct.position..<min(direct.position + batchSize, direct.order.count)]
      self.direct?.position = rows.endIndex
      return (direct.arrays.gathered(rows), Array(rows))
    }
    guard let batch = try batches?.next() else { return nil }
    return (isPrepared ? batch : try Self.prepared(batch, kind, expectation, classWeights), nil)
  }

  /// Loads the next batches and returns what to run; nil after the last batch.
  /// - Parameter limit: the most steps to take.
  func next(atMost limit: Int = 1) throws -> Launch? {
    if let loop = try nextLoop(atMost: limit) { return loop }
    return try nextStep().map { Launch(step: $0, stepCount: 1) }
  }

  private func nextStep() throws -> Step? {
    stepNumber += 1
    if direct != nil { return try nextDirect() }
    guard let batch = try batches?.next() else { return nil }
    let prepared =
      isPrepared ? batch : try Self.prepared(batch, kind, expectation, classWeights, origin: "step \(stepNumber)")
    let signature = StepSignature(kind: kind, like: prepared, workers: workers(of: prepared.count))
    let step = try session.step(signature, programs, isFrozen: isFrozen && signature.workers == 1)
    try step.refresh()
    try step.load(prepared)
    return step
  }

  /// The workers that share a batch of this many samples.
  private func workers(of samples: Int) -> Int { session.backend.workerCount(forBatchOf: samples) }

  /// Many full batches at once, where the device takes them.
  private func nextLoop(atMost limit: Int) throws -> Launch? {
    guard let direct, let held = direct.held, let order = direct.heldOrder else { return nil }
    let count = min(limit, (direct.order.count - direct.position) / batchSize)
    guard count > 0 else { return nil }
    let step: Step
    if let known = direct.loop {
      step = known
    } else {
      let source = BatchSource.looped(samples: direct.arrays.count, order: order.type.elementCount)
      let signature = StepSignature(
        kind: kind, like: direct.arrays, count: batchSize, source: source, workers: workers(of: batchSize))
      step = try session.step(signature, programs, on: held, order: order)
      self.direct?.loop = step
    }
    try step.load(first: direct.position, steps: count)
    self.direct?.position += count * batchSize
    stepNumber += count
    return Launch(step: step, stepCount: count)
  }

  /// Whether the device prefers many steps at a time.
  private func takesLoops() throws -> Bool {
    // Where calls are cheap, the question would cost a trace of the step.
    guard session.backend.runsAhead, let direct, direct.held != nil, direct.order.count >= batchSize else {
      return false
    }
    if let known = direct.takesLoops { return known }
    let source = BatchSource.held(samples: direct.arrays.count)
    let signature = StepSignature(
      kind: kind, like: direct.arrays, count: batchSize, source: source, workers: workers(of: batchSize))
    let answer = session.backend.prefersLoop(of: try programs.program(signature))
    self.direct?.takesLoops = answer
    return answer
  }

  /// Puts the order of a pass on the device.
  private func holdOrder(_ order: [Int]) throws {
    guard try takesLoops() else { return }
    // The last worker's row that counts for nothing may lie behind the last sample.
    let padding = [Int32](repeating: 0, count: batchSize % workers(of: batchSize) == 0 ? 0 : 1)
    let numbers = NDArray(order.map { Int32(truncatingIfNeeded: $0) } + padding)
    if let buffer = direct?.heldOrder {
      try buffer.write(numbers)
    } else {
      self.direct?.heldOrder = try session.backend.upload(numbers)
    }
  }

  private func nextDirect() throws -> Step? {
    guard let (order, position) = direct.map({ ($0.order, $0.position) }), position < order.count else { return nil }
    let end = min(position + batchSize, order.count)
    direct?.position = end
    let step = try directStep(end - position)
    try step.refresh()
    if direct?.held != nil {
      try step.load(rows: order[position..<end])
    } else if let arrays = direct?.arrays {
      try step.load(arrays, rows: order[position..<end])
    }
    return step
  }

  /// The step for batches of a size.
  private func directStep(_ count: Int) throws -> Step {
    guard let direct else { throw TrainingError("the dataset has no arrays.") }
    if let known = direct.steps[count] { return known }
    let source = direct.held == nil ? BatchSource.brought : .held(samples: direct.arrays.count)
    let signature = StepSignature(
      kind: kind, like: direct.arrays, count: count, source: source, workers: workers(of: count))
    let isFrozen = isFrozen && signature.workers == 1
    let step =
      try direct.held.map { try session.step(signature, programs, on: $0, order: nil, isFrozen: isFrozen) }
      ?? session.step(signature, programs, isFrozen: isFrozen)
    self.direct?.steps[count] = step
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
      result.targets = []
      result.weights = []
      try expectation.checkIndices(result, origin: origin)
      return result
    }
    guard let labels = batch.labels, !result.targets.isEmpty else {
      throw TrainingError("the dataset has no labels; training and evaluation need them.")
    }
    if let classWeights {
      guard result.weights.isEmpty else {
        throw TrainingError("class weights and sample weights do not go together; multiply them yourself.")
      }
      result.sampleWeights = try expectation.sampleWeights(for: labels, classWeights: classWeights)
    }
    try expectation.checkValues(result, given: batch, origin: origin)
    return result
  }
}
