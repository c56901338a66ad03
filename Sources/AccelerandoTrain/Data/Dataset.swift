// Where samples come from: arrays in memory, samples that are made when a batch needs them, or any sequence of batches. A
// dataset is a description; nothing is read, shuffled or converted before it is used, and each pass starts anew.

import AccelerandoCore
import AccelerandoNN

/// Samples to train, evaluate or predict with.
public struct Dataset: Sendable {
  /// Makes the batches of one pass.
  typealias MakeBatches = @Sendable () throws -> BatchIterator

  /// A function that every batch is put through.
  struct Transform: Sendable {
    let apply: @Sendable (Batch) throws -> Batch
    /// Whether it is only for training, and left out of a validation split.
    let isForTraining: Bool
  }

  enum Source: Sendable {
    case arrays(Batch)
    case samples(SampleReader)
    case stream(MakeBatches)
  }

  /// Makes the samples of some rows.
  struct SampleReader: Sendable {
    let read: @Sendable (ArraySlice<Int>) throws -> Batch
    /// What tells these samples from others.
    let identity: String
  }

  var source: Source
  /// The rows of the arrays that belong to the dataset.
  var rows: Range<Int>
  var transforms: [Transform] = []
  var prefetchDepth = 0
  /// The batch size that the dataset insists on.
  var batchSize: Int?
  /// Whether the dataset must be shuffled, must not be, or either.
  var isShuffled: Bool?

  /// Makes a dataset of arrays, which are shared and not copied. They keep their element types: bytes stay bytes until
  /// they are on the device.
  /// - Parameters:
  ///   - features: the model's inputs, `[N, …]` each.
  ///   - labels: the targets, `[N, …]`.
  ///   - sampleWeights: the weight of each sample, `[N]`.
  /// - Throws: `TrainingError` when the arrays differ in the number of samples.
  public init(features: [NDArray], labels: NDArray? = nil, sampleWeights: NDArray? = nil) throws {
    try self.init(Batch(features: features, labels: labels, sampleWeights: sampleWeights))
  }

  /// Makes a dataset of named arrays: `features: ["image": images, "age": ages]`.
  /// - Parameters:
  ///   - features: the model's inputs by name, or in order, `[N, …]` each.
  ///   - targets: the targets by the name of the output, or in the order of the outputs, `[N, …]` each. Outputs without a loss
  ///     and without metrics need none.
  ///   - weights: the weights of the samples, `[N]` each: one array for all outputs, or arrays by the name of the output.
  /// - Throws: `TrainingError` when the arrays differ in the number of samples.
  public init(features: NamedArrays, targets: NamedArrays, weights: NamedArrays = []) throws {
    try self.init(Batch(features: features, targets: targets, weights: weights))
  }

  /// Makes a dataset of one batch with all samples.
  private init(_ batch: Batch) throws {
    var batch = batch
    batch.weights = batch.weights.mapArrays { $0.converted(to: .float32) }
    try batch.checkCounts()
    source = .arrays(batch)
    rows = 0..<batch.count
  }

  /// Makes a dataset of one array of features and one of labels.
  public init(_ features: NDArray, _ labels: NDArray, sampleWeights: NDArray? = nil) throws {
    try self.init(features: [features], labels: labels, sampleWeights: sampleWeights)
  }

  /// Makes a dataset of samples that are made when a batch needs them, such as decoded images or rows of a large file. They are
  /// made on a thread beside the steps, ahead of them. Order, splits and resuming work as for arrays in memory.
  /// - Parameters:
  ///   - count: the number of samples.
  ///   - identity: a text that differs where the samples do: a run that is resumed, or shared by processes, compares it.
  ///   - read: makes the batch of the samples with these indices, 0 ..< `count`, in this order. All batches have the same types,
  ///     but for the number of samples. It is called from other threads.
  public init(count: Int, identity: String, read: @escaping @Sendable (ArraySlice<Int>) throws -> Batch) {
    source = .samples(SampleReader(read: read, identity: identity))
    rows = 0..<max(count, 0)
  }

  /// Makes a dataset of a sequence of batches, made anew for each pass. Batches may differ in size; each size that
  /// occurs is compiled once.
  public init(batches: @escaping @Sendable () throws -> any Sequence<Batch>) {
    source = .stream { iterate(try batches()) }
    rows = 0..<0
  }

  /// Makes a dataset of a function that begins a pass and returns a function that returns one batch after the other,
  /// nil after the last. Both may throw, as when they read files.
  public init(makeNext: @escaping @Sendable () throws -> () throws -> Batch?) {
    source = .stream { BatchIterator(next: try makeNext()) }
    rows = 0..<0
  }

