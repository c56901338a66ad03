// Gradients against the definition of a derivative. The function is weighed with random numbers and summed, so that one
// check covers every element of every result; Double throughout leaves finite differences about ten good digits.

import AccelerandoCore

/// Compares reverse-mode gradients of a function with central finite differences.
/// - Parameters:
///   - inputs: the point; the `float64` among them are differentiated by.
///   - tolerance: the distance allowed, relative to 1 or to the gradient, whichever is larger.
///   - seed: for the weights of the results.
///   - function: the function; its floating-point results are checked.
/// - Returns: what is wrong, or nil.
public func checkGradient(
  at inputs: [NDArray], tolerance: Double = 1e-6, seed: UInt64 = 7, of function: ([Tensor]) throws -> [Tensor]
) -> String? {
  do {
    let backend = ReferenceBackend(exact: true)
    let moving = inputs.indices.filter { inputs[$0].dtype == .float64 }
    let program = try Program.trace(inputs.map(\.type)) { tensors in
      guard let value = weighedSum(try function(tensors), seed) else { return [] }
      return [value] + gradients(of: value, withRespectTo: moving.map { tensors[$0] })
    }
    guard !program.outputs.isEmpty else { return nil }
    let results = try backend.evaluate(program, inputs)
    // Only the value is needed at the moved points.
    let valueOnly = try Program.trace(inputs.map(\.type)) { [program.inlined(on: $0, in: $0[0].graph)[0]] }
    let executable = try backend.compile(valueOnly)
    func value(_ index: Int, _ elements: [Double]) throws -> Double {
      var moved = inputs
      moved[index] = try NDArray(elements, shape: inputs[index].shape)
      let execution = try executable.bind(moved.map { try backend.upload($0) })
      try execution.run()
      return try execution.outputs[0].read().elements(as: Double.self)[0]
    }
    for (place, index) in moving.enumerated() {
      let point = inputs[index].elements(as: Double.self)
      guard results[place + 1].type == inputs[index].type else {
        return "operand \(index) is \(inputs[index].type); its gradient is \(results[place + 1].type)"
      }
      let gradient = results[place + 1].elements(as: Double.self)
      for element in sample(point.count, seed) {
        let step = 1e-5 * max(1, point[element].magnitude)
        var (low, high) = (point, point)
        low[element] -= step
        high[element] += step
        let slope = (try value(index, high) - value(index, low)) / (high[element] - low[element])
        let distance = (slope - gradient[element]).magnitude
        guard distance <= tolerance * max(1, slope.magnitude) else {
          return "operand \(index), element \(element) of \(inputs[index].type) at \(point[element]): "
            + "the gradient is \(gradient[element]), finite differences give \(slope)"
        }
      }
    }
    return nil
  } catch {
    return "failed: \(error)"
  }
}

/// Runs the gradient of an operation, by its floating-point operands, on a backend and on the oracle.
/// - Returns: what differed or failed, one text for each example; empty when all is well.
public func gradientConformance(
  of backend: any Backend, to entry: CatalogEntry, rounds: Int = 2, seed: UInt64 = 1, slack: Double = 1
) -> [String] {
  guard entry.dtypes.contains(.float32) else { return [] }
  var failures: [String] = []
  var checked = 0
  for number in seed..<seed + 4 * UInt64(rounds) where checked < rounds {
    guard let example = entry.example(.float32, seed: number, isForGradient: true), isFinite(example),
      !example.operands.isEmpty
    else { continue }
    checked += 1
    let moving = example.operands.indices.filter { example.operands[$0].dtype.isFloating }
    do {
      let program = try Program.trace(example.operands.map(\.type)) { tensors in
        guard let value = weighedSum(tensors[0].graph.add(example.operation, tensors), number) else { return [] }
        return gradients(of: value, withRespectTo: moving.map { tensors[$0] })
      }
      guard !program.outputs.isEmpty else { continue }
      let failure = compare(program, example.operands, on: backend) {
        .of($0, ulps: 64 * example.ulps * slack, terms: 64 * max(example.terms, 1) * slack)
      }
      if let failure { failures.append("\(entry.name), seed \(number): \(failure)\n\(example.operation)") }
    } catch {
      failures.append("\(entry.name), seed \(number): tracing failed: \(error)")
    }
  }
  return failures
}

/// Σ over results and elements, each times a random weight; nil if no result is a floating-point tensor.
private func weighedSum(_ results: [Tensor], _ seed: UInt64) -> Tensor? {
  var random = RandomSource(seed: seed)
  let terms = results.filter(\.dtype.isFloating).map { result -> Tensor in
    let weights = (0..<result.type.elementCount).map { _ in random.real(0.5...1.5) * (random.chance(0.5) ? 1 : -1) }
    let constant = result.constant(NDArray(weights, TensorType(.float64, result.shape)))
    return (result.converted(to: .float64) * constant).sum()
  }
  guard let first = terms.first else { return nil }
  return terms.dropFirst().reduce(first, +)
}

/// All elements of a small tensor, forty of a large one.
private func sample(_ count: Int, _ seed: UInt64) -> [Int] {
  guard count > 40 else { return Array(0..<count) }
  var random = RandomSource(seed: seed)
  return (0..<40).map { _ in random.integer(0...count - 1) }
}

/// Checks the gradient of an operation on random examples.
/// - Returns: what is wrong, one text for each example.
public func checkGradients(of entry: CatalogEntry, rounds: Int = 12, seed: UInt64 = 1) -> [String] {
  guard entry.dtypes.contains(.float64) else { return [] }
  var failures: [String] = []
  var checked = 0
  for number in seed..<seed + 4 * UInt64(rounds) where checked < rounds {
    guard let example = entry.example(.float64, seed: number, isForGradient: true), isFinite(example) else { continue }
    checked += 1
    guard !example.operands.isEmpty else { continue }
    let failure = checkGradient(at: example.operands, seed: number) { operands in
      operands[0].graph.add(example.operation, operands)
    }
    if let failure { failures.append("\(entry.name), seed \(number): \(failure)\n\(example.operation)") }
  }
  // Entries that make examples for other purposes only have a sibling that makes them for this one.
  if checked > 0, checked < rounds { failures.append("\(entry.name): only \(checked) examples were fit to be checked") }
  return failures
}

/// Whether all results are finite: the extreme of a window of nothing but padding is not, and has no slope.
private func isFinite(_ example: Example) -> Bool {
  let interpreter = ReferenceInterpreter(rounds: false)
  let results = try? interpreter.evaluate(example.operation, example.operands.map { ReferenceArray($0) })
  return results.map { $0.allSatisfy { !$0.dtype.isFloating || $0.elements.allSatisfy(\.real.isFinite) } } ?? false
}
