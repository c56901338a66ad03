// A model with fewer weights: trained from a recipe or loaded, pruned while it trains, and measured.

import Accelerando
import AccelerandoRecipes
import ArgumentParser
import Foundation

struct Prune: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prunes a model while it trains, and reports what that gained.",
    discussion: """
      A recipe's model is trained first, as by 'train'; a model that 'train --output' wrote is not. Then it is trained \
      further while weights become zero. With --method filters, the least important filters and neurons are removed at \
      once, and the smaller dense model is trained further; schedules matter then only with --gradual. At the end both \
      models are measured: accuracy on held-out data, bytes, time.
      """)

  @Argument(help: "A built-in recipe's name, the path of a YAML file, or a directory that 'train --output' wrote.")
  var source: String?

  @Option(
    help: ArgumentHelp(
      "The proportion of weights to make zero; two numbers, 0.5..0.9, are the start and the end of a polynomial schedule.",
      valueName: "part"))
  var sparsity: SparsityRange = SparsityRange(initial: nil, final: 0.5)

  @Option(help: "How the sparsity grows: \(ScheduleName.allCases.map(\.rawValue).joined(separator: ", ")).")
  var schedule: ScheduleName = .polynomial

  @Option(help: "What to prune: \(PruningMethod.allCases.map(\.rawValue).joined(separator: ", ")).")
  var method: PruningMethod = .magnitude

  @Flag(help: "For filters: make them zero by the schedule while training, and remove them at the end.")
  var gradual = false

  @Option(help: "The size of a block, rows and columns.")
  var blockSize: BlockSize = BlockSize(height: 4, width: 4)

  @Option(
    help: "The score of a block: the \(Pruning.Pooling.allCases.map(\.rawValue).joined(separator: " or the ")).")
  var pooling: Pruning.Pooling = .mean

  @Option(help: "For n:m: how many of each group of neighbours along the input axis become zero.")
  var zeros: ZerosOf = ZerosOf(zeros: 2, group: 4)

  @Option(help: "Layers to prune, by name, type or a pattern with *; may be given several times. All by default.")
  var layers: [String] = []

  @Option(
    help: ArgumentHelp(
      "Which weights compete with each other: those of each tensor, of all (global), or of all by LAMP scores, which "
        + "spare small layers and lose less accuracy.", valueName: "which"))
  var competition: Pruning.Competition = .tensor

  @Option(parsing: .unconditional, help: "The number of passes over the data while pruning.")
  var epochs: Int = 4

  @Option(
    parsing: .unconditional,
    help: "For a recipe: the number of passes over the data before pruning; the recipe's by default.")
  var trainEpochs: Int?

  @Option(parsing: .unconditional, help: "The number of samples in a step.")
  var batchSize: Int?

  @Option(parsing: .unconditional, help: "The learning rate while pruning; replaces the recipe's.")
  var learningRate: Double?

  @Option(help: "How the learning rate decays while pruning, to a tenth at the end: none, linear, cosine.")
  var decay: Decay = .none

  @Option(parsing: .unconditional, help: "The first step in which masks may be computed.")
  var begin: Int = 0

  @Option(
    parsing: .unconditional,
    help: "The last step in which masks may be computed; three quarters of the steps for a polynomial schedule.")
  var end: Int?

  @Option(
    parsing: .unconditional,
    help: "The number of steps between computations of the masks; 100 by default, or fewer in a short run.")
  var frequency: Int?

  @Option(parsing: .unconditional, help: "The seed of all randomness, as in 'train'.")
  var seed: UInt64?

  @Option(
    parsing: .unconditional, help: "Use this proportion of the training data, its last samples, for validation: 0 to 1."
  )
  var validationSplit: Double?

  @OptionGroup var precisionOption: PrecisionOption

  @Option(help: ArgumentHelp("Save the pruned model in this directory.", valueName: "dir"))
  var output: String?

  @Flag(help: "Omit zeros from the saved files; only this program reads such files.")
  var sparse = false

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var checkpointOptions: CheckpointOptions
  @OptionGroup var dataOptions: DataOptions
  @OptionGroup var deviceOptions: DeviceOptions

  func validate() throws {
    if source == nil, checkpointOptions.resume == nil {
      throw ValidationError("Give a recipe or a model, or --resume with the directory of a run to resume.")
    }
    if checkpointOptions.checkpointEvery != nil, output == nil, checkpointOptions.resume == nil {
      throw ValidationError("--checkpoint-every needs --output: checkpoints are kept in its directory.")
    }
    for (name, value) in [("--sparsity", sparsity.initial ?? 0), ("--sparsity", sparsity.final)]
    where !(value >= 0 && value < 1) {
      throw ValidationError("\(name) needs numbers of at least 0 and below 1; received \(value).")
    }
    try checkCount("--epochs", epochs)
    try checkCount("--train-epochs", trainEpochs)
    try checkCount("--batch-size", batchSize, most: nil)
    try checkCount("--frequency", frequency)
    try checkCount("--begin", begin, least: 0)
    try checkCount("--end", end, least: 0)
    if let split = validationSplit, !(split >= 0 && split < 1) {
      throw ValidationError("--validation-split needs a number from 0 to below 1; received \(split).")
    }
    if let learningRate, !(learningRate > 0 && learningRate.isFinite) {
      throw ValidationError("--learning-rate needs a number above 0; received \(learningRate).")
    }
    if gradual, method != .filters { throw ValidationError("--gradual is for --method filters.") }
    if schedule == .constant, sparsity.initial != nil {
      throw ValidationError("--schedule constant has one sparsity; received two. Use --schedule polynomial.")
    }
  }

  func run() throws {
    let arguments = RunArguments.current(of: "prune")
    guard source == nil, let resume = checkpointOptions.resume else { return try prune(source ?? "", arguments) }
    let directory = URL(fileURLWithPath: resume, isDirectory: true)
    let all = try arguments.goingOn(with: directory)
    var command = try Prune.parse(all.arguments)
    command.checkpointOptions.resume = directory.path
    try command.prune(command.source ?? "", all)
  }

  /// Prunes, or resumes pruning.
  /// - Parameter arguments: what this command was made of, to be kept with the run.
  private func prune(_ source: String, _ arguments: RunArguments) throws {
    let isTrained = RunDirectory.isDirectory(source)
    let opened = isTrained ? try RunDirectory(opening: source) : nil
    var recipe = try opened?.loadRecipe() ?? Recipe(source)
    recipe.fit.epochs = trainEpochs ?? recipe.fit.epochs
    recipe.fit.batchSize = batchSize ?? recipe.fit.batchSize
    recipe.fit.validationSplit = validationSplit ?? recipe.fit.validationSplit
    recipe.fit.seed = seed ?? recipe.fit.seed
    recipe.precision = precisionOption.chosen ?? recipe.precision
    let directory = try (checkpointOptions.resume ?? output).map { try RunDirectory(creating: $0) }
    if checkpointOptions.resume == nil, let earlier = directory?.earlierRun { tell(earlier) }
    let interruption = InterruptionWatch()
    defer { interruption.end() }
    /// The recipe's callbacks, with their files in a directory, and those that let a killed run resume.
    func callbacks(_ recipe: Recipe, _ place: RunDirectory?, writingTo files: URL?) throws -> [any Callback] {
      var all = try recipe.makeCallbacks(writingTo: files)
      if let directory, let place {
        all.append(checkpointOptions.makeCheckpoints(place))
        all.append(RunBeginning(directory, checkpointOptions, arguments))
      }
      return all + [interruption]
    }
    let backend = try deviceOptions.makeBackend()
    let data = try dataOptions.load(recipe, stage: opened?.loadStage(of: recipe))
    let held = try heldOut(recipe, data)
    let verbosity = json ? Verbosity.silent : .automatic
    var pruningRecipe = recipe
    pruningRecipe.fit.epochs = epochs
    if let learningRate { pruningRecipe.setLearningRate(learningRate) }
    let steps = steps(recipe, data)
    if let rate = try fallingRate(pruningRecipe, steps: steps) { pruningRecipe.setLearningRate(rate) }
    /// The training of the model before it is pruned writes beside that of pruning, not over it.
    let denseFiles = (directory?.url ?? URL(fileURLWithPath: FileManager.default.currentDirectoryPath))
      .appendingPathComponent("dense", isDirectory: true)
    func supervision(_ place: RunDirectory?, savesUnfinished: Bool) -> Supervision {
      Supervision(
        place: place, run: directory, arguments: arguments, stage: data.stage, savesUnfinished: savesUnfinished,
        writes: true,
        interruption: interruption)
    }

    let before: Model
    if let opened {
      before = try opened.loadModel(backend: backend)
    } else if checkpointOptions.resume != nil, let path = directory?.dense.path,
      let dense = try? RunDirectory(opening: path)
    {
      before = try dense.loadModel(backend: backend)
    } else {
      before = try recipe.makeModel(for: data.inputs, backend: backend)
      // Report what cannot be pruned before an hour of training.
      if method == .filters { _ = try before.withoutChannels(sparsity.final, layers: chosenLayers) }
      if isScheduled {
        try before.prune(try pruning(steps: steps))
        try before.checkPruning(steps: steps)
        try before.removePruning()
      }
      try pruningRecipe.makeModel(for: data.inputs, backend: backend).checkCallbacks(
        try pruningRecipe.makeCallbacks(writingTo: directory?.url), epochs: epochs,
        validates: recipe.fit.validationSplit ?? 0 > 0 || data.validation != nil)
      if !json { tell("Training the model before it is pruned, \(recipe.fit.epochs) epochs.") }
      let dense = try directory.map { try RunDirectory(creating: $0.dense.path, isLocked: false) }
      _ = try supervision(dense, savesUnfinished: false).carryOut(before, recipe) { witness in
        try recipe.train(
          before, on: data, callbacks: try callbacks(recipe, dense, writingTo: denseFiles) + [witness],
          verbose: verbosity)
      }
    }

    recipe = pruningRecipe
    let model: Model
    if isScheduled {
      model = try recipe.makeModel(for: data.inputs, backend: backend)
      try model.setWeights(try before.weights())
      try model.prune(try pruning(steps: steps))
      tellFrequency(steps: steps)
    } else {
      let small = try before.withoutChannels(sparsity.final, layers: chosenLayers)
      model = Model(small.layer, inputs: small.inputs, backend: backend, seed: recipe.fit.seed)
      try model.setWeights(try small.weights())
      try model.compile(try recipe.makeCompilation())
    }
    if !json { tell("Pruning it, \(epochs) epochs.") }
    let after = try supervision(directory, savesUnfinished: true).carryOut(model, recipe, sparse: sparse) { witness in
      try recipe.train(
        model, on: data, callbacks: try callbacks(recipe, directory, writingTo: directory?.url) + [witness],
        verbose: verbosity)
    } finish: { trained in
      let stripped = try trained.stripped()
      return gradual ? try stripped.withoutChannels(sparsity.final, layers: chosenLayers) : stripped
    }
    if let directory { tell("The pruned model is saved in \(directory.url.path).") }
    if !json { tell("Measuring both.") }
    try before.compile(try recipe.makeCompilation())
    let verdict = try CompressionVerdict(before: before, after: after, on: held)
    let summary = try after.sparsity()
    let report = PruningReport(
      method: method.rawValue, schedule: schedule.rawValue, sparsity: summary, verdict: verdict,
      advice: advice(summary, verdict), weightsSHA256: try after.weights().sha256())
    if json {
      try printJSON(report)
    } else {
      print("\n\(summary)\n\n\(verdict)")
      if let advice = report.advice { print("\n\(advice)") }
    }
  }

  /// What to try if accuracy was lost and a small tensor was pruned as much as a large one.
  private func advice(_ summary: SparsitySummary, _ verdict: CompressionVerdict) -> String? {
    let pruned = summary.rows.filter { $0.kept < $0.count }
    guard method == .magnitude, competition == .tensor, let small = pruned.min(by: { $0.count < $1.count }),
      let large = pruned.max(by: { $0.count < $1.count }), small.count * 20 <= large.count,
      let before = verdict.before.metrics["accuracy"], let after = verdict.after.metrics["accuracy"],
      before - after > 0.005
    else { return nil }
    return "\(small.parameter) has \(small.kept) of its \(small.count) weights left, as large a part as "
      + "\(large.parameter) of its \(large.count). Try --competition lamp, which spares small layers."
  }

  /// The steps of the pruning, as far as they are counted.
  private func steps(_ recipe: Recipe, _ data: LoadedData) -> Int {
    let count = Int((Double(data.train.count) * (1 - (recipe.fit.validationSplit ?? 0))).rounded(.down))
    let each = recipe.fit.stepsPerEpoch ?? ((max(count, 1) - 1) / recipe.fit.batchSize + 1)
    let (steps, overflow) = epochs.multipliedReportingOverflow(by: each)
    return overflow ? Int(Int32.max) : min(steps, Int(Int32.max))
  }

  /// Steps from one computation of the masks to the next: a hundred, but ten computations at least.
  private func frequency(steps: Int) -> Int {
    let last = schedule == .polynomial ? polynomialEnd(steps: steps) : end ?? steps
    return frequency ?? min(100, max(1, (last - begin) / 10))
  }

  /// The last quarter of the training heals what the last masks broke.
  private func polynomialEnd(steps: Int) -> Int { end ?? max(begin + 1, steps - (steps + 3) / 4) }

  /// Says how often masks are computed where that was chosen.
  private func tellFrequency(steps: Int) {
    let chosen = frequency(steps: steps)
    guard frequency == nil, chosen < 100, method != .nOfM, !json else { return }
    tell("Masks are computed every \(chosen) steps, since there are \(steps); --frequency sets another number.")
  }

  /// The learning rate as a schedule that ends with the pruning; nil where it stays what it is.
  /// - Throws: `ValidationError` when the recipe has a schedule of its own.
  private func fallingRate(_ recipe: Recipe, steps: Int) throws -> Config? {
    guard decay != .none else { return nil }
    guard case .constant(let initial) = try recipe.makeOptimizer().learningRate else {
      throw ValidationError(
        "--decay \(decay.rawValue) lets a learning rate fall; the recipe has a schedule. Give --learning-rate too.")
    }
    let (rate, steps) = (Config(.double(initial)), Config(.int(max(steps, 1))))
    switch decay {
    case .none: return nil
    case .linear:
      return Config([
        "name": "polynomial_decay", "initial_learning_rate": rate, "decay_steps": steps,
        "end_learning_rate": Config(.double(initial / 10)),
      ])
    case .cosine:
      return Config(["name": "cosine_decay", "initial_learning_rate": rate, "decay_steps": steps, "alpha": 0.1])
    }
  }

  /// Samples that are not trained on.
  private func heldOut(_ recipe: Recipe, _ data: LoadedData) throws -> Dataset {
    if let split = recipe.fit.validationSplit, split > 0 {
      return try data.train.dataset().split(lastFraction: split).last
    }
    if let validation = data.validation { return try validation.dataset() }
    tell("Nothing is held out of these data: accuracy is measured on what the model is trained on.")
    return try data.train.dataset()
  }

  /// Whether masks make weights zero while the model trains.
  private var isScheduled: Bool { method != .filters || gradual }

  private var chosenLayers: [String] { layers.isEmpty ? ["*"] : layers }

  private func pruning(steps: Int) throws -> Pruning {
    let chosen = chosenLayers
    let structure: Pruning.Structure
    switch method {
    case .magnitude: structure = .weights
    case .block: structure = .blocks(height: blockSize.height, width: blockSize.width, pooling: pooling)
    case .nOfM: return .nOfM(zeros: zeros.zeros, of: zeros.group, layers: chosen)
    case .filters: structure = .filters
    }
    switch schedule {
    case .constant:
      return Pruning(
        .constant(sparsity.final, begin: begin, end: end, frequency: frequency(steps: steps)), structure: structure,
        competition: competition, layers: chosen)
    case .polynomial:
      return Pruning(
        .polynomial(
          from: sparsity.initial ?? 0, to: sparsity.final, begin: begin, end: polynomialEnd(steps: steps),
          frequency: frequency(steps: steps)),
        structure: structure, competition: competition, layers: chosen)
    }
  }
}

/// What the command prints for programs.
private struct PruningReport: Encodable {
  let method: String
  let schedule: String
  let sparsity: SparsitySummary
  let verdict: CompressionVerdict
  let advice: String?
  let weightsSHA256: String

  enum CodingKeys: String, CodingKey {
    case method, schedule, sparsity, verdict, advice
    case weightsSHA256 = "weights_sha256"
  }
}
