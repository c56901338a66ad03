// The finished trace: operations in order, their types, inputs and outputs. A program is an immutable value; every
// transform takes one and returns another, and a backend sees nothing else.

/// A typed straight-line program: what layers trace to and what backends compile.
public struct Program: Sendable {
  /// One input of a program.
  public struct Input: Hashable, Sendable {
    /// The name, for errors and dumps.
    public let name: String
    /// The type that a value must have.
    public let type: TensorType
  }

  /// One operation applied to values.
  public struct Instruction: Sendable {
    /// The operation.
    public let operation: any Operation
    /// The values of the operands, by index.
    public let operands: [Int]
    /// The indices of the results; they are consecutive.
    public let results: Range<Int>
    /// The layers that it was traced in, outermost first.
    public let path: [String]
  }

  /// The inputs; they are the values `0 ..< inputs.count`.
  public let inputs: [Input]
  /// The operations, operands before users.
  public let instructions: [Instruction]
  /// The type of each value.
  public let types: [TensorType]
  /// The values that the program returns, by index.
  public let outputs: [Int]
  /// For an output that reuses an input's memory, the input: `aliases[output] = input`. The old value is overwritten;
  /// this is how state is updated in place.
  public let aliases: [Int: Int]

  /// The types of the outputs.
  public var outputTypes: [TensorType] { outputs.map { types[$0] } }

  /// Traces `body` into a program.
  /// - Parameters:
  ///   - inputs: names and types of the inputs.
  ///   - aliases: outputs that reuse the memory of inputs, as in `Program.aliases`.
  ///   - body: computes the outputs from the inputs.
  /// - Throws: the first `GraphError` of the trace, or an error that `body` throws.
  public static func trace(
    _ inputs: [(name: String, type: TensorType)], aliases: [Int: Int] = [:],
    _ body: ([Tensor]) throws -> [Tensor]
  ) throws -> Program {
    let graph = Graph()
    let outputs = try body(inputs.map { graph.input($0.name, $0.type) })
    return try Program(graph, outputs: outputs, aliases: aliases)
  }

  /// Traces a function of unnamed inputs.
  public static func trace(_ types: [TensorType], _ body: ([Tensor]) throws -> [Tensor]) throws -> Program {
    try trace(types.enumerated().map { ("input\($0.offset)", $0.element) }, body)
  }

  /// Makes a program of everything that `outputs` depend on.
  /// - Throws: the first error that the graph collected; an alias between different types.
  public init(_ graph: Graph, outputs: [Tensor], aliases: [Int: Int] = [:]) throws(GraphError) {
    for output in outputs where output.graph !== graph {
      throw graph.firstError ?? GraphError("an output belongs to another trace.")
    }
    if let error = graph.firstError { throw error }
    try self.init(graph, inputs: graph.inputs, outputs: outputs, aliases: aliases)
  }

  /// Makes a program of the part of a graph between the values `inputs` and `outputs`. Inputs may be any values.
  init(
    _ graph: Graph, inputs: [(name: String, value: Int)], outputs: [Tensor], aliases: [Int: Int] = [:]
  ) throws(GraphError) {
    var number = [Int](repeating: -1, count: graph.types.count)
    var types: [TensorType] = []
    for (_, value) in inputs {
      number[value] = types.count
      types.append(graph.types[value])
    }
    var instructions: [Instruction] = []
    let computed = Set(inputs.map(\.value).filter { graph.producers[$0] >= 0 })
    for index in graph.schedule(outputs.map(\.id), known: computed) {
      let node = graph.nodes[index]
      let first = types.count
      for result in node.firstResult..<node.firstResult + node.resultCount {
        if number[result] < 0 { number[result] = types.count }
        types.append(graph.types[result])
      }
      instructions.append(
        Instruction(
          operation: node.operation, operands: node.operands.map { number[graph.resolve($0)] },
          results: first..<first + node.resultCount, path: node.path))
    }
    self.inputs = inputs.map { Input(name: $0.name, type: graph.types[$0.value]) }
    self.instructions = instructions
    self.types = types
    self.outputs = outputs.map { number[graph.resolve($0.id)] }
    self.aliases = aliases
    for (output, input) in aliases {
      guard self.outputs.indices.contains(output), self.inputs.indices.contains(input) else {
        throw GraphError("alias \(output) → \(input): there is no such output or input.")
      }
      guard types[self.outputs[output]] == types[input] else {
        throw GraphError(
          "output \(output) takes over input '\(self.inputs[input].name)', which is \(types[input]); "
            + "the output is \(types[self.outputs[output]]).")
      }
    }
  }

