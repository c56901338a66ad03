// Arrays on the host against plain loops over indices, for random shapes and element types.

import AccelerandoCore
import Testing

@Suite struct ArrayComputationTests {
  private static let types: [DType] = [.float32, .float64, .bfloat16, .float16, .int8, .uint8, .int32, .int64, .uint32]

  private func randomArray(_ shape: [Int], _ dtype: DType, _ generator: inout SystemRandomNumberGenerator) -> NDArray {
    let values = (0..<shape.elementCount).map { _ in Double(Int.random(in: 0...9, using: &generator)) }
    return (try? NDArray(values, shape: shape))?.converted(to: dtype) ?? NDArray(values)
  }

  private func randomShape(_ generator: inout SystemRandomNumberGenerator, from least: Int = 0) -> [Int] {
    (0..<Int.random(in: 0...4, using: &generator)).map { _ in Int.random(in: least...4, using: &generator) }
  }

  /// All indices of a shape, in row-major order.
  private func places(_ shape: [Int]) -> [[Int]] {
    shape.reduce([[]]) { known, count in known.flatMap { place in (0..<count).map { place + [$0] } } }
  }

  private func element(_ array: NDArray, _ place: [Int]) -> Double {
    array.elements(as: Double.self)[zip(place, array.shape.rowMajorStrides).reduce(0) { $0 + $1.0 * $1.1 }]
  }

  @Test func subscriptSelectsWhatAnIndexLoopSelects() throws {
    var generator = SystemRandomNumberGenerator()
    for round in 0..<200 {
      let array = randomArray(randomShape(&generator, from: 1), Self.types[round % Self.types.count], &generator)
      var (indices, chosen, kept): ([any NDArrayIndex], [[Int]], [Bool]) = ([], [], [])
      for count in array.shape.prefix(Int.random(in: 0...array.shape.count, using: &generator)) {
        let low = Int.random(in: 0..<count, using: &generator)
        let high = Int.random(in: low..<count, using: &generator)
        let (index, places): (any NDArrayIndex, [Int]) =
          switch Int.random(in: 0..<7, using: &generator) {
          case 0: (low, [low])
          case 1: (low - count, [low])
          case 2: (low..<high, Array(low..<high))
          case 3: (low...high, Array(low...high))
          case 4: (low..., Array(low..<count))
          case 5: (..<high, Array(0..<high))
          default: (...(high - count), Array(0...high))
          }
        indices.append(index)
        chosen.append(places)
        kept.append(index.keepsAxis)
      }
      let rest = array.shape.dropFirst(chosen.count).map { Array(0..<$0) }
      let all = (chosen + rest).reduce([[]]) { known, next in known.flatMap { place in next.map { place + [$0] } } }
      let result: NDArray =
        switch indices.count {
        case 0: try array[]
        case 1: try array[indices[0]]
        case 2: try array[indices[0], indices[1]]
        case 3: try array[indices[0], indices[1], indices[2]]
        default: try array[indices[0], indices[1], indices[2], indices[3]]
        }
      let remaining: [Int] = zip(chosen, kept).filter(\.1).map(\.0.count)
      #expect(result.shape == remaining + rest.map(\.count))
      #expect(result.dtype == array.dtype)
      let selected: [Double] = all.map { element(array, $0) }
      #expect(result.elements(as: Double.self) == selected)
    }
  }

  @Test func whatIsSetIsReadAndNothingElseChanges() throws {
    var array = try NDArray((0..<24).map(Float.init), shape: [2, 3, 4])
    let before = array
    try array.set(1, 0..., -1, to: NDArray([7, 8, 9] as [Double]))
    #expect(try array[1, 0..., 3].elements(as: Float.self) == [7, 8, 9])
    #expect(try array[0] == before[0])
    #expect(try array[1, 0..., ..<3] == before[1, 0..., ..<3])
    try array.set(0, to: 5)
    #expect(array.elements(as: Float.self).prefix(12).allSatisfy { $0 == 5 })
    try array.set(0..., 1, to: NDArray([1, 2, 3, 4] as [Float]))
    #expect(try array[0, 1].elements(as: Float.self) == [1, 2, 3, 4])
    #expect(try array[1, 1].elements(as: Float.self) == [1, 2, 3, 4])
    #expect(before.elements(as: Float.self) == (0..<24).map(Float.init))
  }

