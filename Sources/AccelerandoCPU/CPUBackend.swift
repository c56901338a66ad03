// The engine for the machine's own processor.

import AccelerandoCore
import CKernels

/// Runs programs on the CPU, on all cores. Results do not depend on the number of threads.
public struct CPUBackend: Backend {
  /// The number of threads that work on one program.
  public let threads: Int
  /// The microkernels in use.
  public let instructionSet: InstructionSet
  private let pool: ThreadPool

  public var name: String { "cpu" }

  /// Makes an engine.
  /// - Parameters:
  ///   - threads: how many threads work on one program; nil for one per core.
  ///   - instructionSet: which microkernels run; nil for the fastest that the processor has.
  public init(threads: Int? = nil, instructionSet: InstructionSet? = nil) {
    pool = ThreadPool.shared(threads: threads)
    self.threads = pool.threads
    self.instructionSet = instructionSet ?? .best
  }

  public func makeBuffer(_ type: TensorType) throws -> any Buffer { try CPUBuffer(type) }

  public func compile(_ program: Program) throws -> any Executable {
    CPUExecutable(program: program, plan: try plan(program), pool: pool)
  }

  /// The steps that a program is run by, for people to read.
  public func explain(_ program: Program) throws -> String { try plan(program).description }

  func plan(_ program: Program) throws -> Plan { try Lowering.plan(program, isa: instructionSet) }
}

/// A tensor in the machine's memory. Unchecked because a pointer is not Sendable by itself: as for every buffer, the
/// caller keeps reads and writes of one buffer apart in time.
final class CPUBuffer: HostBuffer, @unchecked Sendable {
  let type: TensorType
  let memory: UnsafeMutableRawBufferPointer

  init(_ type: TensorType) throws(GraphError) {
    guard type.byteCount < 1 << 46 else {
      throw GraphError("\(type) needs \(type.byteCount) bytes, more than any machine has.")
    }
    self.type = type
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(type.byteCount, 64), alignment: 64)
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    memory = UnsafeMutableRawBufferPointer(rebasing: bytes[0..<type.byteCount])
    start = bytes
  }

  private let start: UnsafeMutableRawBufferPointer

  deinit { start.deallocate() }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    guard bytes.count == memory.count else {
      throw GraphError("the buffer holds \(type), \(memory.count) bytes; received \(bytes.count).")
    }
    memory.copyMemory(from: bytes)
  }

  func read(into bytes: UnsafeMutableRawBufferPointer) throws {
    guard bytes.count == memory.count else {
      throw GraphError("the buffer holds \(type), \(memory.count) bytes; there is room for \(bytes.count).")
    }
    bytes.copyMemory(from: UnsafeRawBufferPointer(memory))
  }
}
