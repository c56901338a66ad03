// The memory of a model on a device, and its compiled steps. All steps are bound to the same buffers, so that training,
// validation and prediction use the same weights and nothing is copied.

import AccelerandoCore
import AccelerandoNN

/// The memory of a model on a device and the programs that are bound to it.
final class Session {
  let backend: any Backend
  private(set) var buffers: [String: any Buffer] = [:]
  private var batchBuffers: [BatchKey: any Buffer] = [:]
  private var executables: [StepKey: any Executable] = [:]
  private var steps: [StepKey: Step] = [:]
  /// What was found to fit the model.
  private var checked: Set<StepSignature> = []

  private struct StepKey: Hashable {
    let signature: StepSignature
    let isFrozen: Bool
  }

  private struct BatchKey: Hashable {
    let name: String
    let type: TensorType
    let workers: Int
  }

  init(backend: any Backend) { self.backend = backend }

  /// A state tensor; created, with zeros, if it does not exist.
  func buffer(_ name: String, _ type: TensorType) throws -> any Buffer {
    if let known = buffers[name], known.type == type { return known }
    let made = try backend.makeBuffer(type)
    buffers[name] = made
    return made
  }

  /// Lets a state tensor be memory that another model uses too. It is done before any step is compiled.
  func adopt(_ buffer: any Buffer, as name: String) { buffers[name] = buffer }

  /// Sets a state tensor.
  func set(_ name: String, _ value: NDArray) throws { try buffer(name, value.type).write(value) }

  /// Reads a state tensor; nil if there is none with the name.
  func value(_ name: String) throws -> NDArray? { try buffers[name]?.read() }

  /// Reads a scalar of type `float32`, `float64` or `int32`, without allocating where the device's memory is the
  /// host's; 0 if there is none of the name.
  func scalar(_ name: String) throws -> Double {
    guard let buffer = buffers[name] else { return 0 }
    func load<Scalar: TensorScalar>(_ first: Scalar) throws -> Double {
      if let host = buffer as? any HostBuffer { return host.memory.load(as: Scalar.self).doubleValue }
      var value = first
      try withUnsafeMutableBytes(of: &value) { try buffer.read(into: $0) }
      return value.doubleValue
    }
    switch buffer.type.dtype {
    case .float64: return try load(Double(0))
    case .int32: return try load(Int32(0))
    default: return try load(Float(0))
    }
  }

  /// Sets the running totals of a kind of step to zero.
  func resetTotals(_ kind: StepKind) throws {
    let prefix = StateName.totals(kind)
    for (name, buffer) in buffers where name.hasPrefix(prefix) { try buffer.write(NDArray(zeros: buffer.type)) }
  }

  /// Removes the programs, and the tensors whose names begin with one of the prefixes.
  func forget(prefixes: [String]) {
    executables = [:]
    steps = [:]
    checked = []
    buffers = buffers.filter { entry in !prefixes.contains { entry.key.hasPrefix($0) } }
  }

  /// The step for a signature: compiled and tied to the buffers at first use.
  /// - Parameter isFrozen: whether the model's values do not change until the step is told to inspect them again.
  func step(_ signature: StepSignature, _ programs: StepPrograms, isFrozen: Bool = false) throws -> Step {
    let key = StepKey(signature: signature, isFrozen: isFrozen)
    if let known = steps[key] { return known }
    let step = try bind(try executable(key, programs), signature, held: [:])
    steps[key] = step
    return step
  }

  /// Lets steps look at the model's values again before they run next.
  func valuesMayHaveChanged() {
    for (key, step) in steps where key.isFrozen { step.isStale = true }
  }

  /// A step that gathers its batches from a data set on the device. It belongs to the caller, with the data set.
  /// - Parameter order: the order of the samples on the device, for steps that take many batches.
  func step(
    _ signature: StepSignature, _ programs: StepPrograms, on data: HeldData, order: (any Buffer)?,
    isFrozen: Bool = false
  ) throws -> Step {
    var held = data.buffers
    held[StateName.order] = order
    let key = StepKey(signature: signature, isFrozen: isFrozen)
    return try bind(try executable(key, programs), signature, held: held)
  }

  /// Traces a step once, for the errors that this may give.
  func check(_ signature: StepSignature, _ programs: StepPrograms) throws {
    if checked.contains(signature) { return }
    _ = try programs.program(signature)
    checked.insert(signature)
  }

  /// Copies all tensors that live from step to step, into the memory of an earlier copy where there is one.
  /// - Returns: false, and no copy, where they have more bytes than `limit`.
  func copy(into values: inout [String: NDArray], limit: Int) throws -> Bool {
    guard buffers.values.reduce(0, { $0 + $1.type.byteCount }) <= limit else {
      values = [:]
      return false
    }
    values = values.filter { buffers[$0.key]?.type == $0.value.type }
    for (name, buffer) in buffers {
      guard values[name] != nil else {
        values[name] = try Self.copy(buffer)
        continue
      }
      try values[name]?.withUnsafeMutableBytes { try buffer.read(into: $0) }
    }
    return true
  }