  @Test func arithmeticBroadcastsAsNumPyDoes() throws {
    var generator = SystemRandomNumberGenerator()
    for round in 0..<200 {
      let dtype = Self.types[round % Self.types.count]
      let shape = randomShape(&generator)
      func operand() -> NDArray {
        let own = shape.map { Bool.random(using: &generator) ? $0 : 1 }
        return randomArray(Array(own.dropFirst(Int.random(in: 0...own.count, using: &generator))), dtype, &generator)
      }
      let (a, b) = (operand(), operand())
      let rank = max(a.shape.count, b.shape.count)
      let padded = [a, b].map { [Int](repeating: 1, count: rank - $0.shape.count) + $0.shape }
      let result = zip(padded[0], padded[1]).map { $0 == 1 ? $1 : $0 }
      func read(_ array: NDArray, _ place: [Int]) -> Double {
        let own = place.suffix(array.shape.count)
        return element(array, zip(own, array.shape).map { $1 == 1 ? 0 : $0 })
      }
      func expect(_ array: NDArray, _ function: (Double, Double) -> Double) {
        let expected: [Double] = places(result).map { function(read(a, $0), read(b, $0)) }
        #expect(array.shape == result)
        #expect(array == (try? NDArray(expected, shape: result).converted(to: dtype)))
      }
      expect(try a + b) { $0 + $1 }
      expect(try a * b) { $0 * $1 }
      if dtype != .uint8, dtype != .uint32 { expect(try a - b) { $0 - $1 } }
      if dtype.isFloating { expect(try a / b) { $0 / $1 } }
    }
  }

  @Test func integersWrapAroundAndDivideTowardZero() throws {
    let a = NDArray([100, -100, -7] as [Int8])
    #expect(try (a + a).elements(as: Int8.self) == [-56, 56, -14])
    #expect(try (a / 2).elements(as: Int8.self) == [50, -50, -3])
    #expect(try (NDArray([3] as [UInt8]) - 5).elements(as: UInt8.self) == [254])
    let large = NDArray([Int64.max])
    #expect(try (large + 1).elements(as: Int64.self) == [Int64.min])
    #expect(try (NDArray([Int64.min]) / -1).elements(as: Int64.self) == [Int64.min])
  }

  @Test func numbersCombineWithArrays() throws {
    let a = NDArray([1, 2, 4] as [Float])
    #expect(try ((a - 1) / 2).elements(as: Float.self) == [0, 0.5, 1.5])
    #expect(try (8 / a).elements(as: Float.self) == [8, 4, 2])
    #expect(try (1 - a).elements(as: Float.self) == [0, -1, -3])
    #expect(try (-a).elements(as: Float.self) == [-1, -2, -4])
    #expect(a.map { $0.squareRoot() }.elements(as: Double.self)[2] == 2)
  }

  @Test func reductionsEqualPlainLoops() throws {
    var generator = SystemRandomNumberGenerator()
    for round in 0..<200 {
      let dtype = Self.types[round % Self.types.count]
      let array = randomArray(randomShape(&generator, from: 1), dtype, &generator)
      let axes = array.shape.indices.filter { _ in Bool.random(using: &generator) }
      let kept = array.shape.indices.filter { !axes.contains($0) }
      let groups = places(kept.map { array.shape[$0] }).map { outer in
        places(axes.map { array.shape[$0] }).map { inner -> Double in
          var place = array.shape
          for (axis, index) in zip(kept, outer) { place[axis] = index }
          for (axis, index) in zip(axes, inner) { place[axis] = index }
          return element(array, place)
        }
      }
      func expect(_ result: NDArray, _ dtype: DType, _ function: ([Double]) -> Double) {
        let expected = try? NDArray(groups.map(function), shape: kept.map { array.shape[$0] }).converted(to: dtype)
        #expect(result == expected)
      }
      let signed = axes.map { Bool.random(using: &generator) ? $0 : $0 - array.shape.count }
      let real = dtype.isFloating ? dtype : .float32
      expect(try array.sum(axes: signed), dtype.isFloating ? dtype : .int64) { $0.reduce(0, +) }
      expect(try array.mean(axes: signed), real) { $0.reduce(0, +) / Double($0.count) }
      expect(try array.max(axes: signed), dtype) { $0.max() ?? 0 }
      expect(try array.min(axes: signed), dtype) { $0.min() ?? 0 }
      if axes.count == 1 {
        expect(try array.argMax(axis: signed[0]), .int32) { group in
          Double(group.firstIndex(of: group.max() ?? 0) ?? -1)
        }
        expect(try array.argMin(axis: signed[0]), .int32) { group in
          Double(group.firstIndex(of: group.min() ?? 0) ?? -1)
        }
      }
      let remaining = try array.sum(axes: signed, keepDims: true)
      let ones: [Int] = array.shape.indices.map { axes.contains($0) ? 1 : array.shape[$0] }
      #expect(remaining.shape == ones)
    }
    let numbers = NDArray([2, 4, 4, 4, 5, 5, 7, 9] as [Float])
    #expect(try numbers.standardDeviation().item() == 2)
    #expect(try numbers.variance().item() == 4)
    #expect(try NDArray([UInt8](repeating: 255, count: 1000)).sum().item(as: Int64.self) == 255_000)
    #expect(try NDArray([1, .nan, 3] as [Float]).max().item().isNaN)
    #expect(try NDArray([1, .nan, 3] as [Float]).argMax().item() == 1)
  }

