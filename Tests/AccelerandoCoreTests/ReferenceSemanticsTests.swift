// What the oracle answers where arithmetic leaves room: the cases that StableHLO's specification settles. Everything
// else is held against the oracle, so the oracle itself is held against numbers worked out by hand.

import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct ReferenceSemanticsTests {
  private func evaluate(_ inputs: [NDArray], _ body: ([Tensor]) -> Tensor) throws -> NDArray {
    try ReferenceBackend().evaluate(try Program.trace(inputs.map(\.type)) { [body($0)] }, inputs)[0]
  }

  @Test func integerDivisionByZeroGivesMinusOneAndWrapsAtTheMinimum() throws {
    let a = NDArray([7, -7, Int32.min, 5] as [Int32])
    let b = NDArray([0, 2, -1, -3] as [Int32])
    #expect(try evaluate([a, b]) { $0[0] / $0[1] } == NDArray([-1, -3, Int32.min, -1] as [Int32]))
    #expect(try evaluate([a, b]) { $0[0].remainder($0[1]) } == NDArray([7, -1, 0, 2] as [Int32]))
    let unsigned = NDArray([9, 9] as [UInt8])
    #expect(try evaluate([unsigned, NDArray([0, 2] as [UInt8])]) { $0[0] / $0[1] } == NDArray([255, 4] as [UInt8]))
  }

  @Test func shiftsBeyondTheWidthLeaveZerosOrTheSign() throws {
    let a = NDArray([-128, -1, 64, 3] as [Int8])
    let count = NDArray([8, 7, 1, -1] as [Int8])
    #expect(try evaluate([a, count]) { $0[0].shiftLeft($0[1]) } == NDArray([0, -128, -128, 0] as [Int8]))
    #expect(try evaluate([a, count]) { $0[0].shiftRightLogical($0[1]) } == NDArray([0, 1, 32, 0] as [Int8]))
    #expect(try evaluate([a, count]) { $0[0].shiftRightArithmetic($0[1]) } == NDArray([-1, -1, 32, 0] as [Int8]))
  }

  @Test func conversionToIntegersTruncatesSaturatesAndTakesNaNForZero() throws {
    let x = NDArray([2.9, -2.9, 1e10, -1e10, .nan, -0.5] as [Float])
    #expect(
      try evaluate([x]) { $0[0].converted(to: .int32) } == NDArray([2, -2, .max, .min, 0, 0] as [Int32]))
    #expect(try evaluate([x]) { $0[0].converted(to: .uint8) } == NDArray([2, 0, 255, 0, 0, 0] as [UInt8]))
    #expect(
      try evaluate([x]) { $0[0].converted(to: .bool) } == NDArray([true, true, true, true, true, true]))
  }

  @Test func maximumAndMinimumPassNaNOn() throws {
    let a = NDArray([.nan, 1, 2] as [Float])
    let b = NDArray([1, .nan, 3] as [Float])
    for result in [try evaluate([a, b]) { $0[0].maximum($0[1]) }, try evaluate([a, b]) { $0[0].minimum($0[1]) }] {
      #expect(result.elements(as: Float.self).map(\.isNaN) == [true, true, false])
    }
  }

  @Test func selectAndScatterPicksTheFirstOfEquals() throws {
    let x = NDArray([1, 5, 5, 2] as [Float])
    let program = try Program.trace([x.type, TensorType(.float32, [2])]) { inputs in
      let window = WindowGeometry(size: [3], strides: [1])
      return [inputs[0].graph.add(SelectAndScatter(selectsMax: true, window), inputs[0], inputs[1])]
    }
    let result = try ReferenceBackend().evaluate(program, [x, NDArray([10, 20] as [Float])])
    #expect(result[0] == NDArray([0, 30, 0, 0] as [Float]))
  }

  @Test func padTakesNegativeAndInteriorAmounts() throws {
    let x = NDArray([1, 2, 3] as [Float])
    let result = try evaluate([x]) { $0[0].padded(low: [-1], high: [2], interior: [1], with: 9) }
    #expect(result == NDArray([9, 2, 9, 3, 9, 9] as [Float]))
  }

  @Test func convolutionSlidesWithoutTurningTheKernel() throws {
    let x = try NDArray([1, 2, 3, 4] as [Float], shape: [1, 4, 1])
    let kernel = try NDArray([1, 10] as [Float], shape: [2, 1, 1])
    let result = try evaluate([x, kernel]) { $0[0].convolved(with: $0[1], strides: [1], padding: .same) }
    #expect(result.elements(as: Float.self) == [21, 32, 43, 4])
  }

  @Test func outputsThatTakeOverInputsAreWrittenAfterAllAreComputed() throws {
    let type = TensorType(.float32, [2])
    let program = try Program.trace([("a", type), ("b", type)], aliases: [0: 0, 1: 1]) { [$0[1], $0[0]] }
    let backend = ReferenceBackend()
    let a = try backend.upload(NDArray([1, 2] as [Float]))
    let b = try backend.upload(NDArray([3, 4] as [Float]))
    try backend.compile(program).bind([a, b]).run()
    #expect(try a.read() == NDArray([3, 4] as [Float]))
    #expect(try b.read() == NDArray([1, 2] as [Float]))
  }

  @Test func narrowTypesAreRoundedAfterEveryOperationUnlessExact() throws {
    let program = try Program.trace([TensorType(.float16, [])]) { [($0[0] + 2048) - 2048] }
    let input = NDArray(scalar: Half(nearestTo: 0.5))
    #expect(try ReferenceBackend().evaluate(program, [input])[0].elements(as: Double.self) == [0])
    #expect(try ReferenceBackend(exact: true).evaluate(program, [input])[0].elements(as: Double.self) == [0.5])
  }
}

@Suite struct ReferenceContractTests {
  @Test(arguments: BackendPromise.all)
  func theOracleKeepsWhatBackendsPromise(_ promise: BackendPromise) throws {
    #expect(try promise.check(ReferenceBackend()) == nil)
  }
}
