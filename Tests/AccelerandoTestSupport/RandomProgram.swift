// Random programs of many operations: what fusion, memory reuse and in-place updates are tested with. Values are kept
// moderate, so that a difference from the oracle is a mistake and not rounding that grew.

import AccelerandoCore

/// A program and inputs for it.
public struct ProgramExample: Sendable, CustomStringConvertible {
  /// The program.
  public let program: Program
  /// Its inputs.
  public let inputs: [NDArray]

  public var description: String { "\(program)" }

  /// Makes a random program of `float32` tensors.
  /// - Parameters:
  ///   - seed: equal seeds give equal programs.
  ///   - differentiates: whether the gradients of a loss are among the outputs.
  ///   - updatesInputs: whether some outputs take over the memory of inputs.
  public init(seed: UInt64, differentiates: Bool = false, updatesInputs: Bool = false) throws {
    var maker = ExampleMaker(seed: seed, dtype: .float32)
    let base = (0..<3).map { _ in maker.random.pick([1, 2, 3, 5, 8, 17]) }
    let shapes = [base, base, [base[2]], [base[1], base[2]], [], [base[0], 1, base[2]]]
    let count = maker.random.integer(2...shapes.count)
    let types = shapes.shuffled(using: &maker.random).prefix(count).map { TensorType(.float32, $0) }
    inputs = types.map { maker.tensor($0.shape, .moderate) }

    let graph = Graph()
    let operands = types.enumerated().map { graph.input("input\($0.offset)", $0.element) }
    var writer = Writer(maker: maker, values: operands.map { Value($0, bound: 4.5) })
    for _ in 0..<maker.random.integer(3...40) { writer.addStep() }
    var outputs = writer.outputs()
    if differentiates, let last = writer.values.last {
      let loss = last.tensor.tanh().mean()
      outputs += [loss] + gradients(of: loss, withRespectTo: operands)
    }
    var aliases: [Int: Int] = [:]
    if updatesInputs {
      for (position, output) in outputs.enumerated() {
        let free = types.indices.filter { types[$0] == output.type && !aliases.values.contains($0) }
        if let input = free.randomElement(using: &maker.random) { aliases[position] = input }
      }
    }
    program = try Program(graph, outputs: outputs, aliases: aliases)
  }
}

/// A traced value and what its elements do not exceed.
private struct Value {
  let tensor: Tensor
  let bound: Double

  init(_ tensor: Tensor, bound: Double) {
    // Squeezed before products of products run away.
    self.tensor = bound > 30 ? (tensor * (1 / bound)).tanh() : tensor
    self.bound = bound > 30 ? 1 : bound
  }
}

private struct Writer {
  var maker: ExampleMaker
  var values: [Value]

  mutating func addStep() {
    let a = maker.random.pick(Array(values.suffix(6)))
    let b = maker.random.pick(values)
    switch maker.random.integer(0...9) {
    case 0...3: addBinary(a, b)
    case 4, 5: addUnary(a)
    case 6: addReduction(a)
    case 7, 8: addMovement(a)
    default: addProduct(a)
    }
  }

  private mutating func add(_ tensor: Tensor, _ bound: Double) {
    guard tensor.type.elementCount <= 4000 else { return }
    values.append(Value(tensor, bound: bound))
  }

  private mutating func addBinary(_ a: Value, _ b: Value) {
    let (x, y) = (a.tensor, b.tensor)
    guard broadcastShape(x.shape, y.shape) != nil else { return addUnary(a) }
    let sum = a.bound + b.bound
    switch maker.random.integer(0...6) {
    case 0: add(x + y, sum)
    case 1: add(x - y, sum)
    case 2: add(x * y, a.bound * b.bound)
    case 3: add(x.maximum(y), max(a.bound, b.bound))
    case 4: add(x.minimum(y), max(a.bound, b.bound))
    case 5: add(x / (y.abs() + 1), a.bound)
    default: add(select(x.less(than: x.filled(0.3)), x, y), max(a.bound, b.bound))
    }
  }

