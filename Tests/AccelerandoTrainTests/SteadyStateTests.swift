// What a training step must not do: take memory. The count is that of the thread that trains, which takes its share of
// every kernel; other tests run at the same time.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import CAllocationCounter
import Foundation
import Testing

@Suite(.serialized) struct SteadyStateTests {
  private func seedModel(convolutional: Bool, on backend: any Backend = testBackend) throws -> Model {
    let body: [any Layer] =
      convolutional
      ? [Conv2D(8, kernelSize: (3, 3), activation: .relu), MaxPooling2D(poolSize: (2, 2)), Flatten()]
      : [Flatten(), Dense(32, activation: .relu)]
    let layers = Sequential {
      Rescaling(1 / 255.0)
      body
      Dense(10, activation: .softmax)
    }
    let model = Model(layers, inputShape: [28, 28, 1], backend: backend, seed: 1)
    try model.compile(optimizer: .adam(), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy])
    return model
  }

  private func images(_ count: Int) throws -> Dataset {
    let pixels = (0..<count * 784).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
    let labels = (0..<count).map { UInt8($0 % 10) }
    return try Dataset(NDArray(pixels, shape: [count, 28, 28, 1]), NDArray(labels))
  }

  /// Takes the number of allocations after every step.
  private final class AllocationLog: Callback {
    var counts: [Int] = []
    init(steps: Int) { counts.reserveCapacity(steps + 1) }
    func onTrainBatchEnd(_ step: Int, _ run: TrainingRun) { counts.append(allocation_count()) }
  }

  @Test(.enabled(if: allocation_count() >= 0), arguments: [false, true], [false, true])
  func aTrainingStepAllocatesNothing(convolutional: Bool, isShared: Bool) throws {
    let engine = CPUBackend(threads: 2, sharing: .always)
    let shared = SharedBackend(common: engine, local: CPUBackend(sharing: .never), team: engine.team)
    let model = try seedModel(convolutional: convolutional, on: isShared ? shared : testBackend)
    let log = AllocationLog(steps: 300)
    try model.fit(try images(64), epochs: 1, batchSize: 16, stepsPerEpoch: 300, callbacks: [log], verbose: .silent)
    let perStep = zip(log.counts.dropFirst(), log.counts).map { $0 - $1 }
    // One step in four begins a new pass and shuffles; the others take nothing.
    let quiet = perStep.filter { $0 == 0 }.count
    #expect(quiet >= 220, "\(quiet) of \(perStep.count) steps took no memory")
  }

  @Test(.enabled(if: residentPages() != nil, "this system does not tell a process how much memory it has"))
  func memoryIsFlatOverFiveThousandSteps() throws {
    let model = try seedModel(convolutional: false)
    let data = try images(64)
    try model.fit(data, epochs: 1, batchSize: 16, stepsPerEpoch: 100, verbose: .silent)
    // Other tests may grow the process meanwhile, so one quiet run is enough. A leak of one kilobyte a step would be 1,250
    // pages in each of them.
    var growths: [Int] = []
    while growths.count < 50, growths.last.map({ $0 >= 1000 }) ?? true {
      let before = try #require(residentPages())
      try model.fit(data, epochs: 1, batchSize: 16, stepsPerEpoch: 5000, verbose: .silent)
      growths.append(try #require(residentPages()) - before)
    }
    #expect((growths.last ?? .max) < 1000, "grew by \(growths) pages")
  }
}

/// Pages of the process in memory; nil where the system does not say.
private func residentPages() -> Int? {
  guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
  let fields = text.split(separator: " ")
  return fields.count > 1 ? Int(fields[1]) : nil
}
