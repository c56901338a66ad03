// The main command: trains a recipe's model.

import Accelerando
import AccelerandoRecipes
import ArgumentParser
import Foundation

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Trains a recipe's model.")

  @Argument(
    help: "A built-in recipe's name, the path of a YAML file, or the directory of a run whose trained model goes on.")
  var recipe: String?

  @Option(parsing: .unconditional, help: "The number of passes over the data.")
  var epochs: Int?

  @Option(parsing: .unconditional, help: "The number of samples in a step.")
  var batchSize: Int?

  @Option(parsing: .unconditional, help: "The learning rate; replaces the recipe's rate or schedule.")
  var learningRate: Double?

  @Option(
    parsing: .unconditional,
    help: "The seed of all randomness: the same seed gives the same weights, on any number of threads.")
  var seed: UInt64?

  @Option(
    parsing: .unconditional, help: "Use this proportion of the training data, its last samples, for validation: 0 to 1."
  )
  var validationSplit: Double?

  @OptionGroup var precisionOption: PrecisionOption

  @Option(help: ArgumentHelp("Save the trained model in this directory.", valueName: "dir"))
  var output: String?

  @Option(
    help: ArgumentHelp("Write one JSON object per epoch (JSON Lines); '-' for standard output.", valueName: "file"))
  var json: String?

  @OptionGroup var checkpointOptions: CheckpointOptions
  @OptionGroup var dataOptions: DataOptions
  @OptionGroup var deviceOptions: DeviceOptions

  func validate() throws {
    if recipe == nil, checkpointOptions.resume == nil {
      throw ValidationError("Give a recipe, or --resume with the directory of a run to resume.")
    }
    if checkpointOptions.checkpointEvery != nil, output == nil, checkpointOptions.resume == nil {
      throw ValidationError("--checkpoint-every needs --output: checkpoints are kept in its directory.")
    }
    try checkCount("--epochs", epochs)
    try checkCount("--batch-size", batchSize, most: nil)
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

  /// Trains, or resumes training.
  /// - Parameter arguments: what this command was made of, to be kept with the run.
  private func train(_ arguments: RunArguments) throws {
    // A trained model goes on with its own recipe.
    let earlier = try self.recipe.flatMap { try RunDirectory.isRun($0) ? RunDirectory(opening: $0) : nil }
    var recipe = try earlier?.loadRecipe() ?? Recipe(recipe ?? "")
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
    let resumes = checkpointOptions.resume != nil
    let directory = try (checkpointOptions.resume ?? output).map { try RunDirectory(creating: $0, isLocked: isFirst) }
    if isFirst, !resumes, let earlier = directory?.earlierRun { tell(earlier) }
    let checkpoints = directory.map(checkpointOptions.makeCheckpoints)
    checkpoints?.writes = isFirst
    let log = try isFirst ? json.map { try EpochLog($0) } : nil

    let data = try dataOptions.load(recipe, stage: earlier?.loadStage(of: recipe))
    if isFirst, let split = recipe.fit.validationSplit, split > 0, data.validation != nil {
      tell(
        "Validation is on the last \(split) of the training samples, as the split says; the data's own validation part is "
          + "left for 'accelerando evaluate'.")
    }
    let model = try makeModel(recipe, goingOnFrom: earlier, on: data, backend: backend)
    if earlier == nil, !(resumes && directory?.hasCheckpoints ?? false),
      let transfer = try recipe.takeWeights(into: model), isFirst
    {
      tell("\(transfer)")
    }
    let interruption = InterruptionWatch(listens: isFirst)
    defer { interruption.end() }
    var callbacks: [any Callback] = try recipe.makeCallbacks(writingTo: directory?.url)
    callbacks.removeAll { $0.isForOneWorker && !isFirst }
    if let log { callbacks.append(log) }
    if let directory, let checkpoints {
      callbacks.append(checkpoints)
      if isFirst { callbacks.append(RunBeginning(directory, checkpointOptions, arguments)) }
    }
    callbacks.append(interruption)
    let supervision = Supervision(
      place: directory, run: directory, arguments: arguments, stage: data.stage, writes: isFirst,
      interruption: interruption)
    let verbosity = json == "-" || !isFirst ? Verbosity.silent : .automatic
    _ = try supervision.carryOut(model, recipe, log: log) { witness in
      try recipe.train(model, on: data, callbacks: callbacks + [witness], verbose: verbosity)
    }
    (group as? MPIGroup)?.leave()
    if let directory, isFirst { tell("The model is saved in \(directory.url.path).") }
  }

  /// The recipe's model; or the model of an earlier run, with its weights and its optimizer's state.
  private func makeModel(
    _ recipe: Recipe, goingOnFrom earlier: RunDirectory?, on data: LoadedData, backend: any Backend
  ) throws -> Model {
    guard let earlier else { return try recipe.makeModel(for: data.inputs, backend: backend) }
    let model = try earlier.loadModel(backend: backend)
    if model.compilation == nil { try model.compile(try recipe.makeCompilation()) }
    if let learningRate { try model.setLearningRate(learningRate) }
    return model
  }
}