  /// The number of samples, if it is known beforehand.
  public var count: Int? {
    if case .stream = source { return nil }
    return rows.count
  }

  /// Whether samples are made when a batch needs them.
  var makesSamples: Bool {
    if case .samples = source { return true }
    return false
  }

  /// The number of steps of a pass, if it is known beforehand.
  public func steps(batchSize: Int) -> Int? {
    let size = max(self.batchSize ?? batchSize, 1)
    return count.map { $0 / size + ($0 % size == 0 ? 0 : 1) }
  }
}

// MARK: - Transformations

extension Dataset {
  /// The dataset in batches of a size, whatever the batch size of `fit`.
  public func batched(_ size: Int) -> Dataset {
    var result = self
    result.batchSize = max(size, 1)
    return result
  }

  /// The dataset reshuffled in each pass, whatever `fit` says; or never shuffled. Streams are not shuffled.
  public func shuffled(_ isShuffled: Bool = true) -> Dataset {
    var result = self
    result.isShuffled = isShuffled
    return result
  }

  /// The dataset with every batch put through a function that makes training harder: augmentation. A validation split
  /// (`fit(validationSplit:)`, `split(lastFraction:)`) is taken without it, as in Keras, where such a function belongs to the
  /// training data; what validation needs too belongs into `preprocessed(_:)`.
  public func mapped(_ transform: @escaping @Sendable (Batch) throws -> Batch) -> Dataset {
    transformed(transform, isForTraining: true)
  }

  /// The dataset with every batch put through a function that the model needs its data to go through, wherever they are used:
  /// scaling, cropping, labels in another form. A validation split goes through it too.
  public func preprocessed(_ transform: @escaping @Sendable (Batch) throws -> Batch) -> Dataset {
    transformed(transform, isForTraining: false)
  }

  private func transformed(
    _ transform: @escaping @Sendable (Batch) throws -> Batch, isForTraining: Bool
  ) -> Dataset {
    var result = self
    result.transforms.append(Transform(apply: transform, isForTraining: isForTraining))
    return result
  }

  /// The dataset with up to `depth` batches prepared ahead on a separate thread.
  public func prefetched(_ depth: Int = 2) -> Dataset {
    var result = self
    result.prefetchDepth = max(depth, 0)
    return result
  }

  /// The first samples of a dataset, or the first batches of a stream.
  public func prefix(_ count: Int) -> Dataset {
    var result = self
    switch source {
    case .arrays, .samples: result.rows = rows.prefix(max(count, 0))
    case .stream(let make):
      result.source = .stream {
        let batches = try make()
        var remaining = max(count, 0)
        return BatchIterator {
          guard remaining > 0 else { return nil }
          remaining -= 1
          return try batches.next()
        }
      }
    }
    return result
  }

  /// Two datasets: all but the last samples, and the last ones, as Keras' `validation_split` divides. The last ones are taken
  /// without the functions of `mapped(_:)`, which are for training.
  /// - Parameter fraction: the part that the second gets, between 0 and 1.
  /// - Throws: `TrainingError` for a stream, a fraction outside 0 ..< 1, or when a part would be empty.
  public func split(lastFraction fraction: Double) throws -> (first: Dataset, last: Dataset) {
    if case .stream = source {
      throw TrainingError("a stream of batches cannot be split; give the validation samples separately.")
    }
    guard fraction > 0, fraction < 1 else {
      throw TrainingError("a validation split needs a number between 0 and 1; received \(fraction).")
    }
    let at = rows.lowerBound + Int((Double(rows.count) * (1 - fraction)).rounded(.down))
    guard at > rows.lowerBound, at < rows.upperBound else {
      throw TrainingError("splitting \(rows.count) samples at \(fraction) leaves one part without any.")
    }
    var (first, last) = (self, self)
    first.rows = rows.lowerBound..<at
    last.rows = at..<rows.upperBound
    last.transforms.removeAll(where: \.isForTraining)
    return (first, last)
  }
}

// MARK: - One pass

/// The batches of one pass, one after the other: `while let batch = try batches.next() { … }`. It belongs to one thread.
public struct BatchIterator {
  /// The next batch; nil after the last. It throws what reading or transforming the batch throws.
  public let next: () throws -> Batch?
}