  private func executable(_ key: StepKey, _ programs: StepPrograms) throws -> any Executable {
    if let known = executables[key] { return known }
    let program = try programs.program(key.signature)
    let made =
      key.isFrozen
      ? try backend.compile(program, frozenInputs: programs.values(in: program)) : try backend.compile(program)
    executables[key] = made
    return made
  }

  /// The offset of each worker's part of the batch, and its number of samples.
  private func shareBuffers(_ shares: BatchShares) throws -> [String: any Buffer] {
    let scalar = TensorType(.int32, [])
    let parts = (0..<shares.workers).map { shares[$0] }
    let (offset, count) = (
      try backend.makeStackedBuffer(scalar, workers: shares.workers),
      try backend.makeStackedBuffer(scalar, workers: shares.workers)
    )
    try offset.write(NDArray(parts.map { Int32(truncatingIfNeeded: $0.lowerBound) }))
    try count.write(NDArray(parts.map { Int32(truncatingIfNeeded: $0.count) }))
    return [StateName.shareOffset: offset, StateName.shareCount: count]
  }

  private func bind(
    _ executable: any Executable, _ signature: StepSignature, held: [String: any Buffer]
  ) throws -> Step {
    let names = signature.batchNames
    var held = held
    if signature.workers > 1 {
      held.merge(try shareBuffers(signature.shares)) { first, _ in first }
    }
    var batch: [String: any Buffer] = [:]
    let inputs = try executable.program.inputs.map { input -> any Buffer in
      if let buffer = held[input.name] { return buffer }
      guard names.contains(input.name) else { return try buffer(input.name, input.type) }
      let buffer = try batchBuffer(input, workers: signature.workers)
      batch[input.name] = buffer
      return buffer
    }
    return Step(
      program: executable.program, execution: try executable.bind(inputs), shares: signature.shares,
      features: signature.features.indices.compactMap { batch[StateName.feature($0)] },
      labels: signature.labels.compactMap { batch[StateName.labels($0.output)] },
      weights: signature.weights.compactMap { batch[StateName.weights($0.output)] }, rows: batch[StateName.rows],
      range: batch[StateName.first].flatMap { first in batch[StateName.steps].map { (first, $0) } })
  }

  /// Steps of the same batch shape share the memory for the batch.
  private func batchBuffer(_ input: Program.Input, workers: Int) throws -> any Buffer {
    let key = BatchKey(name: input.name, type: input.type, workers: workers)
    if let known = batchBuffers[key] { return known }
    // The position in the order and the number of steps are the same for all workers.
    let isCommon = workers == 1 || [StateName.first, StateName.steps].contains(input.name)
    let made =
      isCommon ? try backend.makeBuffer(input.type) : try backend.makeStackedBuffer(input.type, workers: workers)
    batchBuffers[key] = made
    return made
  }
}

/// A compiled step with the memory for its batch.
final class Step {
  let program: Program
  let execution: any Execution
  /// How the batch is split among the workers.
  let shares: BatchShares
  /// Whether frozen values may have changed since the step inspected them.
  var isStale = false
  /// For each row of all workers, the index of its sample in the batch; nil if one worker has them all.
  private let samples: [Int]?
  /// Whether it runs many steps at a time.
  var isLoop: Bool { range != nil }
  private let features: [any Buffer]
  private let labels: [any Buffer]
  private let weights: [any Buffer]
  /// The indices of the batch's samples, for a step that gathers them from a data set on the device.
  private let rows: (any Buffer)?
  /// The position in the order and the number of steps, for a program of many steps.
  private let range: (first: any Buffer, steps: any Buffer)?
  private var staging: [Int: NDArray] = [:]
  /// The place in `staging` of the samples' numbers; features, labels and weights have those from 0 on.
  private static let rowsPlace = -1
  /// Where rows are put into the order of the workers.
  private var rowsOfWorkers: [Int] = []

  init(
    program: Program, execution: any Execution, shares: BatchShares, features: [any Buffer], labels: [any Buffer],
    weights: [any Buffer], rows: (any Buffer)?, range: (first: any Buffer, steps: any Buffer)?
  ) {
    self.range = range
    self.program = program
    self.execution = execution
    self.shares = shares
    samples = shares.workers > 1 ? shares.samples : nil
    rowsOfWorkers = samples ?? []
    self.features = features
    self.labels = labels
    self.weights = weights
    self.rows = rows
  }

  /// Looks at the model's values again if they may have changed.
  func refresh() throws {
    if isStale { try execution.refresh() }
    isStale = false
  }

