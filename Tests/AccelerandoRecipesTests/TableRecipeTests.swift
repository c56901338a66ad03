// Tables become inputs and targets by what the training part has, and a run keeps that for raw data that come later.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Testing

@testable import AccelerandoRecipes

@Suite struct TableRecipeTests {
  private static let birds = """
    name,island,length,mass,sex,kind
    a,north,39.1,3750,male,gull
    b,south,,3800,female,tern
    c,north,40.3,,female,gull
    d,west,36.7,3450,,tern
    e,south,41.2,3500,male,gull
    f,west,38.6,3600,female,tern

    """

  private func withTemporaryDirectory(_ body: (URL) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("tables-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    try body(directory)
  }

  private func recipe(
    _ data: String, inputs: String = "", layers: String = "[{Dense: {units: 2, activation: softmax}}]",
    loss: String = "loss: sparse_categorical_crossentropy", in directory: URL
  ) throws -> Recipe {
    try Recipe(
      yaml: """
        data: {\(data)}
        \(inputs)
        layers: \(layers)
        compile: {\(loss)}
        """, name: "birds", file: "birds.yaml", directory: directory)
  }

  private func withBirds(_ text: String = birds, _ body: (URL) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      try text.write(to: directory.appendingPathComponent("birds.csv"), atomically: true, encoding: .utf8)
      try body(directory)
    }
  }

  private func problem(_ data: String, inputs: String = "", text: String = birds) -> String {
    do {
      try withBirds(text) { directory in
        let recipe = try recipe(data, inputs: inputs, in: directory)
        _ = try recipe.data.load(in: directory)
      }
    } catch { return "\(error)" }
    return "no error"
  }

  @Test func numbersAndCategoriesAreOneInputAndTextTargetsAreClasses() throws {
    try withBirds { directory in
      let recipe = try recipe("csv: birds.csv, target: kind, features: [island, length, mass]", in: directory)
      let data = try recipe.data.load(in: directory)
      let mean = Float((39.1 + 40.3 + 36.7 + 41.2 + 38.6) / 5)
      let mass = Float((3750.0 + 3800 + 3450 + 3500 + 3600) / 5)
      // north, south, west; length; mass
      let expected: [Float] = [
        1, 0, 0, 39.1, 3750, 0, 1, 0, mean, 3800, 1, 0, 0, 40.3, mass, 0, 0, 1, 36.7, 3450, 0, 1, 0, 41.2, 3500, 0, 0,
        1,
        38.6, 3600,
      ]
      #expect(data.train.inputs == [try NDArray(expected, shape: [6, 5])])
      #expect(data.train.targets == [NDArray([Int32]([0, 1, 0, 1, 0, 1]))])
      #expect(data.classNames == ["gull", "tern"])
      #expect(data.notes.contains { $0.contains("length: 1 missing value become the mean") })
    }
  }

  @Test func aMissingCategoryIsAllZeros() throws {
    try withBirds { directory in
      let data = try recipe("csv: birds.csv, target: kind, features: sex", in: directory).data.load(in: directory)
      let expected: [Float] = [0, 1, 1, 0, 1, 0, 0, 0, 0, 1, 1, 0]
      #expect(data.train.inputs == [try NDArray(expected, shape: [6, 2])])
    }
  }