  private init(
    inputs: [Input], instructions: [Instruction], types: [TensorType], outputs: [Int], aliases: [Int: Int]
  ) {
    self.inputs = inputs
    self.instructions = instructions
    self.types = types
    self.outputs = outputs
    self.aliases = aliases
  }

  /// The same computation with other outputs, which are values by index, and without aliases.
  public func returning(_ outputs: [Int]) -> Program {
    Program(
      inputs: inputs, instructions: instructions, types: types, outputs: outputs.filter(types.indices.contains),
      aliases: [:])
  }

  /// Records the program's instructions in a graph, on the given operands, and returns its outputs there.
  public func inlined(on operands: [Tensor], in graph: Graph) -> [Tensor] {
    rewritten(on: operands, in: graph) { instruction, inputs in
      graph.add(instruction.operation, inputs)
    }
  }

  /// Records the program in a graph, asking `rule` for a replacement of each instruction. In a graph that is being traced
  /// inside a layer, the instructions belong to that layer.
  func rewritten(
    on operands: [Tensor], in graph: Graph, _ rule: (Instruction, [Tensor]) -> [Tensor]
  ) -> [Tensor] {
    var values = [Tensor?](repeating: nil, count: types.count)
    for (index, operand) in operands.enumerated() { values[index] = operand }
    let outer = graph.path
    defer { graph.path = outer }
    for instruction in instructions {
      graph.path = outer + instruction.path
      let results = rule(instruction, instruction.operands.compactMap { values[$0] })
      for (value, result) in zip(instruction.results, results) { values[value] = result }
    }
    return outputs.compactMap { values[$0] }
  }

  /// The program with each instruction replaced by the result of `rule`; inputs and aliases do not change.
  /// - Throws: the first error that the rule's operations caused.
  public func rewriting(
    sharesEqualNodes: Bool = false, _ rule: (Instruction, [Tensor], Graph) -> [Tensor]
  ) throws(GraphError) -> Program {
    let graph = Graph(sharesEqualNodes: sharesEqualNodes)
    let operands = inputs.map { graph.input($0.name, $0.type) }
    let outputs = rewritten(on: operands, in: graph) { rule($0, $1, graph) }
    return try Program(graph, outputs: outputs, aliases: aliases)
  }

  /// The program with composites replaced by their formulas, except those for which `keeping` returns true.
  public func expandingComposites(
    keeping: (any Composite, [TensorType]) -> Bool = { _, _ in false }
  ) throws(GraphError) -> Program {
    func isOpen(_ program: Program) -> Bool {
      program.instructions.contains { instruction in
        guard let composite = instruction.operation as? any Composite else {
          return instruction.operation.regions.contains(where: isOpen)
        }
        return !keeping(composite, instruction.operands.map { program.types[$0] })
      }
    }
    var current = self
    while isOpen(current) {
      current = try current.rewriting { instruction, operands, graph in
        if let composite = instruction.operation as? any Composite {
          return keeping(composite, operands.map(\.type))
            ? graph.add(composite, operands) : composite.expand(operands)
        }
        return graph.add(instruction.operation, operands) { program throws(GraphError) in
          try program.expandingComposites(keeping: keeping)
        }
      }
    }
    return current
  }
}

/// Whether two operations have the same type and equal attributes.
func sameOperation(_ a: any Operation, _ b: any Operation) -> Bool {
  func compare<A: Operation>(_ a: A) -> Bool { (b as? A) == a }
  return compare(a)
}

extension Program: Hashable {
  public static func == (left: Program, right: Program) -> Bool {
    left.inputs == right.inputs && left.types == right.types && left.outputs == right.outputs
      && left.aliases == right.aliases
      && left.instructions.elementsEqual(right.instructions) {
        $0.operands == $1.operands && sameOperation($0.operation, $1.operation)
      }
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(inputs)
    hasher.combine(outputs)
    for instruction in instructions {
      hasher.combine(instruction.operands)
      instruction.operation.hash(into: &hasher)
    }
  }
}

extension Program: CustomStringConvertible {
  public var description: String {
    var lines = inputs.enumerated().map { "%\($0.offset) = input '\($0.element.name)': \($0.element.type)" }
    for instruction in instructions {
      let results = instruction.results.map { "%\($0)" }.joined(separator: ", ")
      let operands = instruction.operands.map { "%\($0)" }.joined(separator: ", ")
      let types = instruction.results.map { "\(self.types[$0])" }.joined(separator: ", ")
      lines.append("\(results) = \(instruction.operation.name)(\(operands)): \(types)")
    }
    lines.append("return " + outputs.map { "%\($0)" }.joined(separator: ", "))
    return lines.joined(separator: "\n")
  }
}