  /// Puts a batch in place.
  func load(_ batch: Batch) throws {
    if samples != nil { return try load(batch, rows: Array(0..<batch.count)[...]) }
    for (array, buffer) in zip(batch.features, features) { try buffer.write(array) }
    for (array, buffer) in zip(batch.targets, labels) { try buffer.write(array) }
    for (array, buffer) in zip(batch.weights, weights) { try buffer.write(array) }
  }

  /// Sets the indices of the batch's samples in the data set on the device.
  func load(rows numbers: ArraySlice<Int>) throws {
    guard let rows else { return }
    let numbers = ordered(numbers)
    func fill(_ bytes: UnsafeMutableRawBufferPointer) {
      for (place, number) in zip(bytes.bindMemory(to: Int32.self).indices, numbers) {
        bytes.storeBytes(of: Int32(truncatingIfNeeded: number), toByteOffset: 4 * place, as: Int32.self)
      }
    }
    if let host = rows as? any HostBuffer {
      fill(host.memory)
      return
    }
    var staged = staging.removeValue(forKey: Self.rowsPlace) ?? NDArray(zeros: rows.type)
    staged.withUnsafeMutableBytes { fill($0) }
    try rows.write(staged)
    staging[Self.rowsPlace] = staged
  }

  /// Sets the position in the sample order and the number of steps.
  func load(first: Int, steps: Int) throws {
    guard let range else { return }
    for (buffer, number) in [(range.first, first), (range.steps, steps)] {
      try withUnsafeBytes(of: Int32(truncatingIfNeeded: number)) { try buffer.write($0) }
    }
  }

  /// Copies rows of arrays into place, directly if the device uses host memory.
  func load(_ arrays: Batch, rows: ArraySlice<Int>) throws {
    let rows = ordered(rows)
    for index in features.indices { try gather(arrays.features[index], rows, into: features[index], place: index) }
    var place = features.count
    for index in labels.indices {
      try gather(arrays.targets[index], rows, into: labels[index], place: place)
      place += 1
    }
    for index in weights.indices {
      try gather(arrays.weights[index], rows, into: weights[index], place: place)
      place += 1
    }
  }

  /// The rows of the batch's samples in the order of the workers.
  private func ordered(_ rows: ArraySlice<Int>) -> ArraySlice<Int> {
    guard let samples else { return rows }
    for (place, sample) in samples.enumerated() { rowsOfWorkers[place] = rows[rows.startIndex + sample] }
    return rowsOfWorkers[...]
  }

  /// The results of a prediction step, one row for each sample of the batch.
  func predictions() throws -> [NDArray] { try execution.outputs.map { inOrder(try $0.read()) } }

  /// An output of all workers without the rows that only fill up.
  private func inOrder(_ output: NDArray) -> NDArray {
    guard samples != nil, shares.isPadded else { return output }
    let rows = (0..<shares.workers).flatMap { worker in (0..<shares[worker].count).map { worker * shares.rows + $0 } }
    var result = NDArray(zeros: output.type.with([rows.count] + output.shape.dropFirst()))
    result.withUnsafeMutableBytes { gatherRows(of: output, rows[...], into: $0) }
    return result
  }

  private func gather(_ array: NDArray, _ rows: ArraySlice<Int>, into buffer: any Buffer, place: Int) throws {
    if let host = buffer as? any HostBuffer {
      gatherRows(of: array, rows, into: host.memory)
      return
    }
    var staged = staging.removeValue(forKey: place) ?? NDArray(zeros: buffer.type)
    staged.withUnsafeMutableBytes { gatherRows(of: array, rows, into: $0) }
    try buffer.write(staged)
    staging[place] = staged
  }
}

/// A data set on the device.
struct HeldData {
  /// By the names of the steps' inputs.
  let buffers: [String: any Buffer]

  /// Copies arrays to the device; nil if it prefers to receive batches.
  init?(_ arrays: Batch, on backend: any Backend) throws {
    // Row numbers are 32-bit integers.
    guard arrays.count <= Int(Int32.max) else { return nil }
    var named = arrays.features.enumerated().map { (StateName.feature($0.offset), $0.element) }
    func name(_ arrays: NamedArrays, _ index: Int) -> String? { arrays.names.isEmpty ? nil : arrays.names[index] }
    named += arrays.targets.enumerated().map { (StateName.labels(name(arrays.targets, $0.offset)), $0.element) }
    named += arrays.weights.enumerated().map { (StateName.weights(name(arrays.weights, $0.offset)), $0.element) }
    var buffers: [String: any Buffer] = [:]
    for (name, array) in named {
      guard let buffer = try backend.hold(array) else { return nil }
      buffers[name] = buffer
    }
    self.buffers = buffers
  }
}
