// Training on a device comes to what the engine for the processor comes to, whether steps are run one by one, many at a time,
// or on streams.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoData
import AccelerandoNN
import AccelerandoTrain
import AccelerandoXLA
import Testing

/// The small perceptron and the small convolutional network for images.
private func imageModel(_ name: String, _ backend: any Backend) throws -> Model {
  let layers = Sequential {
    Rescaling(1 / 255)
    if name == "cnn" {
      Conv2D(8, kernelSize: (3, 3), activation: .relu)
      MaxPooling2D()
    }
    Flatten()
    if name == "mlp" { Dense(64, activation: .relu) }
    Dense(10, activation: .softmax)
  }
  let model = Model(layers, inputShape: [28, 28, 1], backend: backend, seed: 5)
  try model.compile(optimizer: .adam(), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy])
  return model
}

/// The loss of each step of a training.
private func losses(_ model: Model, _ data: Dataset, steps: Int) throws -> [Double] {
  var sums: [Double] = [0]
  var counts: [Double] = [0]
  let follower = LambdaCallback(batchEnd: { step, run in
    let mean = try run.logs()["loss"] ?? .nan
    counts.append(Double(step + 1))
    sums.append(mean * Double(step + 1))
  })
  try model.fit(data, stepsPerEpoch: steps, callbacks: [follower], verbose: .silent)
  return (1..<sums.count).map { sums[$0] - sums[$0 - 1] }
}

/// Counts the hooks that it is called at, and needs none of them in time.
private final class HookCounter: Callback {
  var begun: [Int] = []
  var ended: [Int] = []
  func onTrainBatchBegin(_ step: Int, _ run: TrainingRun) { begun.append(step) }
  func onTrainBatchEnd(_ step: Int, _ run: TrainingRun) { ended.append(step) }
}

/// Acts after every so many steps.
private final class Interval: Callback {
  let stepInterval: Int?
  var seen: [Int] = []
  init(_ interval: Int) { stepInterval = interval }
  func onTrainBatchEnd(_ step: Int, _ run: TrainingRun) {
    if run.totalSteps % (stepInterval ?? 1) == 0, seen.last != run.totalSteps { seen.append(run.totalSteps) }
  }
}

@Suite(.enabled(if: TestPlugins.isThere, TestPlugins.whySkipped))
struct DeviceTrainingTests {
  private let backend = TestPlugins.backends[0]

  private func images(_ count: Int) throws -> Dataset {
    let sample = try FashionMNIST.sample().train
    return try Dataset(sample.images.rows(0..<count), sample.labels.rows(0..<count))
  }

  @Test(arguments: ["mlp", "cnn"])
  func theFirstHundredLossesAreThoseOfTheEngineForTheProcessor(_ name: String) throws {
    let data = try images(500)
    let native = try losses(try imageModel(name, CPUBackend(threads: 2)), data, steps: 100)
    for backend in TestPlugins.backends {
      let device = try losses(try imageModel(name, backend), data, steps: 100)
      #expect(native.count == 100 && device.count == 100)
      for (step, (a, b)) in zip(native, device).enumerated() {
        #expect(abs(a - b) <= 1e-3 * abs(a), "\(name), step \(step + 1): \(a) and \(b)")
      }
    }
  }

  @Test func stepsRunManyAtATimeEndWithTheBitsOfStepsRunOneByOne() throws {
    let data = try images(330)
    var weights: [Store] = []
    var histories: [History] = []
    for callback in [LambdaCallback(batchEnd: { _, _ in }), LambdaCallback()] {
      let model = try imageModel("mlp", backend)
      histories.append(
        try model.fit(data, epochs: 3, validation: data, callbacks: [callback], verbose: .silent))
      weights.append(try model.weights())
    }
    #expect(weights[0] == weights[1])
    #expect(histories[0].epochs.map(\.logs) == histories[1].epochs.map(\.logs))
    #expect(histories[1].epochs.map(\.steps) == [11, 11, 11])
  }

  @Test func hooksAreCalledForEveryStepInOrder() throws {
    let counter = HookCounter()
    let interval = Interval(4)
    try imageModel("mlp", backend).fit(
      try images(330), epochs: 2, callbacks: [counter, interval], verbose: .silent)
    #expect(counter.begun == Array(0..<11) + Array(0..<11))
    #expect(counter.ended == counter.begun)
    // Launches end where the callback acts.
    #expect(interval.seen == [4, 8, 12, 16, 20])
  }

  @Test func stepsPerEpochGoOnWithTheNextPass() throws {
    let data = try images(100)
    let models = [try imageModel("mlp", backend), try imageModel("mlp", CPUBackend(threads: 2))]
    for model in models { try model.fit(data, epochs: 3, stepsPerEpoch: 5, verbose: .silent) }
    #expect(try models[0].iteration() == 15)
    let (a, b) = (try models[0].weights(), try models[1].weights())
    for (name, value) in a.entries { #expect(largestDifference(value, b[name]) < 1e-4, "\(name)") }
  }

  @Test func streamsTrainAsArraysDo() throws {
    let data = try images(96)
    let sample = try FashionMNIST.sample().train
    let (x, y) = (sample.images, sample.labels)
    let stream = Dataset(batches: {
      try (0..<3).map {
        Batch(features: [try x.rows($0 * 32..<$0 * 32 + 32)], labels: try y.rows($0 * 32..<$0 * 32 + 32))
      }
    })
    let models = try (0..<2).map { _ in try imageModel("mlp", backend) }
    try models[0].fit(data, epochs: 2, shuffle: false, verbose: .silent)
    try models[1].fit(stream, epochs: 2, verbose: .silent)
    let (a, b) = (try models[0].weights(), try models[1].weights())
    for (name, value) in a.entries { #expect(largestDifference(value, b[name]) < 1e-5, "\(name)") }
  }

  @Test func aModelThatMovesGoesOnWhereItWas() throws {
    let data = try images(96)
    let moving = try imageModel("mlp", CPUBackend(threads: 2))
    let staying = try imageModel("mlp", CPUBackend(threads: 2))
    for model in [moving, staying] {
      try model.fit(data, verbose: .silent)
      if model === moving { try model.move(to: backend) }
      try model.fit(data, epochs: 2, initialEpoch: 1, verbose: .silent)
    }
    #expect(moving.backend.name == "xla-cpu")
    #expect(try moving.iteration() == 6)
    let (a, b) = (try moving.weights(), try staying.weights())
    for (name, value) in a.entries { #expect(largestDifference(value, b[name]) < 1e-4, "\(name)") }
  }
}

/// The largest difference of elements.
func largestDifference(_ a: NDArray, _ b: NDArray?) -> Double {
  guard let b, a.type == b.type else { return .infinity }
  return zip(a.elements(as: Double.self), b.elements(as: Double.self)).map { abs($0 - $1) }.max() ?? 0
}
