// Once a loss is NaN or infinite, every later step is useless, and the weights are lost. Steps record the first such
// step, which costs a comparison of scalars; the training loop checks it, and ends the run. By then the step has spoilt
// the weights. So the run is repeated from a copy of the epoch's initial state up to that step, and its forward pass is
// inspected: which layer, which sample.

import AccelerandoCore
import AccelerandoNN

/// Ends a run whose loss is not finite any more.
final class DivergenceWatch {
  private let model: Model
  /// The state at the beginning of the epoch, and where that was in the data.
  private var values: [String: NDArray] = [:]
  private var place: (pass: Int, passStep: Int, step: Int)?
  /// If the device uses host memory, the number that is checked after each step.
  private var firstBadStep: (any HostBuffer)?
  private var lastCheck = ContinuousClock.now

  /// Larger states are not copied at the beginning of epochs; then the step is named, and no layer.
  private static let mostBytes = 512 << 20
  /// Asking a far device means waiting for it.
  private static let interval = Duration.seconds(1)

  init(_ model: Model) { self.model = model }

  /// Notes the state before the first step of an epoch.
  /// - Parameters:
  ///   - pass: the current pass over the data.
  ///   - passStep: the steps that were done in it.
  ///   - step: the steps that were done in the epoch.
  func remember(pass: Int, passStep: Int, step: Int) throws {
    firstBadStep = nil
    place = try model.session.copy(into: &values, limit: Self.mostBytes) ? (pass, passStep, step) : nil
  }

  /// Looks whether the loss of a step was not finite.
  /// - Parameter waits: whether to ask a far device even if it was asked just now.
  /// - Throws: `TrainingError` naming the step, the layer and the sample.
  func check(_ run: TrainingRun, _ feeder: Feeder, waits: Bool) throws {
    let session = model.session
    if let firstBadStep {
      guard firstBadStep.memory.load(as: Int32.self) != 0 else { return }
    } else if session.backend.runsAhead {
      guard waits || ContinuousClock.now - lastCheck >= Self.interval else { return }
      lastCheck = .now
    } else {
      firstBadStep = session.buffers[StateName.firstBadStep] as? any HostBuffer
    }
    let bad = Int(try session.scalar(StateName.firstBadStep))
    guard bad != 0 else { return }
    // The optimizer's step count continues, if many steps run at a time.
    let behind = max(try model.iteration() - bad, 0)
    let step = min(max(run.stepsDone - behind, 1), run.stepsDone)
    throw try error(run, feeder, step: step)
  }

  private func error(_ run: TrainingRun, _ feeder: Feeder, step: Int) throws -> TrainingError {
    let total = try model.session.scalar(StateName.total(.train, .loss))
    let scale = model.compilation?.precision.scalesLoss == true
    var text =
      scale && total.isFinite
      ? "training diverged in step \(step) of epoch \(run.epoch + 1): gradients do not fit into float16, even with the "
        + "smallest scale of the loss."
      : "training diverged: the loss of step \(step) of epoch \(run.epoch + 1) is \(total.isNaN ? "NaN" : "infinite")."
    if let batch = try rewind(to: step, feeder) {
      let inspection = try? StepInspection(model, batch.batch, samples: batch.samples)
      if let cause = inspection?.cause() { text += " " + cause }
      // Weights that are spoilt already were spoilt by the gradients of the step before.
      if inspection?.beginsSpoilt == true, let earlier = try rewind(to: step - 1, feeder) {
        if let cause = (try? ModelInspector.look(into: model, earlier.batch))?.cause {
          text += " In that step: \(cause)"
        }
        text += " The model has the weights from before it."
      } else {
        text += " The model has the weights from before that step."
      }
    } else if place != nil {
      text += " The model has the weights from the beginning of the epoch."
    }
    return TrainingError(
      text
        + " Lower the learning rate, limit gradients (clipnorm), or correct the data; 'TerminateOnNaN' ends training "
        + "without an error.")
  }

  /// Puts the model back to where it was before a step of the epoch, by computing the steps before it again.
  /// - Returns: the batch of the step; nil where there is no copy to begin with, or the run was another one this time.
  private func rewind(to step: Int, _ feeder: Feeder) throws -> (batch: Batch, samples: [Int]?)? {
    guard let place, step > place.step else { return nil }
    try restore()
    try feeder.begin(pass: place.pass, skipping: place.passStep)
    var pass = place.pass
    var left = step - 1 - place.step
    while left > 0 {
      if let launch = try feeder.next(atMost: left) {
        try launch.step.execution.run()
        left -= launch.stepCount
      } else {
        pass &+= 1
        try feeder.begin(pass: pass)
        guard let launch = try feeder.next(atMost: left) else { return nil }
        try launch.step.execution.run()
        left -= launch.stepCount
      }
    }
    guard try model.session.scalar(StateName.firstBadStep) == 0 else {
      try restore()
      return nil
    }
    if let batch = try feeder.nextBatch() { return batch }
    try feeder.begin(pass: pass &+ 1)
    return try feeder.nextBatch()
  }

  private func restore() throws {
    try model.session.resetTotals(.train)
    for (name, value) in values { try model.session.set(name, value) }
  }
}
