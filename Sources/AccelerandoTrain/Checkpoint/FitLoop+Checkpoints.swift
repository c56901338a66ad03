// Checkpoints in the training loop: it is restored from one before it begins, and offers one at the end of every step
// or epoch, after all callbacks.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN

extension FitLoop {
  private var keepers: [any CheckpointKeeper] { callbacks.compactMap { $0 as? any CheckpointKeeper } }

  /// Trains. A checkpoint that is being written when training fails is finished all the same.
  /// - Parameter settings: what the result depends on; asked for only where there are checkpoints to compare it with.
  func trainKeepingCheckpoints(settings: () throws -> [RunSetting]) throws {
    if !keepers.isEmpty || (run.model.backend as? SharedBackend)?.group.size ?? 1 > 1 {
      let epochSteps = RunSetting("steps per epoch", stepsPerEpoch.map(String.init) ?? "a whole pass")
      self.settings = try settings() + [epochSteps]
    }
    do {
      try train()
    } catch {
      leaveWhatIsLearnt()
      for keeper in keepers { keeper.failed() }
      throw error
    }
  }

  /// Training failed: what the model has learnt until then is kept, unless it is in the middle of a step or has become
  /// NaN. The error that is on its way counts more than any that comes up here.
  private func leaveWhatIsLearnt() {
    guard isBetweenSteps else { return }
    try? run.model.settleParameters()
    guard (try? run.model.weights().isFinite) ?? false else { return }
    run.interrupt()
    for keeper in keepers { try? keeper.stepsEnded(0, run) { try checkpoint() } }
  }

  /// Restores the run from the checkpoint that it resumes from, if there is one.
  func resume() throws {
    for keeper in keepers {
      guard let checkpoint = try keeper.restoration(run), !run.isResumed else { continue }
      try run.restore(checkpoint, settings: settings, callbacks: callbacks)
      let position = checkpoint.position
      epoch = position.epoch
      nextPass = position.nextPass
      run.model.passes = nextPass
      passStep = position.passStep
      epochStart = ContinuousClock.now.advanced(by: .seconds(-position.seconds))
      // An epoch that has begun is in the middle of a pass; so is one that has not, where passes are longer than
      // epochs.
      if let passStep, nextPass > 0, position.isInsideEpoch || stepsPerEpoch != nil {
        try feeder.begin(pass: nextPass - 1, skipping: passStep)
      }
    }
  }

  /// Processes that train together begin with the same checkpoint, or not at all. None writes before all have read.
  func agree() throws {
    guard let shared = run.model.backend as? SharedBackend, shared.group.size > 1 else { return }
    let digest = try SHA256Digest.hex(of: run.model.state().entries.sorted { $0.0 < $1.0 }.map { ($0.0, $0.1) })
    try shared.agree(
      on: settings + [
        RunSetting("epochs", run.epochs), RunSetting("epoch to begin with", epoch),
        RunSetting("passes before", run.model.passes),
        RunSetting("step to begin with", run.stepsDone), RunSetting("digest of the weights", digest),
      ])
  }

  /// Tells keepers of checkpoints that everything is in its place.
  func runBegins() throws {
    for keeper in keepers { try keeper.runBegins(run) { try checkpoint() } }
  }

  /// Offers a checkpoint after steps, and ends the run if it was asked to end now, which does not need a completed
  /// step.
  func stepsEnded(_ count: Int) throws {
    if count > 0 { passStep = (passStep ?? 0) + count }
    if count == 0, !run.wasInterrupted { return }
    for keeper in keepers { try keeper.stepsEnded(count, run) { try checkpoint() } }
    if let interruption = run.interruption { throw interruption }
  }

  /// Goes on to the next epoch, and tells keepers of checkpoints.
  func epochEnded() throws {
    run.isInsideEpoch = false
    epoch += 1
    let isLast = epoch >= run.epochs || run.stopsTraining
    for keeper in keepers { try keeper.epochEnded(run, isLast: isLast) { try checkpoint() } }
    if let interruption = run.interruption { throw interruption }
  }

  /// The run as it is now.
  private func checkpoint() throws -> Checkpoint {
    let inside = run.isInsideEpoch
    // An interrupted run will be resumed later.
    let stops = run.stopsTraining && !run.wasInterrupted
    return Checkpoint(
      position: TrainingPosition(
        epoch: epoch, isInsideEpoch: inside, step: inside ? run.stepsDone : 0,
        seconds: inside ? epochStart.seconds : 0,
        nextPass: nextPass, passStep: passStep, stops: stops,
        isFinished: !inside && (epoch >= run.epochs || stops)),
      iteration: try run.model.iteration(), settings: settings, history: run.history,
      state: try run.model.session.snapshot(into: &copiedState),
      callbacks: try run.callbackStates(callbacks))
  }
}
