// Data-parallel training on processors. Every batch is split into parts, and sums over the batch are added part by part
// along a tree. Parts and tree follow from the size of the batch alone, never from the worker that computes them: so
// any number of threads and processes produces the same bits, and so does one worker that computes the parts one after
// the other (gradient accumulation).

import AccelerandoCore
import Foundation

/// Threads and processes that share every batch.
public struct SharedBackend: Backend {
  /// Runs the common pieces, and owns the memory.
  public let common: any Backend
  /// Runs one part at a time, on several threads at once.
  public let local: any Backend
  /// The threads of this process that compute parts.
  public let team: any ThreadTeam
  /// The processes.
  public let group: any WorkerGroup
  /// The least size of the buckets in which processes exchange sums, in bytes.
  public let bucketBytes: Int
  /// The most parts of a batch. Each costs the memory of a set of gradients.
  public static let mostParts = 16
  /// Parts with fewer samples take the statistics of a batch normalization from the whole batch.
  static let leastSamples = 8

  /// Makes a backend.
  /// - Parameters:
  ///   - common: runs the common pieces; its memory must be the host's.
  ///   - local: runs parts; uses the memory of `common`, and may be used by several threads at once.
  ///   - team: the threads of this process that compute parts.
  ///   - group: the processes.
  ///   - bucketBytes: the least size of the buckets that are sent to other processes while the rest is computed. Results
  ///     do not depend on it.
  public init(
    common: any Backend, local: any Backend, team: any ThreadTeam, group: any WorkerGroup = SoleWorker(),
    bucketBytes: Int = 1 << 20
  ) {
    self.common = common
    self.local = local
    self.team = team
    self.group = group
    self.bucketBytes = max(bucketBytes, 1)
  }

  public var name: String { common.name }

  /// The parts that a batch is divided into: a power of two, with 8 samples or more in each but where there would be
  /// fewer than 4.
  public func workerCount(forBatchOf samples: Int) -> Int { Self.parts(of: samples) }

  /// The number of parts of a batch of this many samples.
  static func parts(of samples: Int) -> Int {
    var parts = 1
    while parts < mostParts, parts * 2 <= samples, parts < 4 || parts * 16 <= samples { parts *= 2 }
    return parts
  }

  public func makeBuffer(_ type: TensorType) throws -> any Buffer { try common.makeBuffer(type) }

  public func makeStackedBuffer(_ type: TensorType, workers parts: Int) throws -> any Buffer {
    StackedBuffer(type, try (0..<parts).map { _ in try common.makeBuffer(type) })
  }

  /// Memory of the host's for a tensor.
  func hostBuffer(_ type: TensorType) throws -> any HostBuffer { try host(try makeBuffer(type)) }

  /// A buffer as one of the host's.
  func host(_ buffer: any Buffer) throws -> any HostBuffer {
    guard let buffer = buffer as? any HostBuffer else {
      throw GraphError("workers can share a batch only where the memory is the host's.")
    }
    return buffer
  }

  public func accepts(_ buffer: any Buffer) -> Bool { common.accepts(buffer) }

  public func hold(_ array: NDArray) throws -> (any Buffer)? { try common.hold(array) }

  public func upload(_ array: NDArray) throws -> any Buffer { try common.upload(array) }

  public func compile(_ program: Program) throws -> any Executable { SharedExecutable(program: program, backend: self) }

  public func compile(_ program: Program, frozenInputs: Set<Int>) throws -> any Executable {
    try common.compile(program, frozenInputs: frozenInputs)
  }
}

/// A tensor with a separate buffer for each part.
final class StackedBuffer: Buffer {
  let type: TensorType
  /// The type of a part.
  let partType: TensorType
  let parts: [any Buffer]

  init(_ partType: TensorType, _ parts: [any Buffer]) {
    self.partType = partType
    self.parts = parts
    let rest = partType.shape.dropFirst()
    type = partType.with([parts.count * (partType.shape.first ?? 1)] + rest)
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    guard bytes.count == type.byteCount else {
      throw GraphError("the buffer holds \(type), \(type.byteCount) bytes; received \(bytes.count).")
    }
    for (number, part) in parts.enumerated() {
      let size = partType.byteCount
      try part.write(UnsafeRawBufferPointer(rebasing: bytes[number * size..<(number + 1) * size]))
    }
  }

  func read(into bytes: UnsafeMutableRawBufferPointer) throws {
    guard bytes.count == type.byteCount else {
      throw GraphError("the buffer holds \(type), \(type.byteCount) bytes; there is room for \(bytes.count).")
    }
    for (number, part) in parts.enumerated() {
      let size = partType.byteCount
      try part.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[number * size..<(number + 1) * size]))
    }
  }
}

/// A program of many workers. Binding buffers shows which inputs differ between parts, and the program is cut then.
struct SharedExecutable: Executable {
  let program: Program
  let backend: SharedBackend

  func bind(_ inputs: [any Buffer]) throws -> any Execution {
    guard inputs.count == program.inputs.count else {
      throw GraphError("the program has \(program.inputs.count) inputs; received \(inputs.count).")
    }
    let counts = Set(inputs.compactMap { ($0 as? StackedBuffer)?.parts.count })
    guard let parts = counts.first else { return try backend.common.compile(program).bind(inputs) }
    guard counts.count == 1 else { throw GraphError("a program's inputs are divided into \(counts) parts.") }
    for (input, buffer) in zip(program.inputs, inputs) {
      let type = (buffer as? StackedBuffer)?.partType ?? buffer.type
      guard type == input.type else {
        throw GraphError("input '\(input.name)' is \(input.type); received a buffer of \(type).")
      }
    }
    return try SharedExecution(program, inputs, parts: parts, on: backend)
  }
}
