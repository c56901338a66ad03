// Functions that operations contain: the body of a loop, the branches of a choice. They are traced into programs of their
// own, and may read tensors of the trace around, which become further operands of the operation by themselves.

extension Program {
  /// Whether an instruction or an output reads the input.
  public func uses(input: Int) -> Bool {
    outputs.contains(input) || instructions.contains { $0.operands.contains(input) }
  }

  /// Traces a region that reads nothing but its inputs. Any error in it is an error of the trace.
  static func region(
    _ types: [TensorType], _ body: ([Tensor]) -> [Tensor]
  ) throws(GraphError) -> Program {
    let graph = Graph()
    let inputs = types.enumerated().map { graph.input("carried\($0.offset)", $0.element) }
    return try Program(graph, outputs: body(inputs))
  }

  /// Traces regions of the same inputs that may read tensors from outside.
  /// - Returns: the regions, whose last inputs stand for the captured tensors, and these tensors.
  static func regions(
    _ types: [TensorType], in outer: Graph, _ bodies: [([Tensor]) -> [Tensor]]
  ) throws(GraphError) -> (programs: [Program], captured: [Tensor]) {
    var traced: [(graph: Graph, outputs: [Tensor])] = []
    var captured: [Tensor] = []
    for body in bodies {
      let graph = Graph(inside: outer)
      let inputs = types.enumerated().map { graph.input("carried\($0.offset)", $0.element) }
      let outputs = body(inputs).map { graph.captured($0) ?? $0 }
      traced.append((graph, outputs))
      for tensor in graph.capturedTensors where !captured.contains(where: { $0.id == tensor.id }) {
        captured.append(tensor)
      }
    }
    var programs: [Program] = []
    for (graph, outputs) in traced {
      graph.arrangeCaptured(captured)
      programs.append(try Program(graph, outputs: outputs))
    }
    return (programs, captured)
  }
}
