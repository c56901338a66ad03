import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Testing

@Suite struct DeterminismTests {
  /// Weights after a few epochs, the last batch of which is ragged.
  private func trained(
    threads: Int, batchSize: Int, @LayerBuilder _ layers: () -> [any Layer]
  ) throws -> [NDArray] {
    let model = Model(
      Sequential(layers), inputShape: [12, 12, 1], backend: CPUBackend(threads: threads), seed: 5)
    try model.compile(optimizer: .adam(), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy])
    let count = 2 * batchSize + 11
    let x = try NDArray(RandomKey(seed: 2).uniform(count * 144, from: -1, to: 1), shape: [count, 12, 12, 1])
    let y = NDArray((0..<count).map { Int32($0 * 7 % 10) })
    try model.fit(x, y, epochs: 2, batchSize: batchSize, verbose: .silent)
    return try model.weights().entries.map(\.1)
  }

  private func expectSameBits(batchSize: Int, @LayerBuilder _ layers: () -> [any Layer]) throws {
    let expected = try trained(threads: 1, batchSize: batchSize, layers)
    for threads in [1, 2, 3, 4] {
      #expect(try trained(threads: threads, batchSize: batchSize, layers) == expected, "\(threads) threads")
    }
  }

  @Test(arguments: [32, 70]) func aConvolutionalNetIsTheSameOnAnyNumberOfThreads(batchSize: Int) throws {
    try expectSameBits(batchSize: batchSize) {
      Conv2D(8, kernelSize: (3, 3), activation: .relu)
      MaxPooling2D(poolSize: (2, 2))
      Conv2D(12, kernelSize: (3, 3), padding: .same)
      BatchNormalization()
      Dropout(0.2)
      GlobalAveragePooling2D()
      Dense(10, activation: .softmax)
    }
  }

  @Test(arguments: [9, 40]) func aNetOfManyWeightsAndFewPixelsIsTheSameOnAnyNumberOfThreads(batchSize: Int) throws {
    try expectSameBits(batchSize: batchSize) {
      AveragePooling2D(poolSize: (4, 4))
      Conv2D(200, kernelSize: (1, 1), activation: .relu)
      Conv2D(200, kernelSize: (3, 3), padding: .same, activation: .relu)
      Conv2D(130, kernelSize: (3, 3), strides: (2, 2), padding: .same)
      GlobalAveragePooling2D()
      Dense(10, activation: .softmax)
    }
  }

  @Test(arguments: [9, 33]) func aPerceptronWhoseWeightsStayWithACoreIsTheSameOnAnyNumberOfThreads(batchSize: Int)
    throws
  {
    try expectSameBits(batchSize: batchSize) {
      Flatten()
      Dense(331, activation: .relu)
      Dense(10, activation: .softmax)
    }
  }

  @Test(arguments: [33, 128]) func aPerceptronIsTheSameOnAnyNumberOfThreads(batchSize: Int) throws {
    try expectSameBits(batchSize: batchSize) {
      Flatten()
      Dense(200, activation: .gelu)
      LayerNormalization()
      Dense(10, activation: .softmax)
    }
  }
}
