import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import CAllocationCounter
import Foundation
import Synchronization
import Testing

@Suite struct InferenceFunctionTests {
  private func model() throws -> Model {
    let layers = Sequential {
      Conv2D(8, kernelSize: (3, 3), activation: .relu)
      MaxPooling2D(poolSize: (2, 2))
      Flatten()
      Dense(10, activation: .softmax)
    }
    let model = Model(layers, inputShape: [12, 12, 1], backend: testBackend, seed: 4)
    try model.compile(optimizer: .adam(), loss: .sparseCategoricalCrossentropy)
    return model
  }

  private func images(_ count: Int) throws -> NDArray {
    try NDArray(RandomKey(seed: 9).uniform(count * 144, from: 0, to: 1), shape: [count, 12, 12, 1])
  }

  @Test(arguments: [1, 3]) func givesWhatPredictGives(batchSize: Int) throws {
    let model = try model()
    let x = try images(batchSize)
    let expected = try model.predict(x, batchSize: batchSize).elements(as: Double.self)
    let received = try model.inferenceFunction(batchSize: batchSize)(x).elements(as: Double.self)
    // Frozen weights may be laid out for another order of summation.
    #expect(zip(expected, received).allSatisfy { abs($0 - $1) < 1e-6 } && expected.count == received.count)
  }

  @Test func keepsItsValuesWhileTheModelTrainsOn() throws {
    let model = try model()
    let x = try images(1)
    let function = try model.inferenceFunction()
    let before = try function(x)
    try model.fit(try images(16), NDArray((0..<16).map { Int32($0 % 10) }), epochs: 2, batchSize: 8, verbose: .silent)
    #expect(try function(x) == before)
    #expect(try model.inferenceFunction()(x) != before)
  }

  @Test(.enabled(if: allocation_count() >= 0)) func aCallOnPointersAllocatesNothing() throws {
    let function = try model().inferenceFunction()
    let input = [Float](repeating: 0.5, count: 144)
    var output = [Float](repeating: 0, count: 10)
    let counts = try input.withUnsafeBufferPointer { input in
      try output.withUnsafeMutableBufferPointer { output in
        try function(input, into: output)
        let before = allocation_count()
        for _ in 0..<20 { try function(input, into: output) }
        return allocation_count() - before
      }
    }
    #expect(counts == 0)
    #expect(abs(output.reduce(0, +) - 1) < 1e-5)
  }

  @Test func copiesWorkOnSeveralThreadsAtOnce() throws {
    struct Shared: @unchecked Sendable { let functions: [InferenceFunction] }
    let function = try model().inferenceFunction()
    let x = try images(1)
    let expected = try function(x)
    let shared = Shared(functions: try (0..<4).map { _ in try function.copy() })
    let failures = Mutex(0)
    DispatchQueue.concurrentPerform(iterations: 4) { index in
      for _ in 0..<200 where (try? shared.functions[index](x)) != expected { failures.withLock { $0 += 1 } }
    }
    #expect(failures.withLock { $0 } == 0)
  }

  @Test func wrongShapesAreErrors() throws {
    let function = try model().inferenceFunction()
    #expect(message { _ = try function(try images(2)) }.contains("[1, 12, 12, 1]"))
    #expect(message { _ = try model().inferenceFunction(batchSize: 0) }.contains("at least 1"))
  }
}