extension Dataset {
  /// The batches of one pass, for a training loop of one's own. The last one has fewer samples if the number of samples is no
  /// multiple of the size.
  /// - Parameters:
  ///   - size: the samples in a batch; `batched(_:)` takes precedence.
  ///   - pass: the number of the pass, on which the order of the samples depends.
  ///   - seed: the seed of the order. Samples are shuffled unless the dataset is a stream or `shuffled(false)`.
  /// - Throws: `TrainingError` for a size below 1; what making the batches throws.
  public func batches(of size: Int, pass: Int = 0, seed: UInt64 = 0) throws -> BatchIterator {
    guard size >= 1 else { throw TrainingError("a batch size is at least 1; received \(size).") }
    let key = RandomKey(seed: seed).folded("shuffle").folded(UInt32(truncatingIfNeeded: pass))
    return try makeBatches(batchSize: size, order: isShuffled ?? true ? shuffledOrder(rows, key: key) : Array(rows))
  }

  /// The batches of one pass.
  /// - Parameters:
  ///   - order: the rows in the order of the pass; nil for the order in the arrays.
  ///   - skipped: batches to skip at the beginning. Those of a stream are produced all the same, but not transformed.
  func makeBatches(batchSize: Int, order: [Int]?, skipping skipped: Int = 0) throws -> BatchIterator {
    let make = batchMaker(batchSize: max(self.batchSize ?? batchSize, 1), order: order, skipping: skipped)
    return prefetchDepth > 0 ? prefetching(make, depth: prefetchDepth) : try make()
  }

  private func batchMaker(batchSize: Int, order: [Int]?, skipping skipped: Int) -> MakeBatches {
    let (source, rows, transforms) = (source, rows, transforms)
    return {
      var position = firstRow(skipping: skipped, batchSize: batchSize, of: rows.count)
      func nextPlaces() -> Range<Int>? {
        guard position < rows.count else { return nil }
        let range = position..<position + min(batchSize, rows.count - position)
        position = range.upperBound
        return range
      }
      func inFile(_ places: Range<Int>) -> Range<Int> {
        rows.lowerBound + places.lowerBound..<rows.lowerBound + places.upperBound
      }
      let batches: BatchIterator
      switch source {
      case .stream(let make):
        batches = try make()
        for _ in 0..<skipped { _ = try batches.next() }
      case .samples(let reader):
        batches = BatchIterator {
          try nextPlaces().map { places in try reader.batch(order.map { $0[places] } ?? Array(inFile(places))[...]) }
        }
      case .arrays(let arrays):
        batches = BatchIterator {
          try nextPlaces().map { places in
            try order.map { arrays.gathered($0[places]) } ?? arrays.rows(inFile(places))
          }
        }
      }
      if transforms.isEmpty { return batches }
      return BatchIterator {
        guard let batch = try batches.next() else { return nil }
        return try transforms.reduce(batch) { try $1.apply($0) }
      }
    }
  }
}

extension Dataset.SampleReader {
  /// The batch of some rows.
  /// - Throws: what making it throws; `TrainingError` when it has another number of samples.
  func batch(_ rows: ArraySlice<Int>) throws -> Batch {
    let batch = try read(rows)
    guard batch.count == rows.count else {
      throw TrainingError("a dataset was asked for \(rows.count) samples and made \(batch.count).")
    }
    return batch
  }
}

/// The index of the first sample after `batches` batches.
func firstRow(skipping batches: Int, batchSize: Int, of count: Int) -> Int {
  let (row, overflow) = batches.multipliedReportingOverflow(by: batchSize)
  return overflow ? count : min(row, count)
}

private func iterate(_ batches: some Sequence<Batch>) -> BatchIterator {
  var iterator = batches.makeIterator()
  return BatchIterator { iterator.next() }
}

extension Batch {
  /// The rows with the given indices.
  func gathered(_ indices: ArraySlice<Int>) -> Batch {
    func gather(_ array: NDArray) -> NDArray {
      var result = NDArray(zeros: array.type.with([indices.count] + array.shape.dropFirst()))
      result.withUnsafeMutableBytes { gatherRows(of: array, indices, into: $0) }
      return result
    }
    return Batch(
      features: features.mapArrays(gather), targets: targets.mapArrays(gather), weights: weights.mapArrays(gather))
  }
}

/// Copies rows of an array, one after the other.
func gatherRows(of array: NDArray, _ indices: ArraySlice<Int>, into target: UnsafeMutableRawBufferPointer) {
  let rows = max(array.shape.first ?? 1, 1)
  let rowBytes = array.byteCount / rows
  guard rowBytes > 0, let destination = target.baseAddress else { return }
  array.withUnsafeBytes { bytes in
    guard let source = bytes.baseAddress else { return }
    var place = destination
    for index in indices {
      place.copyMemory(from: source + index &* rowBytes, byteCount: rowBytes)
      place += rowBytes
    }
  }
}
