// The interface to devices. A backend compiles and runs programs; it knows nothing of layers, optimizers or epochs.

/// A device, or an engine for one, that compiles and runs programs.
public protocol Backend: Sendable {
  /// The name to show: `cpu`, `cuda:0`.
  var name: String { get }

  /// Whether `run()` returns before the work is done, so that the host can prepare the next run meanwhile.
  var runsAhead: Bool { get }

  /// Whether a program that is run repeatedly is faster as the body of a loop on the device.
  func prefersLoop(of step: Program) -> Bool

  /// The number of workers that share a batch of this many samples: each runs every program on its part, and
  /// `AllReduce` combines their values. Buffers hold the same values on each worker, except those of
  /// `makeStackedBuffer(_:workers:)`.
  func workerCount(forBatchOf samples: Int) -> Int

  /// Allocates memory of a type on each worker, for a tensor that differs between workers. The buffer's own type has
  /// the workers' parts one after the other along the first axis; scalars become a vector.
  /// - Throws: when the memory cannot be allocated.
  func makeStackedBuffer(_ type: TensorType, workers: Int) throws -> any Buffer

  /// Allocates memory on the device for a tensor, filled with zeros.
  /// - Throws: when the memory cannot be allocated.
  func makeBuffer(_ type: TensorType) throws -> any Buffer

  /// A read-only buffer with an array's contents, without a copy where the device reads host memory. Data sets are kept
  /// on devices this way, so that steps can gather their batches from them.
  /// - Returns: nil when the device prefers to receive one batch after the other.
  /// - Throws: when the memory cannot be allocated.
  func hold(_ array: NDArray) throws -> (any Buffer)?

  /// Whether programs of this backend can use a buffer that another one made: the memory is the same device's.
  func accepts(_ buffer: any Buffer) -> Bool

  /// Makes a buffer with the array's contents.
  func upload(_ array: NDArray) throws -> any Buffer

  /// Compiles a program.
  /// - Throws: when the program uses something that the device does not support; the error has the operation's path.
  func compile(_ program: Program) throws -> any Executable

  /// Compiles a program whose inputs `frozenInputs` (by index) keep the values that their buffers have when the program
  /// is bound, such as the weights of a model in use. Whatever depends on them alone may be computed once.
  /// - Throws: as `compile(_:)`.
  func compile(_ program: Program, frozenInputs: Set<Int>) throws -> any Executable
}

extension Backend {
  /// Default: one device works alone.
  public func workerCount(forBatchOf samples: Int) -> Int { 1 }

  /// Default, for one device: a buffer of the type.
  public func makeStackedBuffer(_ type: TensorType, workers: Int) throws -> any Buffer {
    try makeBuffer(type.shape.isEmpty ? type.with([1]) : type)
  }

  /// Default: false; runs are done when `run()` returns.
  public var runsAhead: Bool { false }

  /// Default: false; calls are cheap.
  public func prefersLoop(of step: Program) -> Bool { false }

  /// Default: false; only its own buffers.
  public func accepts(_ buffer: any Buffer) -> Bool { false }

  /// Default: nil; holds nothing.
  public func hold(_ array: NDArray) throws -> (any Buffer)? { nil }

  /// Default: ignores `frozenInputs`.
  public func compile(_ program: Program, frozenInputs: Set<Int>) throws -> any Executable { try compile(program) }
}

/// Memory on a device that holds one tensor.
public protocol Buffer: AnyObject, Sendable {
  /// The tensor's type.
  var type: TensorType { get }
  /// Copies a tensor's bytes from the host; waits for runs that still use the buffer.
  func write(_ bytes: UnsafeRawBufferPointer) throws
  /// Copies the tensor's bytes to the host; waits for runs that still write to it.
  func read(into bytes: UnsafeMutableRawBufferPointer) throws
}

/// A buffer in host memory, which may be read and written directly while no run uses it.
public protocol HostBuffer: Buffer {
  /// The tensor's bytes.
  var memory: UnsafeMutableRawBufferPointer { get }
  /// A buffer that is a part of this one's memory.
  /// - Parameters:
  ///   - type: the type of the part's tensor.
  ///   - offset: the byte at which it begins, a multiple of 64.
  /// - Throws: `GraphError` when the part does not lie within this buffer.
  func part(_ type: TensorType, at offset: Int) throws -> any HostBuffer
}

