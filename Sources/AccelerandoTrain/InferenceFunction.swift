// The lowest latency from a sample to a prediction: a model's forward pass, compiled for one batch size, with its own
// memory for inputs and output. A call copies the inputs, runs one program and allocates nothing.

import AccelerandoCore
import AccelerandoNN

/// A trained model as a function, for serving.
///
///     let classify = try model.inferenceFunction()
///     let probabilities = try classify(image)            // [1, 28, 28, 1] → [1, 10]
///
/// It returns the same as `predict`, up to the order of sums. It holds the values that the model had when it was made;
/// further training does not change it. Each function is for one thread at a time; `copy()` makes another that shares
/// the values.
public final class InferenceFunction {
  /// The types of the inputs, batch axis included.
  public let inputTypes: [TensorType]
  /// The names of the outputs.
  public let outputNames: [String]
  /// The types of the outputs.
  public let outputTypes: [TensorType]
  /// The type of the output; of the first, where there are several.
  public var outputType: TensorType { outputTypes[0] }
  /// The names of the inputs.
  public let inputNames: [String]
  private let compiled: Compiled
  private let inputs: [any Buffer]
  private let execution: any Execution

  /// The shared part of copies: the program, and the parameters, which are never written.
  private struct Compiled: Sendable {
    let backend: any Backend
    let executable: any Executable
    let parameters: [any Buffer]
  }

  /// - Parameters:
  ///   - program: takes the parameters, then the inputs; returns the outputs.
  ///   - parameters: the parameters' values.
  init(
    _ program: Program, parameters: [NDArray], inputNames: [String], outputNames: [String], on backend: any Backend
  ) throws {
    self.inputNames = inputNames
    self.outputNames = outputNames
    compiled = Compiled(
      backend: backend,
      executable: try backend.compile(program, frozenInputs: Set(parameters.indices)),
      parameters: try parameters.map(backend.upload))
    inputTypes = program.inputs.dropFirst(parameters.count).map(\.type)
    outputTypes = program.outputTypes
    (inputs, execution) = try Self.bind(compiled, inputTypes)
  }

  private init(sharing other: InferenceFunction) throws {
    compiled = other.compiled
    inputTypes = other.inputTypes
    (inputNames, outputNames, outputTypes) = (other.inputNames, other.outputNames, other.outputTypes)
    (inputs, execution) = try Self.bind(compiled, inputTypes)
  }

  private static func bind(
    _ compiled: Compiled, _ types: [TensorType]
  ) throws -> (inputs: [any Buffer], execution: any Execution) {
    let inputs = try types.map { try compiled.backend.makeBuffer($0) }
    return (inputs, try compiled.executable.bind(compiled.parameters + inputs))
  }

  /// The operations that skip the zeros of their weights because that is faster: those of large pruned layers.
  public var sparseOperations: [SparseOperation] { execution.sparseOperations }

  /// Another function with the same values and its own memory, for another thread.
  public func copy() throws -> InferenceFunction { try InferenceFunction(sharing: self) }

  /// The model's output, `[batch, …]`.
  /// - Parameter arrays: one array for each input, `[batch, …]` with the batch size that the function was made for.
  ///   Numbers of another element type are converted.
  /// - Throws: `GraphError` when an array has another shape than its input, or fractions where the model takes
  ///   integers.
  public func callAsFunction(_ arrays: NDArray...) throws -> NDArray { try self(arrays) }

  /// The model's output for inputs in an array; see above.
  public func callAsFunction(_ arrays: [NDArray]) throws -> NDArray {
    guard outputTypes.count == 1 else {
      throw GraphError(
        "the model has the outputs \(outputNames.joined(separator: ", ")): outputs(of:) gives all of them by name.")
    }
    try run(arrays)
    return try execution.outputs[0].read()
  }

  /// All outputs of the model, by their names, for inputs by name or in order; see above.
  public func outputs(of arrays: NamedArrays) throws -> NamedArrays {
    let known = inputNames.joined(separator: ", ")
    let given = try arrays.ordered(as: inputNames, "input", byPosition: [inputs.count])
    let present = given.compactMap { $0 }
    guard present.count == inputs.count else {
      throw GraphError("the model has the inputs \(known); received \(arrays.names.joined(separator: ", ")).")
    }
    try run(present)
    return NamedArrays(try zip(outputNames, execution.outputs).map { ($0, try $1.read()) })
  }

  private func run(_ arrays: [NDArray]) throws {
    guard arrays.count == inputs.count else {
      throw GraphError("the model has \(inputs.count) inputs; received \(arrays.count).")
    }
    for (array, input) in zip(arrays, inputs) { try input.write(try converted(array, to: input.type.dtype)) }
    try execution.run()
  }

  private func converted(_ array: NDArray, to dtype: DType) throws -> NDArray {
    if array.dtype == dtype { return array }
    if !dtype.isFloating, array.dtype.isFloating, let wrong = array.firstElement(where: { $0 != $0.rounded() }) {
      throw GraphError("the model takes \(dtype.rawValue); received \(wrong.value).")
    }
    return array.converted(to: dtype)
  }

  /// Writes the model's output into memory of the caller's; nothing is allocated where the device is the host.
  /// - Parameters:
  ///   - input: the elements of the only input, row-major.
  ///   - output: receives the output's elements, row-major.
  /// - Throws: `GraphError` when a size or an element type does not fit.
  public func callAsFunction(_ input: UnsafeBufferPointer<Float>, into output: UnsafeMutableBufferPointer<Float>) throws
  {
    guard inputs.count == 1, outputTypes.count == 1, inputTypes[0].dtype == .float32, outputType.dtype == .float32
    else {
      throw GraphError(
        "needs one float32 input and one float32 output; the model takes \(inputTypes) to \(outputTypes).")
    }
    guard input.count == inputTypes[0].elementCount, output.count == outputType.elementCount else {
      throw GraphError(
        "takes \(inputTypes[0].elementCount) elements and gives \(outputType.elementCount); "
          + "received \(input.count) and room for \(output.count).")
    }
    try inputs[0].write(UnsafeRawBufferPointer(input))
    try execution.run()
    try execution.outputs[0].read(into: UnsafeMutableRawBufferPointer(output))
  }
}

extension Model {
  /// The model's forward pass as a function for `batchSize` samples at a time, with the model's current values.
  /// - Parameter batchSize: the number of samples per call.
  /// - Throws: `GraphError` when the architecture is invalid, `TrainingError` for a batch size below 1.
  public func inferenceFunction(batchSize: Int = 1) throws -> InferenceFunction {
    try checkBatchSize(batchSize)
    let types = inputs.map { TensorType($0.dtype, [batchSize] + $0.shape) }
    // The rule's work is done once, beforehand: its state is no input of the function.
    var programs = try programs()
    programs.rules = []
    let program = try programs.program(StepSignature(inferenceOn: types))
    let weights = try settledWeights()
    return try InferenceFunction(
      program, parameters: weights.entries.map(\.1), inputNames: inputNames,
      outputNames: try outline().outputNames, on: backend)
  }
}
