// The main command: trains a recipe's model.

import Accelerando
import AccelerandoRecipes
import ArgumentParser
import Foundation

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Trains a recipe's model.")

  @Argument(help: "A built-in recipe's name or the path of a YAML file.")
  var recipe: String?

  @Option(help: "How many times to go through the data.")
  var epochs: Int?

  @Option(help: "Samples in one step.")
  var batchSize: Int?

  @Option(help: "The learning rate, in place of the recipe's rate or schedule.")
  var learningRate: Double?

  @Option(help: "What all randomness is drawn from: the same seed gives the same weights, on any number of threads.")
  var seed: UInt64?

  @Option(help: "Hold back this last part of the training data for validation, from 0 to 1.")
  var validationSplit: Double?

  @OptionGroup var precisionOption: PrecisionOption

  @Option(help: ArgumentHelp("Save the trained model in this directory.", valueName: "dir"))
  var output: String?

  @Option(
    help: ArgumentHelp("Write one JSON object a line for each epoch; '-' for standard output.", valueName: "file"))
  var json: String?

  @OptionGroup var checkpointOptions: CheckpointOptions
  @OptionGroup var dataOptions: DataOptions
  @OptionGroup var deviceOptions: DeviceOptions

  func validate() throws {
    if recipe == nil, checkpointOptions.resume == nil {
      throw ValidationError("Give a recipe, or --resume with the directory of a run that shall go on.")
    }
    if checkpointOptions.checkpointEvery != nil, output == nil, checkpointOptions.resume == nil {
      throw ValidationError("--checkpoint-every needs --output: checkpoints are kept in its directory.")
    }
    if let epochs, epochs < 1 { throw ValidationError("--epochs needs at least 1; received \(epochs).") }
    if let batchSize, batchSize < 1 { throw ValidationError("--batch-size needs at least 1; received \(batchSize).") }
    if let learningRate, !(learningRate > 0 && learningRate.isFinite) {
      throw ValidationError("--learning-rate needs a number above 0; received \(learningRate).")
    }
    if let split = validationSplit, !(split >= 0 && split < 1) {
      throw ValidationError("--validation-split needs a number from 0 to below 1; received \(split).")
    }
  }

  func run() throws {
    let arguments = RunArguments.current(of: "train")
    guard recipe == nil, let resume = checkpointOptions.resume else { return try train(arguments) }
    // Everything else is as it was when the run began. Its relative paths refer to the directory of that time.
    let directory = URL(fileURLWithPath: resume, isDirectory: true)
    let all = try arguments.goingOn(with: directory)
    var command = try Train.parse(all.arguments)
    command.checkpointOptions.resume = directory.path
    try command.train(all)
  }

  /// Trains, or goes on training.
  /// - Parameter arguments: what this command was made of, to be kept with the run.
  private func train(_ arguments: RunArguments) throws {
    var recipe = try Recipe(recipe ?? "")
    recipe.fit.epochs = epochs ?? recipe.fit.epochs
    recipe.fit.batchSize = batchSize ?? recipe.fit.batchSize
    recipe.fit.validationSplit = validationSplit ?? recipe.fit.validationSplit
    recipe.fit.seed = seed ?? recipe.fit.seed
    recipe.precision = precisionOption.chosen ?? recipe.precision
    if let learningRate { recipe.setLearningRate(learningRate) }
    let backend = try deviceOptions.makeBackend(joinsProcesses: true)
    let group = (backend as? SharedBackend)?.group
    // Of processes that train together, only rank 0 prints and writes.
    let isFirst = group?.rank ?? 0 == 0
    // What would fail after an hour of training should fail before it.
    let directory = try (checkpointOptions.resume ?? output).map { try RunDirectory(creating: $0) }
    let checkpoints = directory.map(checkpointOptions.makeCheckpoints)
    checkpoints?.writes = isFirst
    let log = try isFirst ? json.map { try EpochLog($0) } : nil

    let data = try dataOptions.load(recipe)
    let model = try recipe.makeModel(for: data.input, backend: backend)
    let interruption = InterruptionWatch(listens: isFirst)
    var callbacks: [any Callback] = try recipe.makeCallbacks(writingTo: directory?.url)
    callbacks.removeAll { $0.isForOneWorker && !isFirst }
    if let log { callbacks.append(log) }
    if let directory, let checkpoints {
      callbacks.append(checkpoints)
      if isFirst { callbacks.append(RunBeginning(directory, checkpointOptions, arguments)) }
    }
    callbacks.append(interruption)
    do {
      let verbosity = json == "-" || !isFirst ? Verbosity.silent : .automatic
      let history = try recipe.train(model, on: data, callbacks: callbacks, verbose: verbosity)
      interruption.end()
      try log?.finish(weights: model.weights())
      if isFirst { try directory?.save(model, recipe: recipe, history: history) }
      (group as? MPIGroup)?.leave()
    } catch let error as Interrupted {
      interruption.end()
      // The progress bar was left in the middle of its line.
      if isatty(STDOUT_FILENO) != 0 { print() }
      try log?.finish(weights: model.weights())
      try directory?.save(model, recipe: recipe, history: nil)
      try directory.map { try arguments.save(for: $0.url) }
      let fate =
        directory.map {
          "; the model is saved in \($0.url.path). Go on with: accelerando train --resume \($0.url.path)"
        }
        ?? "; nothing is saved without --output"
      throw Interrupted(description: error.description + fate)
    } catch {
      try? log?.flush()
      throw error
    }
    if let directory, isFirst { tell("The model is saved in \(directory.url.path).") }
  }
}
