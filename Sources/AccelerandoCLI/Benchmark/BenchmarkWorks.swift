// The kinds of work, each a small value that parses its name and can be measured.

import Accelerando
import Foundation

/// The settings of measurements.
struct Bench {
  let backend: any Backend
  let precision: Precision
  let seconds: Double
  let samples: Int
  let data: String?

  func fashionMNIST() throws -> ImageDataset {
    try FashionMNIST.load(from: .current(named: data.map { URL(fileURLWithPath: $0, isDirectory: true) }))
  }

  /// The program, bound to inputs of random numbers.
  func bound(_ types: [TensorType], _ body: ([Tensor]) -> [Tensor]) throws -> any Execution {
    let executable = try backend.compile(Program.trace(types, body))
    let key = RandomKey(seed: 2)
    return try executable.bind(
      try types.enumerated().map { index, type in
        try backend.upload(NDArray(key.folded(UInt32(index)).normal(type.elementCount), shape: type.shape))
      })
  }
}

/// A piece of work that can be timed.
protocol BenchmarkWork: Sendable {
  /// Parses the work's name; nil when the name is of another kind or invalid.
  init?(name: String)
  /// The unit that is timed.
  var unit: String { get }
  /// Floating-point operations per unit, if known.
  var flops: Int? { get }
  func measure(_ bench: Bench) throws -> Measurement
}

extension BenchmarkWork {
  var flops: Int? { nil }

  /// The components of a name after its kind.
  static func parts(_ name: String, of kind: String) -> [Substring]? {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    return parts.first.map { $0 == kind } == true ? Array(parts.dropFirst()) : nil
  }

  /// `MODEL/BATCH` after a kind.
  static func modelAndBatch(_ name: String, of kind: String) -> (model: BenchmarkModel, batch: Int)? {
    guard let parts = parts(name, of: kind), parts.count == 2, let model = BenchmarkModel.named(parts[0]),
      let batch = Int(parts[1]), (1...1 << 20).contains(batch)
    else { return nil }
    return (model, batch)
  }
}

/// Training steps, through `fit`, over whole epochs of data in memory.
struct TrainingWork: BenchmarkWork {
  let model: BenchmarkModel
  let batch: Int

  var unit: String { "step" }

  init?(name: String) {
    guard let (model, batch) = Self.modelAndBatch(name, of: "train") else { return nil }
    self.model = model
    self.batch = batch
  }

  func measure(_ bench: Bench) throws -> Measurement {
    guard let steps = model.steps else { return try measureOnFashionMNIST(bench) }
    let trained = try model.make(backend: bench.backend, precision: bench.precision)
    return try timeEpochs(of: trained, on: madeUpData(steps * batch), bench)
  }

  private func measureOnFashionMNIST(_ bench: Bench) throws -> Measurement {
    let data = try bench.fashionMNIST()
    let trained = try model.make(backend: bench.backend, readsBytes: true, precision: bench.precision)
    let training = try Dataset(data.train.prefix(bench.samples))
    var result = try timeEpochs(of: trained, on: training, bench)
    result.accuracy = try trained.evaluate(Dataset(data.test), batchSize: 256)["accuracy"]
    return result
  }

  /// Random samples with random classes, which can be memorized.
  private func madeUpData(_ count: Int) throws -> Dataset {
    let labels = RandomKey(seed: 1).folded("labels").bits(count).map { Int32($0 % UInt32(model.classes)) }
    return try Dataset(model.samples(count), NDArray(labels))
  }

