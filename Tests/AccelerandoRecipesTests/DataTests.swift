import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoRecipes
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
          yaml: RecipeTests.small.replacing("name: fashion-mnist-sample", with: "csv: x.csv"), name: "r",
          file: "r.yaml",
          directory: directory)
      }
      #expect(unknown?.description.contains("the source 'csv' is not known") == true)
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
