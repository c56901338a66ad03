// The oracle behind every numeric test: a backend of plain loops, slow and obviously right. It knows StableHLO's
// semantics and nothing about speed; every fast backend is held against it.

import AccelerandoCore
import Synchronization

/// A backend that computes every operation by its definition, in Double or 64-bit integers.
public struct ReferenceBackend: Backend {
  /// Whether floating-point values are rounded to their type after every operation.
  public let rounds: Bool

  public var name: String { "reference" }

  /// Makes the backend.
  /// - Parameter exact: keeps the values of narrow floating-point types in Double throughout the program, so that the
  ///   result shows what the program would give without rounding.
  public init(exact: Bool = false) { rounds = !exact }

  public func makeBuffer(_ type: TensorType) throws -> any Buffer { ReferenceBuffer(type) }

  public func compile(_ program: Program) throws -> any Executable {
    ReferenceExecutable(program: program, interpreter: ReferenceInterpreter(rounds: rounds))
  }
}

private final class ReferenceBuffer: Buffer {
  let type: TensorType
  private let contents: Mutex<NDArray>

  init(_ type: TensorType) {
    self.type = type
    contents = Mutex(NDArray(zeros: type))
  }

  var array: NDArray {
    get { contents.withLock { $0 } }
    set { contents.withLock { $0 = newValue } }
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws { array = try NDArray(bytes: bytes, type: type) }

  func read(into bytes: UnsafeMutableRawBufferPointer) throws {
    guard bytes.count == type.byteCount else {
      throw GraphError("the buffer holds \(type), \(type.byteCount) bytes; received room for \(bytes.count).")
    }
    array.withUnsafeBytes { bytes.copyMemory(from: $0) }
  }
}

private struct ReferenceExecutable: Executable {
  let program: Program
  let interpreter: ReferenceInterpreter

  func bind(_ inputs: [any Buffer]) throws -> any Execution {
    guard inputs.count == program.inputs.count else {
      throw GraphError("the program has \(program.inputs.count) inputs; received \(inputs.count) buffers.")
    }
    let buffers = try zip(inputs, program.inputs).map { buffer, input in
      guard let own = buffer as? ReferenceBuffer, own.type == input.type else {
        throw GraphError("input '\(input.name)' needs a reference buffer of \(input.type); received \(buffer.type).")
      }
      return own
    }
    return ReferenceExecution(self, buffers)
  }
}

private final class ReferenceExecution: Execution {
  private let executable: ReferenceExecutable
  private let inputs: [ReferenceBuffer]
  private let results: [ReferenceBuffer]

  var outputs: [any Buffer] { results }

  init(_ executable: ReferenceExecutable, _ inputs: [ReferenceBuffer]) {
    self.executable = executable
    self.inputs = inputs
    let program = executable.program
    results = program.outputs.enumerated().map { position, value in
      program.aliases[position].map { inputs[$0] } ?? ReferenceBuffer(program.types[value])
    }
  }

  func run() throws {
    // All outputs are computed before the first is written: an alias must not change what another output reads.
    let values = try executable.interpreter.run(executable.program, inputs.map { ReferenceArray($0.array) })
    let arrays = try values.map { try $0.array() }
    for (buffer, array) in zip(results, arrays) { buffer.array = array }
  }
}