  /// At least one epoch, and as many as the time allows, after a warm-up epoch.
  private func timeEpochs(of trained: Model, on data: Dataset, _ bench: Bench) throws -> Measurement {
    let count = data.count ?? 0
    // The warm-up compiles every shape of the next epochs: full batches, and the shorter last one. Devices that hold
    // the data have programs for their number of samples.
    let few = bench.backend.runsAhead ? data : data.prefix(min(count, 40 * batch + count % batch))
    try trained.fit(few, epochs: 1, batchSize: batch, verbose: .silent)
    let start = ContinuousClock.now
    let clock = LambdaCallback(epochEnd: { epoch, _, run in
      let spent = (ContinuousClock.now - start).inSeconds
      run.stopsTraining = spent * Double(epoch + 2) / Double(epoch + 1) > bench.seconds
    })
    let history = try trained.fit(data, epochs: .max, batchSize: batch, callbacks: [clock], verbose: .silent)
    var result = Measurement(times: history.epochs.map(\.seconds), unitsEach: data.steps(batchSize: batch) ?? 1)
    result.loss = history["loss"].last
    let features = trained.inputs.map { TensorType($0.dtype, $0.shape) }
    let types = BatchTypes(features: features, labels: TensorType(.int32, []))
    let program = try trained.stepProgram(.train, on: types, batchSize: batch)
    result.productFlops = try ProgramArithmetic(program).products.values.reduce(0, +)
    return result
  }
}

extension BenchmarkModel {
  /// Random samples.
  fileprivate func samples(_ count: Int) throws -> NDArray {
    let key = RandomKey(seed: 1).folded("samples")
    let shape = [count] + input
    guard let vocabulary else { return try NDArray(key.normal(shape.elementCount), shape: shape) }
    return try NDArray(key.bits(shape.elementCount).map { Int32($0 % UInt32(vocabulary)) }, shape: shape)
  }
}

/// The outputs for the 10,000 images of the test data, or for one batch of random samples.
struct PredictionWork: BenchmarkWork {
  let model: BenchmarkModel
  let batch: Int

  var unit: String { model.steps == nil ? "10,000" : "batch" }

  init?(name: String) {
    guard let (model, batch) = Self.modelAndBatch(name, of: "predict") else { return nil }
    self.model = model
    self.batch = batch
  }

  func measure(_ bench: Bench) throws -> Measurement {
    if model.steps != nil {
      let function = try model.make(backend: bench.backend).inferenceFunction(batchSize: batch)
      let samples = try model.samples(batch)
      return try .of(seconds: bench.seconds) { _ = try function(samples) }
    }
    let images = try bench.fashionMNIST().test.images
    let trained = try model.make(backend: bench.backend, readsBytes: true)
    return try .of(seconds: bench.seconds) { _ = try trained.predict(images, batchSize: batch) }
  }
}

/// The output for one sample.
struct LatencyWork: BenchmarkWork {
  let model: BenchmarkModel

  var unit: String { "call" }

  init?(name: String) {
    guard let parts = Self.parts(name, of: "latency"), parts.count == 1, let model = BenchmarkModel.named(parts[0]),
      model.vocabulary == nil
    else { return nil }
    self.model = model
  }

  func measure(_ bench: Bench) throws -> Measurement {
    let function = try model.make(backend: bench.backend).inferenceFunction()
    let sample = RandomKey(seed: 2).normal(model.input.elementCount)
    var output = [Float](repeating: 0, count: model.classes)
    return try sample.withUnsafeBufferPointer { sample in
      try output.withUnsafeMutableBufferPointer { output in
        try .of(seconds: bench.seconds) { try function(sample, into: output) }
      }
    }
  }
}

/// The peak memory of the process while it trains for an epoch.
struct MemoryWork: BenchmarkWork {
  let training: TrainingWork

  var unit: String { "step" }

  init?(name: String) {
    guard let parts = Self.parts(name, of: "memory"),
      let training = TrainingWork(name: "train/" + parts.joined(separator: "/"))
    else { return nil }
    self.training = training
  }

  func measure(_ bench: Bench) throws -> Measurement {
    let before = ResidentMemory.now
    var result = try training.measure(bench)
    result.importBytes = before
    return result
  }
}

/// A program that does almost nothing: the cost of a call to the device. Calls are enqueued one after the other, like
/// training steps.
struct DispatchWork: BenchmarkWork {
  var unit: String { "call" }

  init?(name: String) {
    guard name == "dispatch" else { return nil }
  }

