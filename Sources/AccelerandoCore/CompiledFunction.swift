// The functional interface: a Swift function on tensors that is traced once, compiled once and then called with arrays.

/// A traced function, compiled by a backend and bound to its own buffers. Not for use by two threads at once.
public final class CompiledFunction {
  /// The traced program.
  public let program: Program
  private let inputs: [any Buffer]
  private let execution: any Execution

  /// Traces and compiles a function.
  /// - Parameters:
  ///   - types: the types of its arguments.
  ///   - backend: the backend that runs it.
  ///   - body: computes the results from the arguments; it runs once, now.
  /// - Throws: the first `GraphError` of the trace, or an error of the backend.
  public init(_ types: [TensorType], on backend: any Backend, _ body: ([Tensor]) throws -> [Tensor]) throws {
    program = try Program.trace(types, body)
    inputs = try types.map { try backend.makeBuffer($0) }
    execution = try backend.compile(program).bind(inputs)
  }

  /// Calls the function.
  /// - Throws: `GraphError` when the arguments do not have the types that the function was traced for.
  public func callAsFunction(_ arguments: NDArray...) throws -> [NDArray] {
    guard arguments.count == inputs.count else {
      throw GraphError("the function takes \(inputs.count) arguments; received \(arguments.count).")
    }
    for (index, (argument, input)) in zip(arguments, inputs).enumerated() where argument.type != input.type {
      throw GraphError("argument \(index) is \(input.type); received \(argument.type).")
    }
    for (argument, input) in zip(arguments, inputs) { try input.write(argument) }
    try execution.run()
    return try execution.outputs.map { try $0.read() }
  }
}

extension Backend {
  /// Traces and compiles a function of tensors; the result is called with arrays.
  ///
  ///     let square = try CPUBackend().function([TensorType(.float32, [3])]) { [$0[0] * $0[0]] }
  ///     let result = try square(NDArray([1, 2, 3] as [Float]))
  public func function(
    _ types: [TensorType], _ body: ([Tensor]) throws -> [Tensor]
  ) throws -> CompiledFunction {
    try CompiledFunction(types, on: self, body)
  }
}
