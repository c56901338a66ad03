// Functions that are traced, compiled and called, from one thread and from several.

import AccelerandoCPU
import AccelerandoCore
import Foundation
import Testing

@Suite struct CompiledFunctionTests {
  @Test func aTracedFunctionIsCalledWithArrays() throws {
    let function = try CPUBackend(threads: 2).function([TensorType(.float32, [3])]) { inputs in
      let (value, gradients) = valueAndGradient(at: inputs) { ($0[0] * $0[0]).sum() }
      return [value] + gradients
    }
    for scale in [1, 2] as [Float] {
      let results = try function(NDArray([scale, 2 * scale, 3 * scale]))
      #expect(results[0].elements(as: Float.self) == [14 * scale * scale])
      #expect(results[1].elements(as: Float.self) == [2 * scale, 4 * scale, 6 * scale])
    }
  }

  @Test func argumentsOfAnotherTypeAreRefusedByNumber() throws {
    let function = try CPUBackend(threads: 1).function([TensorType(.float32, [3])]) { [$0[0] + 1] }
    #expect(throws: GraphError("argument 0 is float32[3]; received float32[2].")) {
      try function(NDArray([1, 2] as [Float]))
    }
    #expect(throws: GraphError.self) { try function() }
  }

  @Test func programsRunFromSeveralThreadsAtOnce() throws {
    let type = TensorType(.float32, [64, 64])
    let program = try Program.trace([type]) { [$0[0].matmul($0[0]).exp().sum(axes: [0])] }
    let input = NDArray(repeating: 0.01, type: type)
    let backend = CPUBackend(threads: 2)
    let expected = try backend.evaluate(program, [input])
    let failures = Failures()
    DispatchQueue.concurrentPerform(iterations: 8) { _ in
      for _ in 0..<50 {
        if (try? backend.evaluate(program, [input])) != expected { failures.add() }
      }
    }
    #expect(failures.count == 0)
  }

  private final class Failures: Sendable {
    private let lock = NSLock()
    nonisolated(unsafe) private var number = 0
    var count: Int { lock.withLock { number } }
    func add() { lock.withLock { number += 1 } }
  }
}
