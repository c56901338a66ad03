import Testing

import AccelerandoCore

@Suite struct GraphTests {
  @Test func tracingCollectsTheFirstErrorWithItsPlace() {
    #expect(throws: GraphError.self) {
      _ = try Program.trace([TensorType(.float32, [2, 3]), TensorType(.float32, [4, 5])]) { [$0[0].matmul($0[1])] }
    }
  }
}
