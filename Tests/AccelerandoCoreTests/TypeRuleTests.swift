// What is refused while tracing, and that the refusal tells the reader what was wanted, what came, and where.

import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct TypeRuleTests {
  private static let f23 = TensorType(.float32, [2, 3])

  struct Refusal: Sendable, CustomTestStringConvertible {
    let operation: any Operation
    let operands: [TensorType]
    let says: [String]
    var testDescription: String { "\(operation.name) \(operands)" }

    init(_ operation: any Operation, _ operands: [TensorType], says: String...) {
      self.operation = operation
      self.operands = operands
      self.says = says
    }
  }

  static let refusals: [Refusal] = [
    Refusal(Unary(.log), [TensorType(.int32, [2])], says: "float32", "received int32[2]"),
    Refusal(Unary(.log), [], says: "1 operand", "received 0"),
    Refusal(Binary(.add), [f23, TensorType(.float32, [3, 2])], says: "[2, 3]", "[3, 2]"),
    Refusal(Binary(.add), [f23, TensorType(.float64, [2, 3])], says: "float32", "float64"),
    Refusal(Binary(.and), [f23, f23], says: "bool", "received float32[2, 3]"),
    Refusal(Compare(.less), [f23, TensorType(.int32, [2, 3])], says: "same type", "int32"),
    Refusal(Select(), [f23, f23, f23], says: "bool[2, 3]", "received float32[2, 3]"),
    Refusal(Clamp(), [f23, f23, TensorType(.float32, [])], says: "float32[]"),
    Refusal(Iota(f23, axis: 2), [], says: "[2, 3]", "axis 2"),
    Refusal(Reshape([4]), [f23], says: "[4]", "received float32[2, 3] with 6"),
    Refusal(Transpose([0, 0]), [f23], says: "2 axes", "received [0, 0]"),
    Refusal(BroadcastInDim([2, 4], axes: [0, 1]), [f23], says: "[2, 3]", "[2, 4]"),
    Refusal(Reverse(axes: [2]), [f23], says: "received [2]"),
    Refusal(Slice(starts: [0, 0], limits: [3, 3], strides: [1, 1]), [f23], says: "[3, 3]", "float32[2, 3]"),
    Refusal(Pad(low: [0, -4], high: [0, 0], interior: [0, 0]), [f23, TensorType(.float32, [])], says: "[0, -4]"),
    Refusal(Concatenate(axis: 0), [], says: "at least one"),
    Refusal(Concatenate(axis: 0), [f23, TensorType(.float32, [2, 4])], says: "but for axis 0", "[2, 4]"),
    Refusal(DotGeneral(leftContracting: [1], rightContracting: [0]), [f23, f23], says: "axis 1", "axis 0"),
    Refusal(DotGeneral(leftContracting: [5], rightContracting: [0]), [f23, f23], says: "[5]"),
    Refusal(Reduce(.sum, axes: [0, 0]), [f23], says: "distinct axes", "received [0, 0]"),
    Refusal(Reduce(.and, axes: [0]), [f23], says: "'and'", "float32[2, 3]"),
    Refusal(ReduceWindow(.max, WindowGeometry(size: [2], strides: [1])), [f23], says: "each axis of float32[2, 3]"),
    Refusal(
      SelectAndScatter(selectsMax: true, WindowGeometry(size: [1, 3], strides: [1, 3])), [f23, f23],
      says: "float32[2, 1]", "received float32[2, 3]"),
    Refusal(DynamicSlice(sizes: [1, 1]), [f23, TensorType(.int32, [])], says: "start for each axis"),
    Refusal(Sort(axis: 2), [f23], says: "axis 2"),
    Refusal(Softmax(axis: 4), [f23], says: "axis 4", "received float32[2, 3]"),
    Refusal(Gelu(approximate: false), [TensorType(.int32, [2])], says: "floating-point", "received int32[2]"),
    Refusal(
      Convolution(dimensions: .channelsLast(spatial: 2), strides: [1, 1], paddingLow: [0, 0], paddingHigh: [0, 0]),
      [f23, f23], says: "rank 4", "received float32[2, 3]"),
    Refusal(
      Convolution(dimensions: .channelsLast(spatial: 1), strides: [1], paddingLow: [0], paddingHigh: [0]),
      [TensorType(.float32, [1, 5, 3]), TensorType(.float32, [2, 4, 6])], says: "3 input features", "4 per group"),
  ]

  @Test(arguments: refusals)
  func aRefusalSaysWhatWasWantedAndWhatCame(_ refusal: Refusal) {
    let text = message { _ = try refusal.operation.infer(refusal.operands) }
    for part in refusal.says { #expect(text.contains(part), "\(text)") }
  }

  @Test func everyOperationRefusesStrangeOperandsWithoutATrap() {
    let strange: [[TensorType]] = [
      [], [TensorType(.bool, [])], [TensorType(.float32, [0])], [TensorType(.int8, [1, 2, 3, 4, 5, 6])],
      [TensorType(.float32, [2]), TensorType(.int64, [])],
      [TensorType(.uint32, [0, 3]), TensorType(.bfloat16, [7]), TensorType(.float64, [2, 2])],
      [TensorType](repeating: TensorType(.float16, [3, 3]), count: 7),
    ]
    for entry in OperationCatalog.entries {
      for dtype in entry.dtypes.prefix(2) {
        guard let example = entry.example(dtype, seed: 11) else { continue }
        for operands in strange where operands != example.operands.map(\.type) {
          if let text = failure(example.operation, operands) { #expect(!text.isEmpty, "\(entry.name)") }
        }
      }
    }
  }

  private func failure(_ operation: any Operation, _ operands: [TensorType]) -> String? {
    do {
      _ = try operation.infer(operands)
      return nil
    } catch {
      return error.message
    }
  }

  @Test func theFirstErrorIsKeptWithItsPlaceAndTracingGoesOn() {
    let graph = Graph()
    let x = graph.input("x", Self.f23)
    graph.path = ["model", "dense"]
    let wrong = x.matmul(x)
    graph.path = ["model", "later"]
    _ = (wrong + 1).sum().reshaped([7])
    let error = graph.firstError
    #expect(error?.path == ["model", "dense", "dot_general"])
    #expect(message { _ = try Program(graph, outputs: [wrong]) }.hasPrefix("model › dense › dot_general: needs axis 1"))
  }

  @Test func tensorsOfAnotherTraceAreRefused() throws {
    var captured: Tensor?
    _ = try Program.trace([Self.f23]) { inputs in
      captured = inputs[0]
      return inputs
    }
    let foreign = try #require(captured)
    #expect(message { _ = try Program.trace([Self.f23]) { [$0[0] + foreign] } }.contains("another trace"))
    #expect(message { _ = try Program.trace([Self.f23]) { _ in [foreign] } }.contains("another trace"))
  }
}

@Suite struct BroadcastingTests {
  @Test func shapesBroadcastAsInNumPy() {
    #expect(broadcastShape([2, 3], [3]) == [2, 3])
    #expect(broadcastShape([2, 1, 4], [3, 1]) == [2, 3, 4])
    #expect(broadcastShape([], [5]) == [5])
    #expect(broadcastShape([0, 3], [1, 3]) == [0, 3])
    #expect(broadcastShape([1], [0]) == [0])
    #expect(broadcastShape([2], [3]) == nil)
    #expect(broadcastShape([0], [2]) == nil)
  }

  @Test func gradientsAreSummedBackToTheShapeThatWasBroadcast() {
    var maker = ExampleMaker(seed: 1, dtype: .float64)
    let shapes = [([2, 3], [3]), ([2, 1, 4], [3, 1]), ([], [5]), ([1], [2, 2]), ([2, 3, 1], [1, 1, 4])]
    for (a, b) in shapes {
      let inputs = [maker.tensor(a, .range(0.5...2)), maker.tensor(b, .range(0.5...2))]
      #expect(checkGradient(at: inputs) { [$0[0] * $0[1] + $0[0] / $0[1]] } == nil)
    }
  }

  @Test func axesCountFromTheLastWhenNegative() throws {
    let program = try Program.trace([TensorType(.float32, [2, 3, 4])]) { x in
      [x[0].sum(axes: [-1]), x[0].expandingDims(-1), x[0].softmax(axis: -2), x[0].sum(axes: [-3], keepDims: true)]
    }
    #expect(program.outputTypes.map(\.shape) == [[2, 3], [2, 3, 4, 1], [2, 3, 4], [1, 3, 4]])
    #expect(message { _ = try Program.trace([TensorType(.float32, [2])]) { [$0[0].sum(axes: [-2])] } }.contains("-2"))
  }
}
