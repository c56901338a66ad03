import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Testing

@testable import AccelerandoCompress

extension PruningGolden {
  /// The schedule of a run.
  func schedule() throws -> any PruningSchedule {
    let inner = try #require(config["config"])
    let settings = PruningGolden(name: name, kind: kind, config: inner, entry: entry, tensors: tensors)
    let (begin, end) = (try settings.int("begin_step"), try settings.int("end_step"))
    let frequency = try settings.int("frequency")
    if name.hasPrefix("run/constant") {
      return ConstantSparsity(
        try settings.double("target_sparsity"), begin: begin, end: end < 0 ? nil : end, frequency: frequency)
    }
    return PolynomialSparsity(
      from: try settings.double("initial_sparsity"), to: try settings.double("final_sparsity"), begin: begin, end: end,
      power: try settings.double("power"), frequency: frequency)
  }

  /// The model of the runs, with its first weights; names in the order of Keras.
  func model(on backend: any Backend) throws -> (model: Model, names: [String]) {
    let layer = Sequential {
      Conv2D(4, kernelSize: (3, 3), activation: .relu)
      BatchNormalization()
      DepthwiseConv2D(kernelSize: (2, 2))
      Flatten()
      Dense(5, activation: .relu)
      Dense(3, activation: .softmax)
    }
    let model = Model(layer, inputShape: [6, 6, 2], backend: backend)
    let parts = [
      (0, ["weight", "bias"]), (1, ["gamma", "beta", "movingMean", "movingVariance"]), (2, ["weight", "bias"]),
      (4, ["weight", "bias"]), (5, ["weight", "bias"]),
    ]
    let names = parts.flatMap { index, roles in roles.map { "layers.\(index).\($0)" } }
    try model.setWeights(Store(try names.enumerated().map { ($1, try tensor("initial.\($0)")) }))
    return (model, names)
  }
}

/// Reads what a model holds after each step.
private final class Recorder: Callback {
  var steps: [(weights: Store, state: Store)] = []
  var stepInterval: Int? { 1 }

  func onTrainBatchEnd(_ step: Int, _ run: TrainingRun) throws {
    steps.append((try run.model.weights(), try run.model.ruleState()))
  }
}

private func largestDifference(_ a: NDArray, _ b: NDArray) -> Double {
  zip(a.elements(as: Double.self), b.elements(as: Double.self)).map { abs($0 - $1) }.max() ?? 0
}

@Suite struct PruningGoldenTests {
  static let runs = PruningGolden.all.filter { $0.kind == "PruningRun" }
  static let masks = PruningGolden.all.filter { $0.kind == "PruningMask" }

  @Test(arguments: runs)
  func masksAndWeightsAgreeWithTheToolkitStepByStep(_ golden: PruningGolden) throws {
    // XLA takes its time to compile; one run of it says what there is to say.
    for engine in golden.name == "run/polynomial" ? engines : [testBackend] {
      try run(golden, on: engine, recorder: Recorder())
      // Nobody looks: many steps are one call on devices, and end with the same numbers.
      try run(golden, on: engine, recorder: nil)
    }
  }

  private func run(_ golden: PruningGolden, on engine: any Backend, recorder: Recorder?) throws {
    let (model, names) = try golden.model(on: engine)
    try model.compile(optimizer: .sgd(0.2, momentum: 0.9), loss: .sparseCategoricalCrossentropy)
    try model.prune(Pruning(try golden.schedule()))
    try model.fit(
      try golden.tensor("x"), try golden.tensor("y"), epochs: 2, batchSize: 8, shuffle: false,
      callbacks: recorder.map { [$0] } ?? [],
      verbose: .silent)
    if let recorder { #expect(recorder.steps.count == 14) }
    for (index, name) in ["layers.0.weight", "layers.4.weight", "layers.5.weight"].enumerated() {
      let weights = try golden.tensor("weights.\(index)")
      let masks = try golden.tensor("masks.\(index)")
      let thresholds = try golden.tensor("thresholds.\(index)").elements(as: Double.self)
      for (step, record) in (recorder?.steps ?? []).enumerated() {
        let value = try #require(record.weights[name])
        let mask = try #require(record.state[PruningPlan.Name.mask(name)])
        let expected = try masks.rows(step..<step + 1).reshaped(value.shape)
        #expect(mask == expected, "the mask of \(name) in step \(step + 1)")
        let difference = largestDifference(value, try weights.rows(step..<step + 1).reshaped(value.shape))
        #expect(difference < 2e-5, "\(name) after step \(step + 1)")
        let threshold = try #require(record.state[PruningPlan.Name.threshold(name)]).elements(as: Double.self)[0]
        #expect(abs(threshold - thresholds[step]) < 2e-5)
      }
    }
    let final = try model.stripped().weights()
    // The old Keras corrects the moving variance for the batch's size; ours, like the new one, does not.
    for (index, name) in names.enumerated() where !name.hasSuffix("movingVariance") {
      let expected = try golden.tensor("final.\(index)")
      let received = try #require(final[name])
      #expect(largestDifference(received, expected) < 2e-5, "\(name) in the end")
      let zeros = zip(received.elements(as: Float.self), expected.elements(as: Float.self))
      #expect(zeros.allSatisfy { ($0 == 0) == ($1 == 0) }, "the zeros of \(name) in the end")
    }
  }

  @Test(arguments: runs)
  func schedulesAgreeWithTheToolkit(_ golden: PruningGolden) throws {
    let schedule = try golden.schedule()
    let steps = try golden.tensor("schedule.steps").elements(as: Int32.self).map(Int.init)
    let fires = try golden.tensor("schedule.fires").elements(as: Bool.self)
    let sparsity = try golden.tensor("schedule.sparsity").elements(as: Float.self)
    for (index, step) in steps.enumerated() {
      #expect(schedule.fires(at: step) == fires[index], "step \(step)")
      #expect(schedule.sparsity(at: step) == sparsity[index], "step \(step)")
    }
  }

  @Test(arguments: masks)
  func masksAgreeWithTheToolkit(_ golden: PruningGolden) throws {
    let weights = try golden.tensor("weights")
    let (block, group) = (golden.ints("block"), golden.ints("m_by_n"))
    let structure: Pruning.Structure =
      if group.count == 2 {
        .nOfM(zeros: group[0], of: group[1])
      } else if block == [1, 1] {
        .weights
      } else {
        .blocks(height: block[0], width: block[1], pooling: golden.name.hasSuffix("MAX") ? .max : .mean)
      }
    let model = Model(Kernel(shape: weights.shape), inputShape: [weights.shape[0]], backend: testBackend)
    try model.setWeights(Store([("kernel", weights)]))
    try model.pruneOnce(to: try golden.double("sparsity"), structure: structure)
    let state = try model.ruleState()
    #expect(state[PruningPlan.Name.mask("kernel")] == (try golden.tensor("mask")))
    if group.isEmpty {
      let threshold = try #require(state[PruningPlan.Name.threshold("kernel")]).elements(as: Double.self)[0]
      #expect(abs(threshold - (try golden.tensor("threshold").elements(as: Double.self)[0])) < 1e-6)
    }
  }

  @Test func thereAreRunsAndMasks() {
    #expect(Self.runs.count == 4)
    #expect(Self.masks.count == 23)
  }
}

/// A layer that nobody foresaw, with a kernel of any shape.
private struct Kernel: Layer {
  let shape: [Int]
  let kernel = Parameter(.glorotUniform)

  func forward(_ x: Tensor) -> Tensor { x.sum(axes: [1]) + kernel[shape: shape].sum() }
}
