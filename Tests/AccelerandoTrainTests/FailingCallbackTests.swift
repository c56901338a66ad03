import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Testing

/// The disk is full, say.
private struct Failure: Error {}

/// When a callback fails.
enum FailingMoment: CaseIterable {
  case epochBegin, batchBegin, batchEnd, validationBegin, validationBatchEnd, validationEnd, epochEnd
}

/// Throws at one moment of a run.
private final class Failing: Callback {
  let moment: FailingMoment
  init(_ moment: FailingMoment) { self.moment = moment }
  private func act(_ moment: FailingMoment, _ run: TrainingRun) throws {
    if moment == self.moment, run.epoch == 1 { throw Failure() }
  }
  var addedLogs: [String]? { [] }
  func onEpochBegin(_ epoch: Int, _ run: TrainingRun) throws { try act(.epochBegin, run) }
  func onTrainBatchBegin(_ step: Int, _ run: TrainingRun) throws { if step == 1 { try act(.batchBegin, run) } }
  func onTrainBatchEnd(_ step: Int, _ run: TrainingRun) throws { if step == 1 { try act(.batchEnd, run) } }
  func onValidationBegin(_ run: TrainingRun) throws { try act(.validationBegin, run) }
  func onValidationBatchEnd(_ step: Int, _ run: TrainingRun) throws { try act(.validationBatchEnd, run) }
  func onValidationEnd(_ logs: Logs, _ run: TrainingRun) throws { try act(.validationEnd, run) }
  func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws { try act(.epochEnd, run) }
}

@Suite struct FailingCallbackTests {
  private func train(_ model: Model, _ callbacks: [any Callback], stepsPerEpoch: Int? = nil) throws {
    let (x, y) = try quadrants(48)
    try model.fit(
      x.rows(0..<40), y.rows(0..<40), epochs: 4, batchSize: 7,
      validation: Dataset(x.rows(40..<48), y.rows(40..<48)), stepsPerEpoch: stepsPerEpoch,
      callbacks: [EarlyStopping(patience: 3), ReduceLROnPlateau(patience: 1)] + callbacks, verbose: .silent)
  }

  @Test(arguments: FailingMoment.allCases, [nil, 4])
  func aRunWhoseCallbackFailsGoesOnToTheSameBits(at moment: FailingMoment, stepsPerEpoch: Int?) throws {
    try withTemporaryDirectory { directory in
      func model() throws -> Model { try compiledClassifier(seed: 8, [Dropout(0.2)]) }
      let undisturbed = try model()
      try train(undisturbed, [], stepsPerEpoch: stepsPerEpoch)
      for interval in [nil, Checkpoints.Interval.epochs(1)] {
        let place = directory.appendingPathComponent("\(interval == nil)")
        func checkpoints() -> Checkpoints { Checkpoints(place, every: interval, resumes: true) }
        let failed = try model()
        let first = try failed.weights()
        #expect(throws: Failure.self) {
          try train(failed, [Failing(moment), checkpoints()], stepsPerEpoch: stepsPerEpoch)
        }
        // What it has learnt stays.
        #expect(try failed.iteration() > 0 && failed.weights() != first)
        let resumed = try model()
        try train(resumed, [checkpoints()], stepsPerEpoch: stepsPerEpoch)
        #expect(try resumed.weights() == undisturbed.weights())
      }
    }
  }

  @Test func dataThatFailInTheMiddleOfAnEpochCostNothingThatWasLearnt() throws {
    try withTemporaryDirectory { directory in
      let (x, y) = try quadrants(40)
      func data(failsAt place: Int) -> Dataset {
        Dataset {
          var next = 0
          return {
            defer { next += 10 }
            if next == place { throw Failure() }
            guard next < 40 else { return nil }
            return Batch(features: [try x.rows(next..<next + 10)], labels: try y.rows(next..<next + 10))
          }
        }
      }
      func train(_ data: Dataset, _ callbacks: [any Callback]) throws -> Model {
        let model = try compiledClassifier()
        try model.fit(data, epochs: 2, callbacks: callbacks, verbose: .silent)
        return model
      }
      func checkpoints() -> Checkpoints { Checkpoints(directory, every: nil, resumes: true) }
      #expect(throws: Failure.self) { try train(data(failsAt: 20), [checkpoints()]) }
      let resumed = try train(data(failsAt: -1), [checkpoints()])
      #expect(try resumed.weights() == train(data(failsAt: -1), []).weights())
    }
  }
}
