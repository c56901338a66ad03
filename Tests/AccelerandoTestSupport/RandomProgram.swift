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

  /// Makes a random program: arithmetic, reductions, movement, products, convolutions, pooling, reading and writing at
  /// computed places, sorting, loops and branches. Inputs and outputs are `float32`; on the way there are other types.
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
    switch maker.random.integer(0...15) {
    case 0...3: addBinary(a, b)
    case 4, 5: addUnary(a)
    case 6: addReduction(a)
    case 7, 8: addMovement(a)
    case 9: addProduct(a)
    case 10: addConvolution(a)
    case 11: addPooling(a)
    case 12: addIndexing(a)
    case 13: addOrder(a)
    case 14: addControl(a, b)
    default: addOtherType(a)
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

  /// The value as an image of one feature, channels last; nil where it has no two axes for that.
  private func image(_ a: Value) -> Tensor? {
    let x = a.tensor
    guard (2...3).contains(x.rank), x.type.elementCount > 0 else { return nil }
    return x.reshaped((x.rank == 2 ? [1] : []) + x.shape + [1])
  }

  private mutating func addConvolution(_ a: Value) {
    guard let x = image(a) else { return addUnary(a) }
    let (height, width) = (maker.random.integer(1...3), maker.random.integer(1...3))
    let kernel = x.constant(maker.tensor([height, width, 1, maker.random.pick([1, 3])], .moderate))
    let padding = maker.random.pick(Padding.allCases)
    guard padding == .same || x.shape[1] >= height && x.shape[2] >= width else { return addUnary(a) }
    let y = x.convolved(with: kernel, strides: [maker.random.integer(1...2), 1], padding: padding)
    add(y * (1 / Double(height * width)), a.bound * 4.5)
  }

  private mutating func addPooling(_ a: Value) {
    guard let x = image(a), x.shape[1] > 1, x.shape[2] > 1 else { return addUnary(a) }
    let dilation = maker.random.chance(0.2) ? [1, 1, 2, 1] : [1, 1, 1, 1]
    let window = WindowGeometry(
      size: [1, 2, dilation[2] == 1 ? maker.random.integer(1...2) : 1, 1],
      strides: [1, maker.random.integer(1...2), 1, 1],
      paddingLow: [0, maker.random.integer(0...1), 0, 0], windowDilation: dilation)
    let function = maker.random.pick([Reduce.Function.max, .min, .sum])
    add(x.graph.add(ReduceWindow(function, window), x), function == .sum ? a.bound * 4 : a.bound)
  }

  /// Reading and writing at places that are constants or lie in a tensor.
  private mutating func addIndexing(_ a: Value) {
    let x = a.tensor
    guard x.rank > 0, x.type.elementCount > 0 else { return addUnary(a) }
    let axis = maker.random.integer(0...x.rank - 1)
    let count = maker.random.integer(1...5)
    let places = (0..<count).map { _ in Int32(maker.random.integer(-1...x.shape[axis])) }
    let indices = x.constant(NDArray(places))
    switch maker.random.integer(0...3) {
    case 0: add(x.taking(indices, axis: axis), a.bound)
    case 1:
      let read = x.taking(indices, axis: axis)
      let function = maker.random.pick([Scatter.Function.add, .set, .max, .min])
      add(x.scattering(read.tanh(), at: indices, axis: axis, function: function), a.bound + Double(count))
    case 2: add(x.dynamicElement(x.constant(NDArray(scalar: places[0])), axis: axis), a.bound)
    default:
      let element = x.dynamicElement(x.constant(NDArray(scalar: places[0])), axis: axis)
      add(x.updatingElement(x.constant(NDArray(scalar: Int32(0))), with: element.tanh(), axis: axis), max(a.bound, 1))
    }
  }

  private mutating func addOrder(_ a: Value) {
    let x = a.tensor
    guard x.rank > 0, x.type.elementCount > 0 else { return addUnary(a) }
    let axis = maker.random.integer(0...x.rank - 1)
    switch maker.random.integer(0...3) {
    case 0: add(x.sorted(axis: axis, descending: maker.random.chance(0.5)), a.bound)
    case 1: add(x.topK(maker.random.integer(1...x.shape[x.rank - 1])).values, a.bound)
    case 2: add(x.takingAlongAxis(x.argMax(axis: axis, keepDims: true), axis: axis), a.bound)
    default: add(x.cumulativeSum(axis: axis) * (1 / Double(x.shape[axis])), a.bound)
    }
  }

  /// Loops, one inside another now and then, and branches.
  private mutating func addControl(_ a: Value, _ b: Value) {
    let (x, y) = (a.tensor, b.tensor)
    let isNested = maker.random.chance(0.3)
    if x.rank > 0, x.shape[0] <= 40, maker.random.chance(0.3) {
      // A recurrence along the first axis, which reads a tensor from outside.
      let row = x.sum(axes: [0])
      let result = scan([x], initial: [row.tanh()], isReversed: maker.random.chance(0.5)) { carry, elements, index in
        let next = (carry[0] * 0.5 + elements[0] + 0.1 * index.converted(to: .float32) + row.tanh()).tanh()
        return ([next], [isNested ? next * carry[0] : next])
      }
      add(result.outputs[0], 1)
      add(result.carry[0], 1)
    } else if maker.random.chance(0.5) {
      let results = forLoop(maker.random.integer(0...3), [x, y]) { round, carried in
        let moved = carried[0].tanh() + 0.1 * round.converted(to: .float32)
        guard isNested else { return [moved, carried[1]] }
        return [forLoop(2, [moved]) { _, inner in [inner[0] * 0.5 + 0.1] }[0], carried[1]]
      }
      add(results[0], a.bound + 1)
    } else {
      let isLarge = y.sum().greater(than: y.sum().filled(0.1))
      add(conditional(isLarge, on: [x], then: { [$0[0].tanh()] }, otherwise: { [$0[0] * 0.5] })[0], max(a.bound, 1))
    }
  }

  /// Through another type and back, where nothing of a `float32` is lost or what is lost is the same everywhere.
  private mutating func addOtherType(_ a: Value) {
    let x = a.tensor
    switch maker.random.integer(0...2) {
    case 0: add((x.converted(to: .float64) * 0.5).tanh().converted(to: .float32), 1)
    case 1:
      let isPositive = x.greater(than: x.filled(0.2))
      add(x * isPositive.converted(to: .int32).converted(to: .float32), a.bound)
    default:
      guard x.rank > 0 else { return addUnary(a) }
      let places = x.iota(x.type.with(.int64), axis: 0)
      add(x + places.remainder(places.filled(3)).converted(to: .float32) * 0.25, a.bound + 0.5)
    }
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