  @Test func rowsWithMissingValuesAreLeftOutWhereTheRecipeSaysSo() throws {
    try withBirds { directory in
      let data = try recipe("csv: birds.csv, target: kind, features: [length, mass], missing: drop", in: directory)
        .data.load(in: directory)
      #expect(data.train.count == 4)
    }
    #expect(
      problem("csv: birds.csv, target: kind, missing: error").contains("row 2 has no value in the column 'length'"))
  }

  @Test func inputsReadColumnsOfTheirNames() throws {
    try withBirds { directory in
      let recipe = try recipe(
        "csv: birds.csv, target: kind", inputs: "inputs: [length, mass]",
        layers: "[{Concatenate: {from: [length, mass]}}, {Dense: {units: 2, activation: softmax}}]", in: directory)
      let data = try recipe.data.load(in: directory)
      #expect(data.train.inputs.names == ["length", "mass"])
      #expect(data.train.inputs["mass"]?.shape == [6, 1])
    }
  }

  @Test func layersThatReadTextLeaveTheModelAndLearnFromTheTrainingPart() throws {
    try withBirds { directory in
      let recipe = try recipe(
        "csv: birds.csv, target: kind, features: {island: island, numbers: [length, mass]}",
        inputs: "inputs: {island: , numbers: [2]}",
        layers: """
          [{StringLookup: {from: island, name: looked, output_mode: one_hot}},
           {Concatenate: {from: [looked, numbers]}}, {Dense: {units: 2, activation: softmax}}]
          """, in: directory)
      let data = try recipe.data.load(in: directory)
      #expect(data.train.inputs["looked"]?.shape == [6, 4])
      let model = try recipe.makeModel(for: data.inputs, backend: CPUBackend(threads: 1))
      #expect(try model.outline().parameters.map(\.type.shape) == [[6, 2], [2]])
    }
  }

  @Test func aSavedStageMakesTheSameInputsOfRawDataWithoutTargets() throws {
    try withBirds { directory in
      let texts = "[{StringLookup: {output_mode: multi_hot}}, {Dense: {units: 2, activation: softmax}}]"
      for (data, layers) in [
        ("csv: birds.csv, target: kind, id: name", "[{Dense: {units: 2, activation: softmax}}]"),
        ("csv: birds.csv, target: kind, features: island, id: name", texts),
      ] {
        let recipe = try recipe(data, layers: layers, in: directory)
        let loaded = try recipe.data.load(in: directory)
        let text = try #require(loaded.stage).json.text(.indented)
        let stage = try recipe.data.stage(Config(json: text, file: "data.json"))
        let raw = directory.appendingPathComponent("raw.csv")
        let rows = Self.birds.split(separator: "\n").map {
          $0.split(separator: ",", omittingEmptySubsequences: false).dropLast()
        }
        try rows.map { $0.joined(separator: ",") }.joined(separator: "\n").write(
          to: raw, atomically: true, encoding: .utf8)
        let samples = try #require(try recipe.data.samples(at: raw, stage: stage))
        #expect(samples.inputs == loaded.train.inputs)
        #expect(samples.ids == ["a", "b", "c", "d", "e", "f"])
      }
    }
  }

  @Test func anUnknownCategoryIsNamedWithItsRowOrIgnored() throws {
    try withBirds { directory in
      func load(_ setting: String) throws -> LabelledArrays? {
        let recipe = try recipe("csv: birds.csv, target: kind, features: island\(setting)", in: directory)
        let stage = try recipe.data.load(in: directory).stage
        let raw = directory.appendingPathComponent("raw.csv")
        try "island,x\nnorth,1\neast,2\n".write(to: raw, atomically: true, encoding: .utf8)
        return try recipe.data.samples(at: raw, stage: stage)
      }
      do {
        _ = try load("")
        Issue.record("an unknown category was taken")
      } catch {
        #expect(
          "\(error)".contains("row 2, column 'island': the category 'east' is not known; known: north, south, west"))
      }
      let expected = try NDArray([Float]([1, 0, 0, 0, 0, 0]), shape: [2, 3])
      #expect(try load(", unknown_categories: ignore")?.inputs == [expected])
    }
  }

  @Test func aSplitIsTheSameWheneverItIsMadeAndLearnsFromItsTrainingPartAlone() throws {
    let rows = (0..<40).map { "\($0),\($0 % 2 == 0 ? "even" : "odd")" }
    try withBirds("x,kind\n" + rows.joined(separator: "\n") + "\n") { directory in
      let settings = "csv: birds.csv, target: kind, validation_split: 0.25, test_split: 0.25, stratify: true"
      let recipe = try recipe(settings, in: directory)
      let (first, second) = (try recipe.data.load(in: directory), try recipe.data.load(in: directory))
      #expect(first.train.inputs == second.train.inputs)
      #expect(first.train.count == 20)
      #expect(first.validation?.count == 10)
      #expect(first.train.targets[0].elements(as: Int32.self).reduce(0, +) == 10)
      let test = try recipe.data.loadForEvaluation(in: directory).samples
      let all = [first.train, try #require(first.validation), test].flatMap { $0.inputs[0].elements(as: Float.self) }
      #expect(all.sorted() == (0..<40).map(Float.init))
    }
  }

  @Test func aLargeTableTrainsFromItsFileToTheSameWeights() throws {
    try withBirds { directory in
      func weights(_ data: LoadedData, _ recipe: Recipe) throws -> [NDArray] {
        let model = try recipe.makeModel(for: data.inputs, backend: CPUBackend(threads: 1))
        _ = try recipe.train(model, on: data, callbacks: [], verbose: .silent)
        return try model.weights().entries.map(\.1)
      }
      let recipe = try recipe("csv: birds.csv, target: kind, features: [island, length]", in: directory)
      let whole = try recipe.data.load(in: directory)
      let stage = try #require(whole.stage)
      let source = try #require(recipe.data.source as? TableRecipeSource)
      let raw = try source.open(directory.appendingPathComponent("birds.csv"), limit: 0)
      let read = LoadedData(train: try stage.samples(of: raw), stage: stage)
      #expect(read.train.inputs.isEmpty && read.train.count == 6)
      #expect(try weights(read, recipe) == weights(whole, recipe))
    }
  }

  @Test func classWeightsAreBalancedOrGoByName() throws {
    let labels = NDArray([Int32]([0, 0, 0, 1]))
    #expect(try ClassWeightSettings.balanced.weights(for: labels, names: nil) == [0: 4.0 / 6, 1: 2])
    #expect(try ClassWeightSettings.weights(["b": 3]).weights(for: labels, names: ["a", "b"]) == [1: 3])
    #expect(throws: TrainingError.self) { try ClassWeightSettings.weights(["c": 3]).weights(for: labels, names: ["a"]) }
  }

  @Test func mistakesAreSaidWithTheColumn() {
    #expect(problem("csv: birds.csv, target: sort").contains("has no column 'sort'"))
    #expect(problem("csv: birds.csv").contains("the column to predict is not named"))
    #expect(problem("csv: birds.csv, target: kind, features: [wing]").contains("has no column 'wing'"))
    #expect(problem("csv: birds.csv, target: kind, stratify: true").contains("say with 'validation_split'"))
    #expect(
      problem("csv: birds.csv, target: kind, validation_split: 0.5, stratify: true, group_by: island").contains(
        "one way"))
    #expect(problem("csv: none.csv, target: kind").contains("none.csv"))
    #expect(
      problem("csv: birds.csv, target: kind, features: {wing: mass}", inputs: "inputs: [length]").contains(
        "columns for 'wing', which is no input"))
  }
}
