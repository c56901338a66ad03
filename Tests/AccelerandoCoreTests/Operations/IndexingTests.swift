import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct IndexingTests {
  private let matrix = randomArray([4, 3], seed: 1)
  private let rows = NDArray([2, 0, 2, -5, 9] as [Int32])

  @Test func takingClampsItsIndices() throws {
    let x = NDArray([10, 11, 12] as [Float])
    #expect(try elements([x, rows]) { $0[0].taking($0[1]) } == [12, 10, 12, 10, 12])
  }

  @Test func scatteringSkipsWhatLiesOutside() throws {
    let x = NDArray([0, 0, 0] as [Float])
    let updates = NDArray([1, 2, 3, 4, 5] as [Float])
    #expect(try elements([x, rows, updates]) { $0[0].scattering($0[2], at: $0[1]) } == [2, 0, 4])
  }

  @Test func dynamicStartsAreClamped() throws {
    let x = NDArray([0, 1, 2, 3, 4] as [Float])
    let start = NDArray(scalar: Int32(9))
    #expect(try elements([x, start]) { $0[0].dynamicSliced(starts: [$0[1]], sizes: [2]) } == [3, 4])
    let two = NDArray([7, 8] as [Float])
    #expect(
      try elements([x, start, two]) { $0[0].updatingSlice(with: $0[2], starts: [$0[1]]) } == [0, 1, 2, 7, 8])
  }

  @Test func gradientsOfDynamicSlicesGoWhereTheElementsCameFrom() throws {
    let starts = [NDArray(scalar: Int32(3)), NDArray(scalar: Int32(1))]
    try checkGradient([matrix] + starts) { [$0[0].dynamicSliced(starts: [$0[1], $0[2]], sizes: [2, 2]).sin()] }
    try checkGradient([matrix, randomArray([2, 2], seed: 2)] + starts) {
      [$0[0].updatingSlice(with: $0[1], starts: [$0[2], $0[3]]).sin()]
    }
  }

  @Test(arguments: 0..<2) func takingHasAGradientAlongEveryAxis(axis: Int) throws {
    try checkGradient([matrix, rows]) { [$0[0].taking($0[1], axis: axis).sin()] }
  }

  @Test func takingAlongAnAxisReadsOneElementPerIndex() throws {
    let x = try NDArray([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
    let places = try NDArray([2, 0, 1, 1] as [Int32], shape: [2, 2])
    #expect(try elements([x, places]) { $0[0].takingAlongAxis($0[1], axis: 1) } == [3, 1, 5, 5])
    try checkGradient([matrix, try NDArray([0, 3, 9, 1, 1, 1] as [Int32], shape: [2, 3])]) {
      [$0[0].takingAlongAxis($0[1], axis: 0).sin()]
    }
  }

  @Test(arguments: [Scatter.Function.set, .add, .min, .max]) func scatteringHasAGradient(
    function: Scatter.Function
  ) throws {
    try checkGradient([matrix, rows, randomArray([5, 3], seed: 3)]) {
      [$0[0].scattering($0[2], at: $0[1], function: function).sin()]
    }
  }

  @Test func multiplyingScatterHasAGradientForUniqueIndices() throws {
    let unique = NDArray([2, 0] as [Int32])
    try checkGradient([matrix, unique, randomArray([2, 3], seed: 4)]) {
      [$0[0].scattering($0[2], at: $0[1], function: .multiply, indicesAreUnique: true).sin()]
    }
    #expect(throws: GraphError.self) {
      _ = try Program.trace([TensorType(.float64, [4]), TensorType(.int32, [2]), TensorType(.float64, [2])]) {
        let y = $0[0].scattering($0[2], at: $0[1], function: .multiply)
        return gradients(of: y.sum(), withRespectTo: [$0[0]])
      }
    }
  }

  @Test func gatherOfWindowsHasAGradient() throws {
    let dimensions = Gather.Dimensions(
      offset: [1, 2], collapsed: [], startIndexMap: [1, 0], indexVector: 1)
    let starts = try NDArray([0, 1, 1, 7, 2, 0] as [Int32], shape: [3, 2])
    try checkGradient([matrix, starts]) { inputs in
      [inputs[0].graph.add(Gather(dimensions, sliceSizes: [2, 2]), inputs[0], inputs[1]).sin()]
    }
  }

  @Test func wrongDimensionNumbersAreRefused() {
    #expect(throws: GraphError.self) {
      _ = try Program.trace([TensorType(.float32, [4, 3]), TensorType(.float32, [2])]) { [$0[0].taking($0[1])] }
    }
    #expect(throws: GraphError.self) {
      _ = try Program.trace([TensorType(.float32, [4, 3]), TensorType(.int32, [2])]) { inputs in
        let wrong = Gather.Dimensions(offset: [1], collapsed: [5], startIndexMap: [0], indexVector: 1)
        return [inputs[0].graph.add(Gather(wrong, sliceSizes: [1, 3]), inputs[0], inputs[1])]
      }
    }
  }
}

@Suite struct SortTests {
  @Test func notANumberSortsAboveAllNumbers() throws {
    let x = NDArray([1, .nan, -.infinity, .infinity, 0] as [Float])
    let up = try elements([x]) { $0[0].sorted() }
    #expect(Array(up.prefix(4)) == [-.infinity, 0, 1, .infinity])
    #expect(up[4].isNaN)
    let down = try elements([x]) { $0[0].sorted(descending: true) }
    #expect(down[0].isNaN)
    #expect(Array(down.dropFirst()) == [.infinity, 1, 0, -.infinity])
  }

  @Test func equalElementsKeepTheirOrder() throws {
    let x = NDArray([2, 1, 2, 1, -0.0, 0] as [Float])
    #expect(try elements([x]) { $0[0].argsort() } == [4, 5, 1, 3, 0, 2])
    #expect(try elements([x]) { $0[0].argsort(descending: true) } == [0, 2, 1, 3, 4, 5])
  }

  @Test func theLargestComeFirstWithTheirIndices() throws {
    let x = try NDArray([3, 9, 4, 9, 1, 5] as [Float], shape: [2, 3])
    let top = try evaluate([x]) { [$0[0].topK(2).values, $0[0].topK(2).indices] }
    #expect(top[0].elements(as: Double.self) == [9, 4, 9, 5])
    #expect(top[1].elements(as: Double.self) == [1, 2, 0, 2])
  }

  @Test func gradientsGoBackToWhereElementsCameFrom() throws {
    let x = randomArray([3, 4], seed: 5)
    try checkGradient([x]) { [$0[0].sorted(axis: 0), $0[0].sorted(axis: 1, descending: true)] }
    try checkGradient([x, randomArray([3, 4], seed: 6)]) { inputs in
      inputs[0].graph.add(Sort(axis: 1), inputs).map { $0.sin() }
    }
    try checkGradient([x]) { [$0[0].topK(2).values] }
  }
}
