import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoRecipes
import Foundation
import Testing

@Suite struct RecipeTests {
  private func recipe(_ text: String) throws -> Recipe {
    try Recipe(yaml: text, name: "r", file: "r.yaml", directory: FileManager.default.temporaryDirectory)
  }

  static let small = """
    data:
      name: fashion-mnist-sample
    layers:
      - Flatten
      - Dense: {units: 10, activation: softmax}
    compile:
      optimizer: adam
      loss: sparse_categorical_crossentropy
      metrics: [accuracy]
    """

  private func complaint(_ text: String) -> String {
    do {
      _ = try recipe(text)
      return "no error"
    } catch { return "\(error)" }
  }

  @Test(arguments: BuiltInRecipe.all.map(\.name))
  func theBuiltInRecipesAreReadAndTheirModelsFit(_ name: String) throws {
    let recipe = try Recipe(name)
    let outline = try Outline(of: recipe.model, inputs: [TensorType(.uint8, [32, 28, 28, 1])])
    #expect(outline.output == TensorType(.float32, [32, 10]))
    let count = outline.parameters.reduce(0) { $0 + $1.type.elementCount }
    #expect(count == (name == "mlp" ? 101_770 : 54_410))
    #expect(recipe.fit.batchSize == 32)
    #expect(recipe.metrics.map(\.metric.name) == ["accuracy"])
  }

  @Test func whatIsKnownOfDataWithoutThemIsWhatTheyAre() throws {
    let recipe = try Recipe("mlp")
    let known = try recipe.dataOutline()
    let sample = try recipe.dataOutline(override: .sample)
    #expect(known.types == sample.types)
    #expect(known.count == 60_000 && sample.count == 512)
    #expect(try recipe.dataOutline(limit: 100).count == 100)
  }

  @Test func unknownNamesAreRefusedWithLineAndNearestName() {
    let cases: [(replace: String, with: String, expected: [String])] = [
      ("Flatten", "Flaten", ["r.yaml:4", "there is no layer 'Flaten'", "Flatten"]),
      ("units", "unit", ["r.yaml:5", "Dense", "units"]),
      ("loss:", "los:", ["r.yaml:8", "needs the setting 'loss'", "'los'"]),
      ("metrics", "metric", ["r.yaml:9", "'metric'", "did you mean 'metrics'"]),
      ("adam", "adan", ["r.yaml:7", "there is no optimizer 'adan'", "adam"]),
      ("units: 10", "units: ten", ["r.yaml:5", "'units' needs a whole number"]),
      ("fashion-mnist-sample", "fashion-mnis", ["r.yaml:2", "fashion-mnist"]),
      ("layers:", "layer:", ["r.yaml", "'layers'"]),
      ("[accuracy]", "accuracy", ["r.yaml:9", "'metrics' needs a list"]),
    ]
    for (old, new, expected) in cases {
      let message = complaint(Self.small.replacing(old, with: new, maxReplacements: 1))
      for part in expected { #expect(message.contains(part), "\(message) should contain \(part)") }
    }
  }

  @Test func wrongFitSettingsAreRefused() {
    for (line, expected) in [
      ("epochs: 0", "at least 1"), ("batch_size: -3", "at least 1"), ("validation_split: 1.5", "below 1"),
      ("epoch: 3", "did you mean 'epochs'"), ("shuffle: maybe", "true or false"),
    ] {
      let message = complaint(Self.small + "\nfit:\n  \(line)\n")
      #expect(message.hasPrefix("r.yaml:11") && message.contains(expected), "\(message)")
    }
  }

  @Test(arguments: [
    "adam", "{name: adam}", "{adam: {beta_1: 0.8}}",
    "{name: sgd, learning_rate: {cosine_decay: {initial_learning_rate: 1, decay_steps: 5}}}", "{sgd: }",
  ])
  func theLearningRateCanBeSetWhateverTheOptimizerIsWrittenAs(_ optimizer: String) throws {
    var recipe = try recipe(Self.small.replacing("optimizer: adam", with: "optimizer: \(optimizer)"))
    recipe.setLearningRate(0.25)
    #expect("\(try recipe.makeOptimizer())".contains("0.25"))
  }

  @Test func theSampleIsLoadedAndLimited() throws {
    let recipe = try recipe(Self.small)
    let data = try recipe.data.load(in: recipe.directory, limit: 100)
    #expect(data.train.count == 100)
    #expect(data.validation?.count == 100)
    #expect(data.inputs == [TensorType(.uint8, [28, 28, 1])])
    #expect(data.classNames?.count == 10)
  }

  @Test func arraysInFilesAreFoundBesideTheRecipeOrInTheDirectoryNamed() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("recipes-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let x = try NDArray((0..<12).map { Float($0) }, shape: [4, 3])
    let y = NDArray([Int32(0), 1, 0, 1])
    try NPY.write(x, to: directory.appendingPathComponent("x.npy"))
    try NPY.write(y, to: directory.appendingPathComponent("y.npy"))
    try NPY.write(NDArray([Int32(1)]), to: directory.appendingPathComponent("short.npy"))
    try NPZ.write(
      [("x_train", x), ("y_train", y), ("x_test", x), ("y_test", y)], to: directory.appendingPathComponent("d.npz"))
    func load(_ data: String) throws -> LoadedData {
      let text = Self.small.replacing("name: fashion-mnist-sample", with: data)
      let recipe = try Recipe(yaml: text, name: "r", file: "r.yaml", directory: directory)
      return try recipe.data.load(in: recipe.directory)
    }
    let files = try load("{inputs: x.npy, targets: y.npy, validation_inputs: x.npy, validation_targets: y.npy}")
    #expect(files.train.inputs == [x] && files.validation?.targets == [y])
    let archive = try load("{npz: d.npz}")
    #expect(archive.train.targets == [y] && archive.validation?.inputs == [x])
    #expect(throws: FormatError.self) { try load("{inputs: x.npy, targets: short.npy}") }
    #expect(throws: FormatError.self) { try load("{inputs: none.npy, targets: y.npy}") }
    let recipe = try recipe(Self.small.replacing("name: fashion-mnist-sample", with: "{npz: d.npz}"))
    #expect(try recipe.data.load(in: recipe.directory, override: .directory(directory)).train.count == 4)
    #expect(throws: FormatError.self) { try recipe.data.load(in: recipe.directory, override: .sample) }
    let other = directory.appendingPathComponent("d.npz").path
    #expect(try recipe.data.load(in: recipe.directory, override: DataOverride(other)).train.inputs == [x])
    let images = try self.recipe(Self.small)
    #expect(try images.data.load(in: directory, override: DataOverride(other)).validation?.targets == [y])
  }

  @Test func anUnknownRecipeIsAnErrorThatListsTheKnownOnes() {
    let error = #expect(throws: RecipeNotFound.self) { try Recipe("mpl") }
    #expect(error?.description.contains("Did you mean 'mlp'?") == true)
    #expect(error?.description.contains("mlp, cnn") == true)
  }
}
