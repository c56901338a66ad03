// The door to devices. A backend gets a program and runs it; it never hears of layers, optimizers or epochs.

/// A device, or an engine for one, that compiles and runs programs.
public protocol Backend: Sendable {
  /// A name for people: `cpu`, `cuda:0`.
  var name: String { get }

  /// Whether a run comes back before the work is done, so that the host can prepare the next one meanwhile.
  var runsAhead: Bool { get }

  /// Whether a program that is run again and again is faster as the body of a loop on the device.
  func prefersLoop(of step: Program) -> Bool

  /// The workers that share a batch of so many samples: each runs every program on its part, and they meet in `AllReduce`.
  /// Buffers hold the same for each of them, but for those of `makeStackedBuffer(_:workers:)`.
  func workerCount(forBatchOf samples: Int) -> Int

  /// Makes memory of a type for each worker, for a tensor that differs between them. The buffer's own type has the workers'
  /// parts one after the other along the first axis; scalars become a vector.
  /// - Throws: when the memory is not to be had.
  func makeStackedBuffer(_ type: TensorType, workers: Int) throws -> any Buffer

  /// Makes memory on the device for a tensor; its contents are zeros.
  /// - Throws: when the memory is not to be had.
  func makeBuffer(_ type: TensorType) throws -> any Buffer

  /// A buffer that holds an array for reading only, without a copy where the device reads the host's memory. Data sets
  /// are put on devices this way, for steps to take their batches from.
  /// - Returns: nil when the device would rather be given one batch after the other.
  /// - Throws: when the memory is not to be had.
  func hold(_ array: NDArray) throws -> (any Buffer)?

  /// Makes a buffer that holds the array.
  func upload(_ array: NDArray) throws -> any Buffer

  /// Makes a program ready to run.
  /// - Throws: when the program uses something that the device cannot do, said with the operation's path.
  func compile(_ program: Program) throws -> any Executable

  /// Makes a program ready to run whose inputs `frozenInputs` (by number) keep the values that their buffers have when the
  /// program is bound: the weights of a model in use. What depends on them alone may be computed once.
  /// - Throws: as `compile(_:)`.
  func compile(_ program: Program, frozenInputs: Set<Int>) throws -> any Executable
}

extension Backend {
  /// One device works alone.
  public func workerCount(forBatchOf samples: Int) -> Int { 1 }

  /// Where one device works alone, the buffer of a type.
  public func makeStackedBuffer(_ type: TensorType, workers: Int) throws -> any Buffer {
    try makeBuffer(type.shape.isEmpty ? type.with([1]) : type)
  }

  /// Runs are done when they come back.
  public var runsAhead: Bool { false }

  /// A call costs nothing worth saving.
  public func prefersLoop(of step: Program) -> Bool { false }

  /// Holds nothing.
  public func hold(_ array: NDArray) throws -> (any Buffer)? { nil }

  /// Makes nothing of the promise.
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

/// A buffer in the host's own memory, which may be read and written directly while no run uses it.
public protocol HostBuffer: Buffer {
  /// The tensor's bytes.
  var memory: UnsafeMutableRawBufferPointer { get }
  /// A buffer that is a part of this one's memory.
  /// - Parameter offset: the byte that it begins at, a multiple of 64.
  /// - Throws: `GraphError` when it does not lie in this buffer.
  func part(_ type: TensorType, at offset: Int) throws -> any HostBuffer
}

/// A program that is ready to run on a device. Several executions of it may exist at a time.
public protocol Executable: Sendable {
  /// The program, as it was given.
  var program: Program { get }

  /// For each output, the stage of a run that completes it. Stages are numbered from 0 in the order in which they end.
  var outputStages: [Int] { get }

  /// Ties the program to the memory that it reads: one buffer for each input. An output that the program aliases to
  /// an input is written into that input's buffer; the others get buffers of their own.
  /// - Throws: when a buffer has another type than its input, or is another backend's.
  func bind(_ inputs: [any Buffer]) throws -> any Execution

  /// As `bind(_:)`, with the memory for intermediate values of another execution of the same executable; the two are never
  /// run at the same time.
  func bind(_ inputs: [any Buffer], besides other: any Execution) throws -> any Execution
}

extension Executable {
  /// All outputs are complete at the end.
  public var outputStages: [Int] { program.outputs.map { _ in 0 } }

  /// Takes memory of its own.
  public func bind(_ inputs: [any Buffer], besides other: any Execution) throws -> any Execution { try bind(inputs) }
}

/// A program tied to buffers: running it allocates nothing on the host. Not for use by two threads at once.
public protocol Execution: AnyObject {
  /// The buffers that the outputs are written to, one for each output.
  var outputs: [any Buffer] { get }
  /// Runs the program once; what is far away may still be at work when the call comes back.
  func run() throws
  /// Runs the program once and says whenever a stage, and with it all before, has ended; so that others can take outputs
  /// while later ones are still computed. `Executable.outputStages` says which.
  func run(afterStage: (Int) -> Void) throws
  /// Waits until the runs are done.
  func finish() throws
  /// Looks at the frozen inputs again, after their buffers have been written.
  func refresh() throws
  /// The operations whose frozen operands have so many zeros that these are left out, since that is quicker.
  var sparseOperations: [SparseOperation] { get }
}

/// An operation of a bound program that leaves out the zeros of a frozen operand.
public struct SparseOperation: Hashable, Sendable {
  /// The layers that it belongs to.
  public let path: [String]
  /// The part of the operand that is not zero.
  public let density: Double
  /// How the zeros are left out, in words.
  public let form: String

  public init(path: [String], density: Double, form: String) {
    self.path = path
    self.density = density
    self.form = form
  }
}

extension Execution {
  /// Runs are done when they come back.
  public func finish() throws {}

  /// The run is one stage.
  public func run(afterStage: (Int) -> Void) throws {
    try run()
    try finish()
    afterStage(0)
  }

  /// Nothing was made of the frozen inputs.
  public func refresh() throws {}

  /// Zeros are treated like other numbers.
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
