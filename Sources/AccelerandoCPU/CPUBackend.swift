// The engine for the machine's processor.

import AccelerandoCore
import CKernels
import Foundation

/// Runs programs on the CPU, on all cores. Results do not depend on the number of threads that share the work.
public struct CPUBackend: Backend {
  /// The number of threads that share a program's work.
  public let threads: Int
  /// The set of microkernels in use.
  public let instructionSet: InstructionSet
  private let pool: ThreadPool
  private let sharing: Sharing

  /// How threads share a program's work.
  public enum Sharing: Hashable, Sendable {
    /// All threads share it, unless measurements show that this is not faster, as on a machine that other programs use.
    case adaptive
    /// All threads always share it: for callers that have other work for the team too.
    case always
    /// One thread does all of it, and takes more samples at a time. Sums are added in another order.
    case never
  }

  public var name: String { "cpu" }

  /// The engine's threads.
  public var team: any ThreadTeam { pool }

  /// Makes an engine.
  /// - Parameters:
  ///   - threads: the number of threads that share a program's work; nil for one per core.
  ///   - instructionSet: the set of microkernels; nil for the fastest that the processor supports.
  ///   - sharing: how they share it; one thread if `never`.
  public init(threads: Int? = nil, instructionSet: InstructionSet? = nil, sharing: Sharing = .adaptive) {
    self.sharing = sharing
    pool = ThreadPool.shared(threads: sharing == .never ? 1 : threads)
    self.threads = pool.threads
    self.instructionSet = instructionSet ?? .best
  }

  public func makeBuffer(_ type: TensorType) throws -> any Buffer { try CPUBuffer(type) }

  public func accepts(_ buffer: any Buffer) -> Bool { buffer is CPUBuffer }

  public func hold(_ array: NDArray) throws -> (any Buffer)? { CPUBuffer(holding: array) }

  public func compile(_ program: Program) throws -> any Executable {
    try compile(program, frozenInputs: [])
  }

  public func compile(_ program: Program, frozenInputs: Set<Int>) throws -> any Executable {
    CPUExecutable(
      program: program, plan: try plan(program, frozenInputs: frozenInputs), pool: pool, isSteady: sharing == .always,
      hasFrozenInputs: !frozenInputs.isEmpty)
  }

  func plan(_ program: Program, frozenInputs: Set<Int> = []) throws -> Plan {
    let plan = try Lowering.plan(program, isa: instructionSet, frozenInputs: frozenInputs, isShared: sharing != .never)
    let memory = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    guard plan.arenaBytes < memory else {
      throw GraphError(
        "the program needs \(plan.arenaBytes >> 20) MiB for intermediate values; this machine has \(memory >> 20) MiB. "
          + "A smaller batch needs less.")
    }
    return plan
  }
}

/// A tensor in the machine's memory. Unchecked because a pointer is not Sendable by itself: as for every buffer, the
/// caller must not read and write one buffer at the same time.
final class CPUBuffer: HostBuffer, @unchecked Sendable {
  let type: TensorType
  let memory: UnsafeMutableRawBufferPointer

  init(_ type: TensorType) throws(GraphError) {
    guard type.byteCount < 1 << 46 else {
      throw GraphError("\(type) needs \(type.byteCount) bytes, more than any machine has.")
    }
    guard let pages = Pages(type.byteCount) else {
      throw GraphError(
        "there is no memory for a buffer \(type), \(type.byteCount >> 20) MiB. A smaller batch needs less.")
    }
    self.type = type
    memory = pages.bytes
    owner = .pages(pages)
  }

  /// An array's own memory, read-only.
  init(holding array: NDArray) {
    type = array.type
    owner = .array(array)
    // Other holders of the array copy it before changing it, as long as it is held here.
    memory = array.withUnsafeBytes { UnsafeMutableRawBufferPointer(mutating: $0) }
  }

  private init(_ type: TensorType, _ memory: UnsafeMutableRawBufferPointer, of whole: CPUBuffer) {
    self.type = type
    self.memory = memory
    owner = .whole(whole)
  }

  /// The owner of the memory.
  private enum Owner {
    case pages(Pages)
    case array(NDArray)
    case whole(CPUBuffer)
  }

  private let owner: Owner

  func part(_ type: TensorType, at offset: Int) throws -> any HostBuffer {
    guard offset >= 0, offset % 64 == 0, offset <= memory.count, type.byteCount <= memory.count - offset else {
      throw GraphError("\(type) at byte \(offset) is no part of a buffer of \(memory.count) bytes.")
    }
    return CPUBuffer(
      type, UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + type.byteCount]), of: self)
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    if case .array = owner { throw GraphError("a buffer that holds an array is for reading only.") }
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
