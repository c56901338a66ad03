// Models that share weights on a device, whose buffers are exchanged by every step; and the options of layers and optimizers there.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import AccelerandoTestSupport
import AccelerandoTrain
import Testing

@Suite(.enabled(if: TestPlugins.isThere, TestPlugins.whySkipped))
struct SharedMemoryTests {
  private func data() throws -> (NDArray, NDArray) {
    (
      try NDArray(RandomKey(seed: 1).normal(40 * 3), shape: [40, 3]),
      try NDArray(RandomKey(seed: 2).normal(40 * 2), shape: [40, 2])
    )
  }

  @Test func aModelOfTheLayersOfAnotherSeesItsTraining() throws {
    let backend = TestPlugins.backends[0]
    let input = Input(shape: [3])
    let hidden = Dense(4, activation: .tanh)(input)
    let whole = Model(inputs: [input], output: Dense(2)(hidden), backend: backend)
    try whole.compile(optimizer: .adam(0.05), loss: .meanSquaredError)
    let (x, y) = try data()
    let part = Model(inputs: [input], output: hidden, backend: backend)
    let before = try part.predict(x)
    try whole.fit(x, y, epochs: 2, verbose: .silent)
    let after = try part.predict(x)
    #expect(before != after)
    #expect(try part.weights()["layers.0.weight"] == whole.weights()["layers.0.weight"])
    let apart = Model(part.layer, inputShape: [3], backend: backend)
    try apart.setWeights(try part.weights())
    #expect(try apart.predict(x) == after)
  }

  @Test func optionsGiveTheNumbersOfTheEngineForTheProcessor() throws {
    let (x, y) = try data()
    func losses(_ backend: any Backend) throws -> [Double] {
      let layer = Sequential {
        Dense(6, activation: .tanh).regularized(kernel: .l1l2(), activity: .l2(0.1)).constrained(kernel: .maxNorm(0.8))
        Dense(2).regularized(kernel: .orthogonal(0.1)).constrained(kernel: .unitNorm(), bias: .nonNeg)
      }
      let model = Model(layer, inputShape: [3], backend: backend, seed: 3)
      try model.compile(
        optimizer: .adam(0.05).accumulatingGradients(steps: 3).averagingWeights(momentum: 0.8, overwriteFrequency: 4),
        loss: .meanSquaredError)
      let history = try model.fit(x, y, epochs: 6, batchSize: 9, shuffle: false, verbose: .silent)
      return try history.epochs.map { $0.logs["loss"] ?? .nan } + [model.evaluate(x, y)["loss"] ?? .nan]
    }
    let native = try losses(CPUBackend(threads: 2))
    for backend in TestPlugins.backends {
      for (a, b) in zip(native, try losses(backend)) { #expect(abs(a - b) < 1e-4 * abs(a), "\(a) and \(b)") }
    }
  }
}