  private mutating func addUnary(_ a: Value) {
    let x = a.tensor
    switch maker.random.integer(0...9) {
    case 0: add(x.tanh(), 1)
    case 1: add(x.sigmoid(), 1)
    case 2: add(x.tanh().exp(), 3)
    case 3: add(x.abs(), a.bound)
    case 4: add(-x, a.bound)
    case 5: add((x.abs() + 0.1).sqrt(), a.bound.squareRoot() + 0.4)
    case 6: add(x.relu(), a.bound)
    case 7: add(x.gelu(), a.bound)
    case 8: add(x.silu(), a.bound)
    default: add(x.clamped(-1...2), 2)
    }
  }

  private mutating func addReduction(_ a: Value) {
    let x = a.tensor
    guard x.rank > 0 else { return addUnary(a) }
    let axes = x.shape.indices.filter { _ in maker.random.chance(0.5) }
    let keepDims = maker.random.chance(0.5)
    switch maker.random.integer(0...4) {
    case 0: add(x.mean(axes: axes, keepDims: keepDims), a.bound)
    case 1: add(x.max(axes: axes, keepDims: keepDims), a.bound)
    case 2: add(x.min(axes: axes, keepDims: keepDims), a.bound)
    case 3: add(x.softmax(axis: maker.random.integer(0...x.rank - 1)), 1)
    default: add(x.sum(axes: axes, keepDims: keepDims), a.bound * Double(axes.map { x.shape[$0] }.elementCount))
    }
  }

  private mutating func addMovement(_ a: Value) {
    let x = a.tensor
    guard x.rank > 0 else { return addUnary(a) }
    let axis = maker.random.integer(0...x.rank - 1)
    let size = x.shape[axis]
    switch maker.random.integer(0...6) {
    case 0: add(x.transposed(Array(x.shape.indices).shuffled(using: &maker.random)), a.bound)
    case 1: add(x.reshaped([-1]), a.bound)
    case 2: add(x.sliced(axis: axis, size / 3..<max(size / 3 + 1, size)), a.bound)
    case 3: add(x.reversed(axes: [axis]), a.bound)
    case 4: add(Tensor.concatenating([x, x.tanh()], axis: axis), max(a.bound, 1))
    case 5:
      let low = x.shape.map { _ in maker.random.integer(0...1) }
      add(x.padded(low: low, high: low.reversed()), a.bound)
    default: add(x.expandingDims(axis), a.bound)
    }
  }

  private mutating func addProduct(_ a: Value) {
    let x = a.tensor
    guard x.rank > 0, x.rank <= 3 else { return addUnary(a) }
    let width = x.shape[x.rank - 1]
    let weight = x.constant(maker.tensor([width, maker.random.pick([1, 4, 9])], .moderate))
    add(x.matmul(weight) * (1 / Double(max(width, 1))), a.bound * 3)
  }

  /// Some of the values, the last among them; now and then one twice.
  mutating func outputs() -> [Tensor] {
    var chosen = values.filter { _ in maker.random.chance(0.15) }.map(\.tensor)
    if let last = values.last?.tensor { chosen.append(last) }
    if maker.random.chance(0.2) { chosen.append(maker.random.pick(chosen)) }
    return chosen.shuffled(using: &maker.random)
  }
}

/// Binds a program on a backend and on the oracle and runs it several times, so that state that is updated in place goes
/// on from run to run.
/// - Returns: how the outputs differ, or nil.
public func compareRuns(_ example: ProgramExample, on backend: any Backend, runs: Int = 3) -> String? {
  do {
    let reference = try bind(example, on: ReferenceBackend())
    let judged = try bind(example, on: backend)
    for run in 0..<runs {
      try reference.run()
      try judged.run()
      for (index, (a, b)) in zip(judged.outputs, reference.outputs).enumerated() {
        let tolerance = Tolerance(relative: 1e-3, absolute: 1e-3)
        if let text = difference(try a.read(), from: try b.read(), tolerance) {
          return "run \(run), output \(index): \(text)\n\(example)"
        }
      }
    }
    return nil
  } catch {
    return "failed: \(error)\n\(example)"
  }
}

private func bind(_ example: ProgramExample, on backend: any Backend) throws -> any Execution {
  try backend.compile(example.program).bind(try example.inputs.map { try backend.upload($0) })
}