  func measure(_ bench: Bench) throws -> Measurement {
    let execution = try bench.bound([TensorType(.float32, [4])]) { [$0[0] + 1] }
    return try .of(seconds: bench.seconds) { try execution.run() }
  }
}

/// A matrix product `[M, K] × [K, N]`.
struct ProductWork: BenchmarkWork {
  /// Which operand is stored transposed.
  enum Form: String { case plain, at, bt }

  let m: Int
  let k: Int
  let n: Int
  let form: Form

  var unit: String { "call" }
  var flops: Int? { 2 * m * k * n }

  init?(name: String) {
    guard let parts = Self.parts(name, of: "product"), (1...2).contains(parts.count),
      let form = parts.count == 2 ? Form(rawValue: String(parts[1])) : .plain
    else { return nil }
    let sizes = parts[0].split(separator: "x").compactMap { Int($0) }
    guard sizes.count == 3, sizes.allSatisfy({ (1...1 << 16).contains($0) }) else { return nil }
    (m, k, n) = (sizes[0], sizes[1], sizes[2])
    self.form = form
  }

  func measure(_ bench: Bench) throws -> Measurement {
    let left = TensorType(.float32, form == .at ? [k, m] : [m, k])
    let right = TensorType(.float32, form == .bt ? [n, k] : [k, n])
    let execution = try bench.bound([left, right]) { operands in
      let a = form == .at ? operands[0].transposed([1, 0]) : operands[0]
      let b = form == .bt ? operands[1].transposed([1, 0]) : operands[1]
      return [a.matmul(b)]
    }
    return try .of(seconds: bench.seconds) { try execution.run() }
  }
}

/// A 3×3 convolution with padding `same`, or one of its gradients.
struct ConvolutionWork: BenchmarkWork {
  enum Pass: String {
    case forward
    case backwardData = "backward-data"
    case backwardWeights = "backward-weights"
  }

  /// Batch, height, width, channels.
  let input: [Int]
  let filters: Int
  let pass: Pass

  var unit: String { "call" }
  var flops: Int? { 2 * 9 * input.reduce(filters, *) }

  init?(name: String) {
    guard let parts = Self.parts(name, of: "convolution"), parts.count == 2, let pass = Pass(rawValue: String(parts[1]))
    else { return nil }
    let sides = parts[0].split(separator: "-")
    let input = sides.first?.split(separator: "x").compactMap { Int($0) } ?? []
    guard sides.count == 2, let filters = Int(sides[1]), input.count == 4,
      (input + [filters]).allSatisfy({ (1...1 << 12).contains($0) })
    else { return nil }
    self.input = input
    self.filters = filters
    self.pass = pass
  }

  func measure(_ bench: Bench) throws -> Measurement {
    let image = TensorType(.float32, input)
    let kernel = TensorType(.float32, [3, 3, input[3], filters])
    let gradient = TensorType(.float32, Array(input.dropLast()) + [filters])
    let execution: any Execution
    switch pass {
    case .forward:
      execution = try bench.bound([image, kernel]) { [convolved($0[0], $0[1])] }
    case .backwardData:
      // The gradient does not depend on the image's values, only on its shape.
      execution = try bench.bound([kernel, gradient]) { operands in
        let image = operands[0].graph.add(Constant(NDArray(zeros: image)))
        return pullback(of: [convolved(image, operands[0])], seeds: [operands[1]], withRespectTo: [image])
          .compactMap { $0 }
      }
    case .backwardWeights:
      execution = try bench.bound([image, gradient]) { operands in
        let kernel = operands[0].graph.add(Constant(NDArray(zeros: kernel)))
        return pullback(of: [convolved(operands[0], kernel)], seeds: [operands[1]], withRespectTo: [kernel])
          .compactMap { $0 }
      }
    }
    return try .of(seconds: bench.seconds) { try execution.run() }
  }

  private func convolved(_ image: Tensor, _ kernel: Tensor) -> Tensor {
    image.convolved(with: kernel, strides: [1, 1], padding: .same)
  }
}
