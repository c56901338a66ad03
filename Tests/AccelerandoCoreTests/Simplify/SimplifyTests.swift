import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct SimplifyTests {
  private let matrix = TensorType(.float32, [3, 4])

  private func names(_ types: [TensorType], _ body: ([Tensor]) -> [Tensor]) throws -> [String] {
    try Program.trace(types, body).simplified().instructions.map(\.operation.name)
  }

  @Test func whatHasNoEffectDisappears() throws {
    #expect(try names([matrix]) { [$0[0] * 1 + 0] } == [])
    #expect(try names([matrix]) { [$0[0].transposed().transposed()] } == [])
    #expect(try names([matrix]) { [$0[0].reshaped([12]).reshaped([2, 6]).reshaped([3, 4])] } == [])
    #expect(try names([matrix]) { [$0[0].converted(to: .float64).converted(to: .float32)] } == [])
    #expect(try names([matrix]) { [-(-$0[0])] } == [])
    #expect(try names([matrix]) { [$0[0].reversed(axes: [0, 1]).reversed(axes: [1, 0])] } == [])
    #expect(try names([matrix]) { [select($0[0].less(than: $0[0].zerosLike()), $0[0], $0[0])] } == [])
    #expect(try names([matrix]) { [$0[0].maximum($0[0])] } == [])
    let nothing = Pad(low: [0, 0], high: [0, 0], interior: [0, 0])
    #expect(try names([matrix]) { [$0[0].graph.add(nothing, $0[0], $0[0].scalar(1))] } == [])
    #expect(
      try names([matrix]) { [Tensor.concatenating([$0[0], $0[0].sliced(axis: 0, 0..<0)], axis: 0)] } == [])
  }

  @Test func narrowingConversionsStay() throws {
    #expect(try names([matrix]) { [$0[0].converted(to: .int32).converted(to: .float32)] } == ["convert", "convert"])
    #expect(try names([matrix]) { [$0[0].converted(to: .bfloat16).converted(to: .float32)] } == ["convert", "convert"])
  }

  @Test func productsWithZeroStayForTheSakeOfNaN() throws {
    #expect(try names([matrix]) { [$0[0] * 0] }.contains("multiply"))
    #expect(try !names([matrix.with(.int32)]) { [$0[0] * 0] }.contains("multiply"))
  }

  @Test func equalInstructionsAreComputedOnce() throws {
    #expect(try names([matrix]) { [$0[0].exp() + $0[0].exp()] } == ["exponential", "add"])
  }

  @Test func constantsAreComputedNow() throws {
    let program = try Program.trace([matrix]) { inputs in
      let two = inputs[0].filled(1) + inputs[0].filled(1)
      return [(two * 3 - 1).broadcast(to: [2, 3, 4])]
    }.simplified()
    #expect(program.instructions.map(\.operation.name) == ["constant", "broadcast_in_dim"])
    #expect((program.instructions[0].operation as? Constant)?.value == NDArray(scalar: Float(5)))
  }

  @Test func integersWrapAroundWhenFolded() throws {
    let program = try Program.trace([matrix]) { inputs in
      let large = inputs[0].constant(NDArray(scalar: Int32.max))
      let unsigned = inputs[0].constant(NDArray(scalar: UInt32(0)))
      return [large + 1, unsigned - unsigned.onesLike(), large * large]
    }.simplified()
    let values = program.outputs.map { output in
      program.instructions.first { $0.results.contains(output) }?.operation as? Constant
    }
    #expect(values[0]?.value == NDArray(scalar: Int32.min))
    #expect(values[1]?.value == NDArray(scalar: UInt32.max))
    #expect(values[2]?.value == NDArray(scalar: Int32(1)))
  }

  @Test func transpositionsAreReadByTheProduct() throws {
    #expect(try names([matrix, matrix]) { [$0[0].transposed().matmul($0[1])] } == ["dot_general"])
    #expect(try names([matrix, matrix]) { [$0[0].matmul($0[1].transposed())] } == ["dot_general"])
  }

  @Test func knownBranchesAndEmptyLoopsAreOpened() throws {
    #expect(
      try names([matrix]) { inputs in
        switchCase(inputs[0].constant(NDArray(scalar: Int32(1))), on: inputs, branches: [{ [$0[0].sin()] }, { $0 }])
      } == [])
    #expect(try names([matrix]) { forLoop(0, $0) { [$1[0].sin()] } } == [])
  }

  @Test func regionsAreSimplifiedToo() throws {
    let program = try Program.trace([matrix]) { forLoop(3, $0) { [($1[0] * 1).sin() + 0] } }.simplified()
    let loop = program.instructions.compactMap { $0.operation as? Scan }.first
    #expect(loop?.body.instructions.filter { $0.operation.name == "multiply" }.isEmpty == true)
  }

  @Test func inputsOutputsAndAliasesStay() throws {
    let program = try Program.trace([("w", matrix), ("unused", matrix)], aliases: [0: 0]) { [$0[0] * 1, $0[0] + 0] }
    let simplified = try program.simplified()
    #expect(simplified.inputs == program.inputs)
    #expect(simplified.outputs == [0, 0])
    #expect(simplified.aliases == [0: 0])
  }

  @Test func theGradientOfANetworkGetsSmallerAndStaysTheSame() throws {
    let types = [[5, 7], [7, 6], [6], [6, 3], [3]].map { TensorType(.float64, $0) }
    let program = try Program.trace(types) { inputs in
      let hidden = (inputs[0].matmul(inputs[1]) + inputs[2]).relu()
      let loss = -(hidden.matmul(inputs[3]) + inputs[4]).logSoftmax().sliced(axis: 1, 0..<1).mean()
      return [loss] + gradients(of: loss, withRespectTo: Array(inputs.dropFirst()))
    }.expandingComposites()
    let simplified = try program.simplified()
    #expect(simplified.instructions.count * 5 < program.instructions.count * 4)
    let inputs = types.enumerated().map { randomArray($0.element.shape, seed: UInt64($0.offset)) }
    let (a, b) = (
      try ReferenceBackend().evaluate(program, inputs), try ReferenceBackend().evaluate(simplified, inputs)
    )
    for (x, y) in zip(a, b) { #expect(difference(y, from: x, Tolerance(relative: 1e-12, absolute: 1e-14)) == nil) }
    #expect(try simplified.simplified() == simplified)
  }

  @Test(arguments: 0..<60) func randomProgramsComputeTheSame(seed: UInt64) throws {
    var random = RandomSource(seed: seed)
    let program = try randomProgram(&random)
    let simplified = try program.simplified()
    var maker = ExampleMaker(seed: seed, dtype: .float64)
    let inputs = program.inputs.map { maker.tensor($0.type.shape, .moderate) }
    let expected = try ReferenceBackend().evaluate(program, inputs)
    let received = try ReferenceBackend().evaluate(simplified, inputs)
    for (a, b) in zip(expected, received) {
      #expect(difference(b, from: a, Tolerance(relative: 1e-9, absolute: 1e-9)) == nil, "seed \(seed)")
    }
    #expect(simplified.instructions.count <= program.instructions.count, "seed \(seed)")
    #expect(try simplified.simplified() == simplified, "seed \(seed)")
  }

  /// A program of operations drawn from those that the rules look at, with constants that the rules look for.
  private func randomProgram(_ random: inout RandomSource) throws -> Program {
    let shape = [random.integer(1...3), random.integer(1...3), 1, random.integer(2...4)]
    var generator = random
    let program = try Program.trace([TensorType(.float64, shape), TensorType(.float64, shape)]) { inputs in
      var pool = inputs + [0.0, 1, -1, 2].map { inputs[0].filled($0) }
      for _ in 0..<25 {
        let x = generator.pick(pool)
        pool.append(step(x, generator.pick(pool), &generator))
      }
      return Array(pool.suffix(4))
    }
    random = generator
    return program
  }

  private func step(_ x: Tensor, _ y: Tensor, _ random: inout RandomSource) -> Tensor {
    let axis = random.integer(0...Swift.max(x.rank - 1, 0))
    switch random.integer(0...15) {
    case 0: return -x
    case 1: return broadcastShape(x.shape, y.shape) == nil ? x : x + y
    case 2: return broadcastShape(x.shape, y.shape) == nil ? x : x - y
    case 3: return broadcastShape(x.shape, y.shape) == nil ? x : (x * y).tanh()
    case 4: return broadcastShape(x.shape, y.shape) == nil ? x : x.maximum(y)
    case 5: return x / 2
    case 6: return x.transposed(Array(0..<x.rank).shuffled(using: &random))
    case 7: return x.reshaped([x.type.elementCount])
    case 8: return x.reshaped([1] + x.shape)
    case 9: return x.sum(axes: [axis], keepDims: random.chance(0.5))
    case 10: return x.rank == 0 ? x : x.reversed(axes: [axis])
    case 11: return x.rank == 0 ? x : x.sliced(axis: axis, 0..<random.integer(1...Swift.max(x.shape[axis], 1)))
    case 12:
      let amount = x.shape.map { _ in random.integer(0...1) }
      return x.padded(low: amount, high: amount.map { -$0 }, with: 1)
    case 13: return x.rank == 0 ? x : Tensor.concatenating([x, x], axis: axis).sliced(axis: axis, 0..<x.shape[axis])
    case 14: return select(x.less(than: x.filled(0)), x, x.abs())
    default: return x.broadcast(to: [2] + x.shape)
    }
  }
}