  @Test func transposingTwiceGivesTheArrayBack() throws {
    let array = try NDArray((0..<24).map(Int32.init), shape: [2, 3, 4])
    let turned = try array.transposed([2, 0, 1])
    #expect(turned.shape == [4, 2, 3])
    for place in places([2, 3, 4]) {
      #expect(element(array, place) == element(turned, [place[2], place[0], place[1]]))
    }
    #expect(try turned.transposed([1, 2, 0]) == array)
    #expect(try array.transposed().shape == [4, 3, 2])
  }

  @Test func wrongIndicesShapesAndTypesAreErrorsThatSayWhatIsThere() throws {
    let array = try NDArray((0..<6).map(Float.init), shape: [2, 3])
    func message(_ body: () throws -> Void) -> String {
      do { try body() } catch { return "\(error)" }
      return "no error"
    }
    #expect(message { _ = try array[2] } == "axis 0 of float32[2, 3] has 2 elements; received the index 2.")
    #expect(message { _ = try array[0, 1..<5] } == "axis 1 of float32[2, 3] has 3 elements; received the index 1..<5.")
    #expect(message { _ = try array[0, 0, 0] } == "float32[2, 3] has 2 axes; received 3 indices.")
    #expect(message { _ = try array[Int.min] }.contains("received the index"))
    #expect(message { _ = try array[Int.max...] }.contains("received the index"))
    #expect(message { _ = try array[...Int.max] }.contains("received the index"))
    #expect(message { _ = try array + NDArray([1, 2] as [Float]) }.contains("float32[2, 3] + float32[2] needs shapes"))
    #expect(message { _ = try array + NDArray([1, 2, 3] as [Int32]) }.contains("needs two arrays of one type"))
    #expect(message { _ = try NDArray([1] as [Int32]) * 0.5 }.contains("converted(to: .float32)"))
    #expect(message { _ = try NDArray([1] as [Int32]) / 0 } == "an integer is divided by 0.")
    #expect(message { _ = try array.sum(axes: [2]) } == "float32[2, 3] has 2 axes; received the axis 2.")
    #expect(message { _ = try NDArray(zeros: TensorType(.float32, [0, 2])).max() }.contains("axis 0"))
    #expect(message { _ = try array.item() }.contains("needs an array of one element; received float32[2, 3]"))
    #expect(message { _ = try array.transposed([0, 0]) }.contains("needs an order of the axes"))
    var copy = array
    #expect(message { try copy.set(0, to: NDArray([1, 2] as [Float])) }.contains("does not broadcast to [3]"))
    #expect(copy == array)
  }

  @Test func descriptionShowsTypeAndAlignedElements() throws {
    #expect(
      "\(try NDArray([1, 2.5, -3, 4, 1 / 3.0, 100], shape: [2, 3]))" == """
        float64[2, 3]
        [[     1.0,      2.5,     -3.0],
         [     4.0, 0.333333,    100.0]]
        """)
    #expect("\(NDArray([1, 20, 300] as [Int32]))" == "int32[3]\n[  1,  20, 300]")
    #expect("\(NDArray(scalar: true))" == "bool[] true")
    #expect("\(NDArray(zeros: TensorType(.float32, [2, 0])))" == "float32[2, 0] []")
    let large = "\(try NDArray((0..<20000).map(Int32.init), shape: [100, 200]))"
    #expect(large.split(separator: "\n").count == 8)
    #expect(large.contains("[    0,     1,     2, …,   197,   198,   199],"))
    #expect(
      "\(NDArray(zeros: TensorType(.int8, [2, 2, 2])))" == """
        int8[2, 2, 2]
        [[[0, 0],
          [0, 0]],

         [[0, 0],
          [0, 0]]]
        """)
  }
}
