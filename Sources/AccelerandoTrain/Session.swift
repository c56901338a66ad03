// Where a model lives while it is used: its memory on the device, and the compiled steps that work on it. All steps are
// tied to the same buffers, so that training, validation and prediction see the same weights and nothing is copied.

import AccelerandoCore
import AccelerandoNN

/// The memory of a model on a device and the programs that are tied to it.
final class Session {
  let backend: any Backend
  private(set) var buffers: [String: any Buffer] = [:]
  private var batchBuffers: [BatchKey: any Buffer] = [:]
  private var steps: [StepSignature: Step] = [:]

  private struct BatchKey: Hashable {
    let name: String
    let type: TensorType
  }

  init(backend: any Backend) { self.backend = backend }

  /// A tensor that lives from step to step; made, holding zeros, if it is not there.
  func buffer(_ name: String, _ type: TensorType) throws -> any Buffer {
    if let known = buffers[name], known.type == type { return known }
    let made = try backend.makeBuffer(type)
    buffers[name] = made
    return made
  }

  /// Sets a tensor that lives from step to step.
  func set(_ name: String, _ value: NDArray) throws { try buffer(name, value.type).write(value) }

  /// Reads a tensor that lives from step to step; nil if there is none of the name.
  func value(_ name: String) throws -> NDArray? { try buffers[name]?.read() }

  /// Reads a `float32` scalar without allocating, where the device allows.
  func scalar(_ name: String) throws -> Float {
    guard let buffer = buffers[name] else { return 0 }
    if let host = buffer as? any HostBuffer { return host.memory.load(as: Float.self) }
    var value: Float = 0
    try withUnsafeMutableBytes(of: &value) { try buffer.read(into: $0) }
    return value
  }

  /// Sets the running totals of a kind of step to zero.
  func resetTotals(_ kind: StepKind) throws {
    let zero = NDArray(scalar: Float(0))
    for (name, buffer) in buffers where name.hasPrefix(kind.totals + "/") { try buffer.write(zero) }
  }

  /// Forgets the programs, and the tensors whose names begin with one of the prefixes.
  func forget(prefixes: [String]) {
    steps = [:]
    buffers = buffers.filter { entry in !prefixes.contains { entry.key.hasPrefix($0) } }
  }

  /// The step for a signature: compiled and tied to the buffers at first use.
  func step(_ signature: StepSignature, _ programs: StepPrograms) throws -> Step {
    if let known = steps[signature] { return known }
    let program = try programs.program(signature)
    var features: [any Buffer] = []
    var labels: (any Buffer)?
    var weights: (any Buffer)?
    let inputs = try program.inputs.map { input -> any Buffer in
      if input.name == StateName.labels {
        let buffer = try batchBuffer(input)
        labels = buffer
        return buffer
      }
      if input.name == StateName.weights {
        let buffer = try batchBuffer(input)
        weights = buffer
        return buffer
      }
      if features.count < signature.features.count, input.name == StateName.feature(features.count) {
        features.append(try batchBuffer(input))
        return features[features.count - 1]
      }
      return try buffer(input.name, input.type)
    }
    let execution = try backend.compile(program).bind(inputs)
    let step = Step(
      program: program, execution: execution, count: signature.count, features: features, labels: labels,
      weights: weights)
    steps[signature] = step
    return step
  }

  /// Steps of the same batch shape share the memory that the batch is put in.
  private func batchBuffer(_ input: Program.Input) throws -> any Buffer {
    let key = BatchKey(name: input.name, type: input.type)
    if let known = batchBuffers[key] { return known }
    let made = try backend.makeBuffer(input.type)
    batchBuffers[key] = made
    return made
  }
}

/// A compiled step with the memory that its batch goes into.
final class Step {
  let program: Program
  let execution: any Execution
  let count: Int
  private let features: [any Buffer]
  private let labels: (any Buffer)?
  private let weights: (any Buffer)?
  private var staging: [Int: NDArray] = [:]

  init(
    program: Program, execution: any Execution, count: Int, features: [any Buffer], labels: (any Buffer)?,
    weights: (any Buffer)?
  ) {
    self.program = program
    self.execution = execution
    self.count = count
    self.features = features
    self.labels = labels
    self.weights = weights
  }

  /// Puts a batch in place.
  func load(_ batch: Batch) throws {
    for (array, buffer) in zip(batch.features, features) { try buffer.write(array) }
    if let labels, let array = batch.labels { try labels.write(array) }
    if let weights, let array = batch.sampleWeights { try weights.write(array) }
  }

  /// Puts rows of arrays in place, without anything in between where the device's memory is the host's.
  func load(_ arrays: Batch, rows: ArraySlice<Int>) throws {
    for index in features.indices { try gather(arrays.features[index], rows, into: features[index], place: index) }
    if let labels, let array = arrays.labels { try gather(array, rows, into: labels, place: -1) }
    if let weights, let array = arrays.sampleWeights { try gather(array, rows, into: weights, place: -2) }
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
