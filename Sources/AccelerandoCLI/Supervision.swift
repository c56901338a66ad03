// The result of a training run of the command line. However it ends, the model is saved: when it is complete, when it
// is interrupted, and when an error occurs.

import Accelerando
import AccelerandoRecipes
import Foundation

/// An error of a training run, and what happened to its model.
struct FailedTraining: Error, CustomStringConvertible {
  let cause: any Error
  let fate: String

  var description: String { "\(cause)\n\(fate)" }
}

/// One training run, and where its results are saved.
struct Supervision {
  /// Where the model is saved; nil if it is not.
  let place: RunDirectory?
  /// The directory for `--resume`; nil if nothing is saved.
  let run: RunDirectory?
  /// What the run was begun with.
  let arguments: RunArguments
  /// What turns columns of the data into the model's inputs; saved with the model.
  let stage: DataStage?
  /// Whether a model whose training did not come to its end is saved beside its checkpoints.
  var savesUnfinished = true
  /// Whether this process writes; of processes that train together one does.
  let writes: Bool
  let interruption: InterruptionWatch

  /// Trains and saves.
  /// - Parameters:
  ///   - model: the model that is trained.
  ///   - recipe: the recipe that is kept beside it.
  ///   - log: the log of epochs, which is finished once the model is safe.
  ///   - train: trains, with the callback that it is given as the last.
  ///   - finish: makes of the trained model what is saved.
  /// - Returns: what `finish` made.
  /// - Throws: `FailedTraining` or `Interrupted` saying what was saved, and what `train` throws before the first step.
  func carryOut(
    _ model: Model, _ recipe: Recipe, log: EpochLog? = nil, sparse: Bool = false,
    train: (any Callback) throws -> History, finish: (Model) throws -> Model = { $0 }
  ) throws -> Model {
    let witness = Witness()
    let finished: Model
    do {
      let history = try train(witness)
      finished = try finish(model)
      if writes {
        try place?.save(finished, recipe: recipe, stage: stage, history: history, sparse: sparse)
        try run.map { try arguments.save(for: $0.url) }
      }
      try log?.finish(weights: model.settledWeights())
    } catch {
      guard let training = witness.run, training.totalSteps > 0 || training.isResumed else { throw error }
      // The progress bar was left in the middle of its line.
      if isatty(STDOUT_FILENO) != 0 { tell("") }
      let fate = writes ? fate(of: model, recipe, training, log) : "this worker saves nothing"
      guard let error = error as? Interrupted else { throw FailedTraining(cause: error, fate: fate) }
      throw Interrupted("\(error.description); \(fate)", code: error.code)
    }
    guard interruption.wasAsked else { return finished }
    let fate = place.map { "the model is saved in \($0.url.path)" } ?? "nothing is saved without --output"
    throw Interrupted("interrupted when the training was over; \(fate)")
  }

  /// Saves what there is, and says what became of it.
  private func fate(of model: Model, _ recipe: Recipe, _ training: TrainingRun, _ log: EpochLog?) -> String {
    guard let place, let run else { return "nothing is saved without --output" }
    let goesOn =
      place.hasCheckpoints ? ". Resume it with: accelerando \(arguments.command) --resume \(run.url.path)" : ""
    do {
      guard savesUnfinished else {
        try arguments.save(for: run.url)
        return "what it has learnt is kept in \(place.checkpoints.path)\(goesOn)"
      }
      guard try model.settledWeights().isFinite else {
        return "the model's weights have become NaN or infinite and are not saved"
      }
      try place.save(model, recipe: recipe, stage: stage, history: training.history)
      try arguments.save(for: run.url)
      try log?.finish(weights: model.settledWeights())
    } catch {
      return "the model could not be saved either: \(error)"
    }
    return "the model is saved in \(place.url.path)\(goesOn)"
  }

  /// Records the progress of a training run.
  private final class Witness: Callback {
    var run: TrainingRun?
    var addedLogs: [String]? { [] }
    func onTrainBegin(_ run: TrainingRun) { self.run = run }
  }
}
