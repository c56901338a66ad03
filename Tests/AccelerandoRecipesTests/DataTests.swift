import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoRecipes
import AccelerandoTestSupport
import Foundation
import Testing

/// Where recipes and their data come from: archives with other arrays in them, pipes, directories.
@Suite struct DataTests {
  private func withTemporaryDirectory(_ body: (URL) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("recipes-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    try body(directory)
  }

  private let x = NDArray(zeros: TensorType(.float32, [4, 3]))
  private let y = NDArray([Int32(0), 1, 0, 1])

  private func data(_ arrays: [(name: String, value: NDArray)], in directory: URL) throws -> RecipeData {
    try NPZ.write(arrays, to: directory.appendingPathComponent("d.npz"))
    let text = RecipeTests.small.replacing("name: fashion-mnist-sample", with: "npz: d.npz")
    return try Recipe(yaml: text, name: "r", file: "r.yaml", directory: directory).data
  }

  @Test func arraysThatAreNotUsedAreSaid() throws {
    try withTemporaryDirectory { directory in
      let plain = try data([("x_train", x), ("y_train", y)], in: directory)
      #expect(try plain.load(in: directory).notes.isEmpty)
      let more = try data([("x_train", x), ("y_train", y), ("x_val", x), ("y_val", y)], in: directory)
      let loaded = try more.load(in: directory)
      #expect(loaded.validation == nil && loaded.notes.count == 1)
      #expect(loaded.notes[0].contains("not used: x_val, y_val.") && loaded.notes[0].contains("x_test, y_test"))
    }
  }

  @Test func halfOfAPairIsRefused() throws {
    try withTemporaryDirectory { directory in
      for (arrays, expected) in [
        ([("x_train", x), ("y_train", y), ("x_test", x)], "should hold x_test and y_test"),
        ([("x_train", x), ("y_train", y), ("y_test", y)], "should hold x_test and y_test"),
        ([("X_train", x), ("y_train", y)], "Rename 'X_train' to 'x_train'"), ([("a", x)], "it holds a"),
        ([], "no arrays"),
      ] as [([(name: String, value: NDArray)], String)] {
        let data = try data(arrays, in: directory)
        let error = #expect(throws: FormatError.self) { try data.load(in: directory) }
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
      }
    }
  }

  @Test func evaluationNeedsOnlyThePartThatItUses() throws {
    try withTemporaryDirectory { directory in
      let test = try data([("x_test", x), ("y_test", y)], in: directory)
      #expect(try test.loadForEvaluation(in: directory).samples.targets == [y])
      #expect(throws: FormatError.self) { try test.load(in: directory) }
      let train = try data([("x_train", x), ("y_train", y)], in: directory)
      #expect(try train.loadForEvaluation(in: directory, limit: 2).samples.count == 2)
    }
  }

  // MARK: Several inputs and outputs

  private static let graph = """
    data: {DATA}
    inputs: {image: [3], age: [1]}
    layers:
      - Dense: {units: 2, from: image, name: seen}
      - Dense: {units: 2, from: age, name: told}
      - Add: {from: [seen, told], name: both}
      - Dense: {units: 2, activation: softmax, name: kind}
      - Dense: {units: 1, name: height, from: both}
    outputs: [kind, height]
    compile:
      optimizer: sgd
      losses: {kind: sparse_categorical_crossentropy, height: mse}
    """

  private func graph(_ data: String, _ directory: URL, _ edit: (old: String, new: String)? = nil) throws -> Recipe {
    var text = Self.graph.replacing("DATA", with: data)
    if let edit { text = text.replacing(edit.old, with: edit.new) }
    return try Recipe(yaml: text, name: "r", file: "r.yaml", directory: directory)
  }

  private let age = NDArray(zeros: TensorType(.float32, [4, 1]))
  private let height = NDArray(zeros: TensorType(.float32, [4, 1]))

  @Test func arraysOfAnArchiveGoByTheNamesOfInputsAndOutputs() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("d.npz")
      func load(_ arrays: [(name: String, value: NDArray)], _ edit: (String, String)? = nil) throws -> LoadedData {
        try NPZ.write(arrays, to: url)
        let recipe = try graph("npz: d.npz", directory, edit)
        return try recipe.data.load(in: directory)
      }
      let full = try load([
        ("x_train_age", age), ("y_train_height", height), ("x_train_image", x), ("y_train_kind", y),
        ("x_test_image", x),
        ("x_test_age", age), ("y_test_kind", y), ("y_test_height", height),
      ])
      #expect(full.train.inputs.names == ["image", "age"] && full.train.targets.names == ["kind", "height"])
      #expect(full.train.inputs["image"] == x && full.validation?.targets["kind"] == y && full.notes.isEmpty)
      #expect(full.inputs == [TensorType(.float32, [3]), TensorType(.float32, [1])])
      let short = try load([("x_image", x), ("x_age", age), ("y_kind", y), ("y_height", height), ("y_size", height)])
      #expect(short.train.targets["height"] == height && short.validation == nil)
      #expect(short.notes.count == 1 && short.notes[0].contains("not used: y_size."))
      // Outputs without a loss need no labels; the only labels need no name.
      let half = try load([("x_image", x), ("x_age", age), ("y_train", y)], (", height: mse", ""))
      #expect(half.train.targets["kind"] == y)
      let error = #expect(throws: FormatError.self) {
        try load([("x_image", x), ("x_ages", age), ("y_kind", y), ("y_height", height)])
      }
      #expect(
        error?.description.contains("should hold x_train_image, x_train_age, y_train_kind, y_train_height") == true)
      let rows = #expect(throws: FormatError.self) {
        try load([("x_image", x), ("x_age", NDArray([Float(1)])), ("y_kind", y), ("y_height", height)])
      }
      #expect(rows?.description.contains("x_age of") == true, "\(rows?.description ?? "")")
    }
  }

  @Test func theOnlyOutputIsFoundWithItsNameAndWithout() throws {
    try withTemporaryDirectory { directory in
      let one = "inputs: {image: [3]}\nlayers: [Dense: {units: 1, name: height}]\noutputs: [height]"
      let text = "data: {npz: d.npz}\n\(one)\ncompile: {optimizer: sgd, loss: mse}"
      for names in [
        ["x_train_image", "y_train_height"], ["x_train", "y_train"], ["x_image", "y_height"], ["x", "y"],
      ] {
        try NPZ.write([(names[0], x), (names[1], height)], to: directory.appendingPathComponent("d.npz"))
        let recipe = try Recipe(yaml: text, name: "r", file: "r.yaml", directory: directory)
        let data = try recipe.data.load(in: directory)
        #expect(data.train.inputs[0] == x && data.train.targets[0] == height, "\(names)")
        let model = try recipe.makeModel(for: data.inputs, backend: ReferenceBackend())
        #expect(try recipe.train(model, on: data, callbacks: [], verbose: .silent).epochs.count == 1)
      }
    }
  }

  @Test func filesGoByTheNamesOfInputsAndOutputsInAnyOrder() throws {
    try withTemporaryDirectory { directory in
      for (name, array) in [("image", x), ("age", age), ("kind", y), ("height", height)] {
        try NPY.write(array, to: directory.appendingPathComponent("\(name).npy"))
      }
      let (inputs, targets) = (
        "inputs: {age: age.npy, image: image.npy}", "targets: {height: height.npy, kind: kind.npy}"
      )
      let data = try graph("\(inputs), \(targets)", directory).data.load(in: directory)
      #expect(data.train.inputs.names == ["image", "age"] && data.train.targets.names == ["kind", "height"])
      func problem(_ data: String) -> String {
        do { _ = try graph(data, directory) } catch { return "\(error)" }
        return "no error"
      }
      #expect(problem("inputs: a.npy, \(targets)").contains("r.yaml:1: the model has the inputs image, age"))
      #expect(problem("inputs: {image: a.npy}, \(targets)").contains("age has none"))
      #expect(problem("\(inputs), targets: {kind: a.npy, hight: b.npy}").contains("Did you mean 'height'?"))
      #expect(problem("\(inputs), targets: {kind: 3}").contains("'targets' needs a file, or files by name"))
      let images = problem("name: fashion-mnist-sample")
      #expect(images.contains("r.yaml:1: fashion-mnist-sample has one array of images"), "\(images)")
    }
  }

  @Test func samplesToPredictGoByTheNamesOfInputs() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("s.npz")
      try NPZ.write([("x_test_age", age), ("image", x)], to: url)
      #expect(try ArrayFile.readInputs(url, names: ["image", "age"])["age"] == age)
      let lacks = #expect(throws: FormatError.self) { try ArrayFile.readInputs(url, names: ["image", "size"]) }
      #expect(lacks?.description.contains("should hold the input 'size'; it holds x_test_age, image") == true)
      try NPY.write(x, to: directory.appendingPathComponent("x.npy"))
      let one = #expect(throws: FormatError.self) {
        try ArrayFile.readInputs(directory.appendingPathComponent("x.npy"), names: ["image", "age"])
      }
      #expect(one?.description.contains("x_image, x_age") == true)
    }
  }

  @Test func aFileOfAnotherKindIsCalledWhatItIs() throws {
    try withTemporaryDirectory { directory in
      try Data("a,b\n1,2\n".utf8).write(to: directory.appendingPathComponent("x.csv"))
      let table = #expect(throws: FormatError.self) { try ArrayFile.read(directory.appendingPathComponent("x.csv")) }
      #expect(table?.description.contains("is not an array: it is text, such as CSV") == true)
      try NPZ.write([("x", x)], to: directory.appendingPathComponent("x.npz"))
      let archive = #expect(throws: FormatError.self) { try ArrayFile.read(directory.appendingPathComponent("x.npz")) }
      #expect(archive?.description.contains("data: {npz: FILE}") == true)
      let unknown = #expect(throws: ConfigError.self) {
        try Recipe(
          yaml: RecipeTests.small.replacing("name: fashion-mnist-sample", with: "parquet: x.parquet"), name: "r",
          file: "r.yaml",
          directory: directory)
      }
      #expect(unknown?.description.contains("the source 'parquet' is not known") == true)
    }
  }

  @Test func recipesAreReadFromPipesAndNothingElseThanText() throws {
    try withTemporaryDirectory { directory in
      let pipe = directory.appendingPathComponent("pipe")
      try #require(mkfifo(pipe.path, 0o600) == 0)
      let path = pipe.path
      let writer = Thread {
        let handle = FileHandle(fileDescriptor: open(path, O_WRONLY), closeOnDealloc: true)
        try? handle.write(contentsOf: Data(RecipeTests.small.utf8))
      }
      writer.start()
      #expect((try Recipe(pipe.path).model as? Sequential)?.layers.count == 2)

      let run = directory.appendingPathComponent("run")
      try FileManager.default.createDirectory(at: run, withIntermediateDirectories: true)
      let plain = #expect(throws: FormatError.self) { try Recipe(run.path) }
      #expect(plain?.description.contains("is a directory, not a recipe. Name a YAML file.") == true)
      try Data(RecipeTests.small.utf8).write(to: run.appendingPathComponent("recipe.yaml"))
      let trained = #expect(throws: FormatError.self) { try Recipe(run.path) }
      #expect(trained?.description.contains("its recipe is \(run.path)/recipe.yaml") == true)
      #expect(trained?.description.contains("--resume") == true)

      let array = directory.appendingPathComponent("x.npy")
      try NPY.write(x, to: array)
      let binary = #expect(throws: FormatError.self) { try Recipe(array.path) }
      #expect(binary?.description.contains("is not a recipe: it is an NPY file") == true)
      let latin = directory.appendingPathComponent("latin.yaml")
      try Data([0x61, 0x3a, 0x20, 0xe9]).write(to: latin)
      let encoding = #expect(throws: FormatError.self) { try Recipe(latin.path) }
      #expect(encoding?.description.contains("text that is not UTF-8") == true)
    }
  }

  /// The superuser may read everything.
  @Test(.enabled(if: geteuid() != 0)) func aRecipeWithoutPermissionIsSaidToBeOne() throws {
    try withTemporaryDirectory { directory in
      let file = directory.appendingPathComponent("secret.yaml")
      try Data(RecipeTests.small.utf8).write(to: file)
      chmod(file.path, 0)
      let error = #expect(throws: FormatError.self) { try Recipe(file.path) }
      #expect(error?.description.contains("Permission denied") == true)
    }
  }
}
