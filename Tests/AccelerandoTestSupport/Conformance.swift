// One suite for every backend: random examples of each operation, and random programs of many, against the oracle.

import AccelerandoCore

/// Runs examples of an operation on a backend and on the oracle.
/// - Parameters:
///   - backend: the backend to judge.
///   - entry: the operation.
///   - rounds: examples for each element type.
///   - seed: where the random numbers start.
///   - slack: a factor on the distance allowed, for backends that round in other places.
///   - skips: whether an example is one in which the backend differs by design.
/// - Returns: what differed or failed, one text for each example; empty when all is well.
public func conformance(
  of backend: any Backend, to entry: CatalogEntry, rounds: Int = 6, seed: UInt64 = 1, slack: Double = 1,
  skips: (Example) -> Bool = { _ in false }
) -> [String] {
  var failures: [String] = []
  for dtype in entry.dtypes {
    for round in 0..<UInt64(rounds) {
      guard let example = entry.example(dtype, seed: seed &+ round), !skips(example) else { continue }
      let failure = compare(example, on: backend, slack: slack)
      if let failure {
        failures.append("\(entry.name), \(dtype.rawValue), seed \(seed &+ round): \(failure)\n\(example.operation)")
      }
    }
  }
  return failures
}

private func compare(_ example: Example, on backend: any Backend, slack: Double) -> String? {
  do {
    let graph = Graph()
    let operands = example.operands.enumerated().map { graph.input("operand\($0.offset)", $0.element.type) }
    let program = try Program(graph, outputs: graph.add(example.operation, operands))
    return compare(program, example.operands, on: backend) {
      .of($0, ulps: example.ulps * slack, terms: example.terms * slack)
    }
  } catch {
    return "tracing failed: \(error)"
  }
}

/// Runs a program on a backend and on the oracle; says how they differ, or nil.
public func compare(
  _ program: Program, _ inputs: [NDArray], on backend: any Backend,
  tolerance: (DType) -> Tolerance = { .of($0, ulps: 64, terms: 64) }
) -> String? {
  do {
    let expected = try ReferenceBackend().evaluate(program, inputs)
    let received = try backend.evaluate(program, inputs)
    guard received.count == expected.count else {
      return "expected \(expected.count) outputs, received \(received.count)"
    }
    for (index, (a, b)) in zip(received, expected).enumerated() {
      if let text = difference(a, from: b, tolerance(b.dtype)) { return "output \(index), \(b.type): \(text)" }
    }
    return nil
  } catch {
    return "failed: \(error)"
  }
}
