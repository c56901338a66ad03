import AccelerandoCPU
import AccelerandoCore
import Testing

@Suite struct PartialOutputTests {
  /// The beginning of a larger value lies where that value begins, and needs no less memory.
  @Test(arguments: [1, 3, 70])
  func aResultThatIsTheBeginningOfALargerValueTakesNoMoreThanItsOwnMemory(count: Int) throws {
    let backend = CPUBackend(threads: 1)
    let numbers = (0..<1000).map { Float(($0 * 7919) % 1000) }
    let program = try Program.trace([TensorType(.float32, [1000])]) { [$0[0].sorted().sliced(axis: 0, 0..<count)] }
    let report = try backend.explain(program)
    #expect("\(report)".contains("copy"), "the sorted numbers are larger than the result's memory: \(report)")
    let result = try backend.evaluate(program, [NDArray(numbers)])[0]
    #expect(result.elements(as: Float.self) == (0..<count).map(Float.init))
  }

  @Test func numbersAreSortedAsTheirOrderIsDefined() throws {
    let backend = CPUBackend(threads: 1)
    let numbers: [Float] = [
      3, -0.0, .nan, 0, -.infinity, 2.5, -7, .infinity, -0.0, Float(bitPattern: 9), -Float(bitPattern: 9), 3,
    ]
    for descending in [false, true] {
      let type = TensorType(.float32, [numbers.count, 2])
      let program = try Program.trace([type]) { [$0[0].sorted(axis: 0, descending: descending)] }
      let columns = try NDArray(numbers.flatMap { [$0, -$0] }, shape: [numbers.count, 2])
      let result = try backend.evaluate(program, [columns])[0].elements(as: Float.self)
      for column in 0..<2 {
        let expected = numbers.map { column == 0 ? $0 : -$0 }.enumerated().sorted { a, b in
          let (x, y) = descending ? (b, a) : (a, b)
          if x.element.isNaN || y.element.isNaN {
            if x.element.isNaN && y.element.isNaN { return a.offset < b.offset }
            return y.element.isNaN
          }
          return x.element == y.element ? a.offset < b.offset : x.element < y.element
        }
        let received = numbers.indices.map { result[2 * $0 + column].bitPattern }
        let nan = Float.nan.bitPattern & 0x7fff_ffff
        #expect(
          received.map { $0 & 0x7f80_0000 == 0x7f80_0000 && $0 & 0x7f_ffff != 0 ? nan : $0 }
            == expected.map { $0.element.isNaN ? nan : $0.element.bitPattern })
      }
    }
  }
}