/// A compiled program. Several executions of it may exist at a time.
public protocol Executable: Sendable {
  /// The program that was compiled.
  var program: Program { get }

  /// For each output, the stage of a run that completes it. Stages are numbered from 0 in the order in which they end.
  var outputStages: [Int] { get }

  /// Binds the program to buffers, one for each input. An output that the program aliases to an input is written into
  /// that input's buffer; the others get new buffers.
  /// - Throws: when a buffer has another type than its input, or belongs to another backend.
  func bind(_ inputs: [any Buffer]) throws -> any Execution

  /// As `bind(_:)`, sharing the memory for intermediate values with another execution of the same executable; the two
  /// must never run at the same time.
  func bind(_ inputs: [any Buffer], besides other: any Execution) throws -> any Execution
}

extension Executable {
  /// Default: all outputs are complete at the end.
  public var outputStages: [Int] { program.outputs.map { _ in 0 } }

  /// Default: uses its own memory.
  public func bind(_ inputs: [any Buffer], besides other: any Execution) throws -> any Execution { try bind(inputs) }
}

/// A program bound to buffers. Running it allocates nothing on the host. Not for use by two threads at once.
public protocol Execution: AnyObject {
  /// The buffers that the outputs are written to, one for each output.
  var outputs: [any Buffer] { get }
  /// Runs the program once. On an asynchronous device the work may still be in progress when the call returns.
  func run() throws
  /// Runs the program once and reports the end of each stage, and with it of all earlier ones, so that outputs can be
  /// used while later ones are still being computed. `Executable.outputStages` says which.
  func run(afterStage: (Int) -> Void) throws
  /// Waits until all runs are done.
  func finish() throws
  /// Inspects the frozen inputs again, after their buffers have been written.
  func refresh() throws
  /// The operations whose frozen operands have so many zeros that skipping them is faster.
  var sparseOperations: [SparseOperation] { get }
}

/// An operation of a bound program that skips the zeros of a frozen operand.
public struct SparseOperation: Hashable, Sendable {
  /// The layers that it belongs to.
  public let path: [String]
  /// The proportion of nonzero elements of the operand.
  public let density: Double
  /// How the zeros are skipped, in words.
  public let form: String

  public init(path: [String], density: Double, form: String) {
    self.path = path
    self.density = density
    self.form = form
  }
}

extension Execution {
  /// Default: runs are done when `run()` returns.
  public func finish() throws {}

  /// Default: the run is one stage.
  public func run(afterStage: (Int) -> Void) throws {
    try run()
    try finish()
    afterStage(0)
  }

  /// Default: frozen inputs are not used, so there is nothing to update.
  public func refresh() throws {}

  /// Default: zeros are treated like other numbers.
  public var sparseOperations: [SparseOperation] { [] }
}

extension Buffer {
  /// Copies an array to the device.
  /// - Throws: `GraphError` when the array has another type than the buffer.
  public func write(_ array: NDArray) throws {
    guard array.type == type else {
      throw GraphError("the buffer holds \(type); received \(array.type).")
    }
    try array.withUnsafeBytes { try write($0) }
  }

  /// Copies the tensor to the host.
  public func read() throws -> NDArray {
    var array = NDArray(zeros: type)
    try array.withUnsafeMutableBytes { try read(into: $0) }
    return array
  }
}

extension Backend {
  /// Makes a buffer and writes the array to it.
  public func upload(_ array: NDArray) throws -> any Buffer {
    let buffer = try makeBuffer(array.type)
    try buffer.write(array)
    return buffer
  }

  /// Compiles and runs a program once. For repeated runs, compile and bind once instead.
  public func evaluate(_ program: Program, _ inputs: [NDArray]) throws -> [NDArray] {
    guard inputs.count == program.inputs.count else {
      throw GraphError("the program has \(program.inputs.count) inputs; received \(inputs.count).")
    }
    let execution = try compile(program).bind(inputs.map { try upload($0) })
    try execution.run()
    return try execution.outputs.map { try $0.read() }
  }
}
