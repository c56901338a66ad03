// Models as graphs by name: what the words of recipes mean, and what is answered to those that mean nothing.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoRecipes
import AccelerandoTestSupport
import AccelerandoTrain
import Foundation
import Testing

/// A recipe around a part that describes the model.
private func text(_ model: String, loss: String = "loss: mse", data: String = "npz: d.npz") -> String {
  "data: {\(data)}\n\(model)\ncompile: {optimizer: sgd, \(loss)}\n"
}

private func recipe(_ model: String, loss: String = "loss: mse") throws -> Recipe {
  try Recipe(
    yaml: text(model, loss: loss), name: "r", file: "r.yaml", directory: FileManager.default.temporaryDirectory)
}

/// The error of reading a recipe, or of making its model for inputs of some shapes.
private func complaint(_ model: String, _ shapes: [[Int]] = [[4]], loss: String = "loss: mse") -> String {
  do {
    _ = try recipe(model, loss: loss).makeModel(
      for: shapes.map { TensorType(.float32, $0) }, backend: ReferenceBackend())
  } catch { return "\(error)" }
  return "no error"
}

private func outline(_ model: String, _ shapes: [[Int]] = [[4]]) throws -> Outline {
  try Outline(of: recipe(model).model, inputs: shapes.map { TensorType(.float32, [1] + $0) })
}

@Suite struct GraphRecipeTests {
  static let branches = """
    inputs: {image: [4], age: [2]}
    layers:
      - Dense: {units: 3, from: image, name: seen}
      - Dense: {units: 3, from: age, name: told}
      - Add: {from: [seen, told], name: both}
      - Dense: {units: 2, name: kind}
      - Dense: {units: 1, name: height, from: both}
    outputs: [kind, height]
    """

  @Test func layersReadWhatTheyNameAndOtherwiseTheOneBefore() throws {
    let graph = try #require(try recipe(Self.branches, loss: "loss: mse").model as? Functional)
    #expect(graph.sources == [[0], [1], [2, 3], [4], [4]])
    #expect(graph.outputNames == ["kind", "height"])
    let outline = try outline(Self.branches, [[4], [2]])
    #expect(outline.outputs.map(\.shape) == [[1, 2], [1, 1]])
    #expect(Set(outline.lastingNames.values).isSuperset(of: ["seen.weight", "told.bias", "height.weight"]))
  }

  @Test func aChainStaysASequentialWithTheParametersItHad() throws {
    let chain = try recipe("layers: [Flatten, Dense: {units: 3}, {Dense: {units: 2}, name: last}]")
    #expect((chain.model as? Sequential)?.layers.count == 3)
    #expect((chain.model as? Sequential)?.layers.last?.name == "last")
    let named = try recipe("layers: [Flatten: {from: input}, Dense: {units: 3}]").model
    #expect((named as? Functional)?.layers.count == 2, "a graph, since something is named")
  }

  /// The graph of a recipe computes what the same layers, connected in Swift, compute.
  @Test func aRecipeAndTheSameGraphInSwiftAreOneProgram() throws {
    let image = Input(shape: [4], name: "image")
    let age = Input(shape: [2], name: "age")
    let seen = Dense(3, name: "seen")(image)
    let both = Add(name: "both")([seen, Dense(3, name: "told")(age)])
    let swift = Functional(
      inputs: [image, age], outputs: [Dense(2, name: "kind")(both), Dense(1, name: "height")(both)], name: "r")
    let types = [TensorType(.float32, [1, 4]), TensorType(.float32, [1, 2])]
    func program(_ layer: any Layer) throws -> String {
      let graph = Graph()
      let inputs = types.enumerated().map { graph.input("x\($0.offset)", $0.element) }
      let scope = Scope(graph: graph, names: ParameterNames(of: layer))
      let outputs = scope.run { layer.applied(to: inputs) }
      if let error = graph.firstError { throw error }
      return "\(try Program(graph, outputs: outputs))"
    }
    #expect(try program(recipe(Self.branches).model) == program(swift))
  }

  @Test func insertingALayerTouchesTwoLines() throws {
    let lines = Self.branches.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    var changed = lines
    changed.insert("  - Dropout: {rate: 0.5, name: sparse}", at: 3)
    changed[5] = changed[5].replacing("[seen,", with: "[sparse,")
    #expect(changed.count { !lines.contains($0) } == 2)
    let graph = try #require(try recipe(changed.joined(separator: "\n")).model as? Functional)
    #expect(graph.layers.count == 6 && graph.sources[3] == [3, 4])
  }

  @Test func aLayerMayReadOneThatStandsBelow() throws {
    let graph = try #require(
      try recipe(
        """
        layers:
          - Dense: {units: 2, from: late}
          - Dense: {units: 3, from: input, name: late}
        outputs: {y: late_reader}
        """.replacing("{units: 2, from: late}", with: "{units: 2, from: late, name: late_reader}")
      ).model as? Functional)
    #expect((graph.layers[0] as? Dense)?.units == 3 && graph.sources == [[0], [1]])
    #expect(graph.outputNames == ["y"])
  }

  @Test func outputsOfALayerWithSeveralAreReadByName() throws {
    let states = """
      layers:
        - LSTM: {units: 3, return_sequences: true, return_state: true, name: encoder}
        - LSTM: {units: 3, from: [encoder.output, encoder.state_0, encoder.state_1]}
        - Dense: {units: 1}
      """
    let outline = try outline(states, [[5, 2]])
    #expect(outline.output.shape == [1, 1])
    #expect(
      complaint(states.replacing(".output", with: ".out"), [[5, 2]]).contains("It has: output, state_0, state_1."))
    let plain = complaint(states.replacing(", from: [encoder.output, encoder.state_0, encoder.state_1]", with: ""))
    #expect(plain.contains("r.yaml:4: 'encoder' has the outputs output, state_0, state_1: say which"), "\(plain)")
  }

  // MARK: Repetition and blocks

  @Test func repetitionsFollowEachOtherWithWeightsAndNamesOfTheirOwn() throws {
    let outline = try outline(
      """
      layers:
        - Dense: {units: 4, name: step, repeat: 3}
        - Add: {from: [step, step_1, input]}
      """)
    #expect(outline.layerCalls.map(\.name) == ["step_1", "step_2", "step_3", "add"])
    #expect(outline.parameters.count == 6)
    #expect(outline.nestedCalls[3].reads == ["step_3", "step_1", "input"])
  }

  @Test func repetitionsOfALayerWithSeveralInputsKeepTheOthers() throws {
    let graph = try #require(
      try recipe(
        """
        layers:
          - Dense: {units: 4, name: memory}
          - Add: {from: [input, memory], repeat: 3}
        """
      ).model as? Functional)
    #expect(graph.sources == [[0], [0, 1], [2, 1], [3, 1]])
  }

  static let blocks = """
    blocks:
      inner:
        parameters: [width]
        layers:
          - Dense: {units: $width, activation: relu}
      residual:
        parameters: {width: 4, rate: 0.1}
        layers:
          - inner: {width: $width, repeat: 2}
          - Dropout: {rate: $rate, name: change}
          - Add: {from: [input, change]}
    layers:
      - residual: {name: first}
      - residual: {rate: 0.5, repeat: 2}
      - Dense: {units: 1}
    """

  @Test func blocksHaveParametersWeightsOfTheirOwnAndNamesByPath() throws {
    let outline = try outline(Self.blocks)
    #expect(outline.layerCalls.map(\.name) == ["first", "residual", "residual_1", "dense"])
    #expect(outline.parameters.count == 3 * 2 * 2 + 2)
    let names = Set(outline.lastingNames.values)
    #expect(
      names.isSuperset(of: ["first.inner.dense.weight", "first.inner_1.dense.bias", "residual_1.inner.dense.weight"]),
      "\(names)")
    let dropouts = outline.nestedCalls.compactMap { ($0.layer as? AccelerandoNN.Dropout)?.rate }
    #expect(dropouts == [0.1, 0.5, 0.5])
    #expect(outline.nestedCalls.map(\.depth).prefix(6) == [0, 1, 2, 1, 2, 1])
  }

  @Test func blocksMayHaveSeveralInputsAndOutputs() throws {
    let model = """
      blocks:
        swap:
          inputs: [a, b]
          layers:
            - Dense: {units: 2, from: a, name: left}
            - Dense: {units: 3, from: b, name: right}
          outputs: {x: right, y: left}
      layers:
        - swap: {from: [input, input], name: s}
        - Concatenate: {from: [s.x, s.y]}
      """
    #expect(try outline(model).output.shape == [1, 5])
    let few = complaint(model.replacing("[input, input]", with: "input"))
    #expect(few.contains("r.yaml:10") && few.contains("takes 2 inputs; received 1"), "\(few)")
  }

  @Test func sharingInsideABlockIsOfEachUse() throws {
    let outline = try outline(
      """
      blocks:
        twice:
          layers:
            - {Dense: {units: 4}, id: same}
            - shares: same
      layers: [twice, twice]
      """)
    #expect(outline.parameters.count == 4)
  }

  @Test func aSavedModelOfBlocksIsReadBackTheSame() throws {
    let backend = ReferenceBackend()
    let model = try recipe(Self.blocks).makeModel(for: [TensorType(.float32, [4])], backend: backend)
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("blocks-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: url) }
    try model.save(to: url)
    let loaded = try Model.load(from: url, backend: backend)
    let x = try NDArray((0..<8).map { Float($0) / 8 }, shape: [2, 4])
    #expect(try loaded.predict(x) == model.predict(x))
    #expect(try loaded.summary() == model.summary())
    #expect(try loaded.outline().lastingNames == model.outline().lastingNames)
  }

  // MARK: Mistakes

  @Test func mistakesInAGraphAreAnsweredWithTheirLine() {
    let cases: [(from: String, to: String, expected: [String])] = [
      ("[seen, told]", "[sen, told]", ["r.yaml:6: 'from' names 'sen'", "Did you mean 'seen'?"]),
      ("name: told", "name: seen", ["r.yaml:5: two layers are called 'seen'. The first is at r.yaml:4"]),
      ("name: told", "name: image", ["r.yaml:5: an input is called 'image'", "r.yaml:2"]),
      ("from: age", "from: both", ["circle", "'told' reads 'both', 'both' reads 'told'", "r.yaml:6"]),
      ("from: age", "from: told", ["r.yaml:5", "'told' reads 'told'"]),
      ("from: age", "from: image", ["r.yaml:2: no layer reads the input 'age'"]),
      ("[kind, height]", "[kind]", ["r.yaml:8: the result of 'height' is not used"]),
      ("[kind, height]", "[kind, hight]", ["r.yaml:9: 'outputs' names 'hight'", "Did you mean 'height'?"]),
      ("[kind, height]", "[kind, kind]", ["two outputs are called 'kind'"]),
      (
        "[kind, height]", "{a: kind, b: 3}",
        ["r.yaml:9: the output 'b' needs the name of a layer; received the number 3"]
      ),
      ("from: image, ", "", ["r.yaml:4: the first layer has none before it", "image, age", "'from: image'"]),
      ("from: image", "from: []", ["r.yaml:4: 'from' needs the name of a layer or an input"]),
      ("from: image", "from: [[image]]", ["r.yaml:4: 'from' needs"]),
      ("image: [4]", "image: [0]", ["r.yaml:2: the input 'image': 'shape' needs a whole number of at least 1"]),
      (
        "image: [4]", "image: {shap: [4]}", ["r.yaml:2: the input 'image' has no setting 'shap'; did you mean 'shape'?"]
      ),
      ("{image: [4], age: [2]}", "[image, image]", ["r.yaml:2: two inputs are called 'image'"]),
      ("{image: [4], age: [2]}", "[]", ["r.yaml:2: 'inputs' needs names of inputs"]),
      ("name: told", "name: 7", ["r.yaml:5: 'name' needs a text; received the number 7"]),
    ]
    for (old, new, expected) in cases {
      let message = complaint(Self.branches.replacing(old, with: new), [[4], [2]])
      for part in expected { #expect(message.contains(part), "\(message) should contain \(part)") }
    }
  }

  @Test func mistakesInBlocksAndRepetitionsAreAnsweredWithTheirLine() {
    let cases: [(from: String, to: String, expected: [String])] = [
      (
        "inner: {width: $width, repeat: 2}", "inner: {width: $width}\n      - inner",
        ["r.yaml:11: the block 'inner' needs the setting 'width'.", "used at r.yaml:15"]
      ),
      ("inner: {width: $width, repeat: 2}", "inner: {with: $width}", ["did you mean it by 'with'?", "r.yaml:10"]),
      ("{rate: 0.5, repeat: 2}", "{rates: 0.5}", ["r.yaml:15: the block 'residual' has no setting 'rates'", "'rate'"]),
      ("$rate", "$rat", ["r.yaml:11: the block 'residual' has no parameter 'rat'. Did you mean '$rate'?"]),
      ("$rate", "0.1", ["r.yaml:8: the block 'residual' does not use its parameter 'rate'"]),
      (
        "{rate: 0.5, repeat: 2}", "{rate: 2}",
        ["r.yaml:11: ", "'rate' needs", "The block 'residual' is used at r.yaml:15"]
      ),
      (
        "- Dense: {units: $width", "- residual: {width: $width}\n      - Dense: {units: $width",
        ["a block cannot contain itself: residual › inner › residual"]
      ),
      ("- residual: {name: first}", "- residul", ["r.yaml:14: there is no layer 'residul'. Did you mean 'residual'?"]),
      ("residual:\n", "dense:\n", ["r.yaml:7: there is a layer 'Dense'"]),
      ("repeat: 2}\n  - Dense", "repeat: 0}\n  - Dense", ["r.yaml:15: 'repeat' needs a whole number from 1 to 10000"]),
      ("repeat: 2}\n  - Dense", "repeat: -1}\n  - Dense", ["received the number -1"]),
      ("repeat: 2}\n  - Dense", "repeat: many}\n  - Dense", ["received the text \"many\""]),
      ("repeat: 2}\n  - Dense", "repeat: 9999}\n  - Dense", ["more than 10000 layers"]),
      ("[input, change]", "[image, change]", ["r.yaml:12: 'from' names 'image'", "used at r.yaml:14"]),
      ("parameters: [width]", "parameters: [name]", ["r.yaml:4", "cannot have a parameter 'name'"]),
      (
        "{name: first}", "{name: first, repeat: 1}\n    repeat: 2",
        ["'repeat' stands beside 'residual' and in its settings"]
      ),
    ]
    for (old, new, expected) in cases {
      let message = complaint(Self.blocks.replacing(old, with: new, maxReplacements: 1))
      for part in expected { #expect(message.contains(part), "\(message) should contain \(part)") }
    }
  }

  @Test func aShapeThatDoesNotFitIsReportedAtItsLineAndWhereItsBlockIsUsed() {
    let graph = complaint(Self.branches.replacing("units: 3, from: age", with: "units: 5, from: age"), [[4], [2]])
    #expect(graph.hasPrefix("r.yaml:6: Functional 'r' › Add 'both': "), "\(graph)")
    let block = complaint(Self.blocks.replacing("width: 4", with: "width: 6"))
    #expect(block.hasPrefix("r.yaml:12: "), "\(block)")
    #expect(block.contains("› Functional 'first' › Add 'add'") || block.contains("'first' › Add 'add'"), "\(block)")
    #expect(block.hasSuffix("Used at r.yaml:14."), "\(block)")
    let chain = complaint("layers:\n  - Dense: {units: 3}\n  - Conv2D: {filters: 2, kernel_size: 3}")
    #expect(chain.hasPrefix("r.yaml:4: Sequential 'r' › Conv2D 'conv2d': "), "\(chain)")
    let nested = complaint(
      "layers:\n  - Sequential:\n      layers:\n        - Flatten\n        - Conv2D: {filters: 2, kernel_size: 3}")
    #expect(nested.hasPrefix("r.yaml:6: ") && nested.hasSuffix("Used at r.yaml:3."), "\(nested)")
    let later = complaint(
      "layers:\n  - Add: {from: [b, input], name: a}\n  - Dense: {units: 3, from: input, name: b}\noutputs: a")
    #expect(later.hasPrefix("r.yaml:3: "), "lines are found in a list that is out of order: \(later)")
  }

  @Test func lossesAndMetricsOfOutputsThatDoNotExistAreRefusedWithTheirLine() {
    func problem(_ loss: String, _ model: String = Self.branches) -> String {
      complaint(model, [[4], [2]], loss: loss)
    }
    #expect(problem("losses: {kind: mse, hight: mse}").contains("r.yaml:10: there is a loss for the output 'hight'"))
    #expect(problem("losses: {kind: mse, hight: mse}").contains("Did you mean 'height'?"))
    #expect(problem("losses: {kind: mse}, metrics: {heigt: [mae]}").contains("a metric for the output 'heigt'"))
    #expect(problem("loss: mse, metrics: [mae]").contains("say of which one 'mean_absolute_error' is a metric"))
    #expect(problem("losses: {kind: mse}, loss_weights: {height: 2}").contains("'loss_weights' names 'height'"))
    let single = problem("losses: {kind: mse}", "layers: [Dense: {units: 2}]")
    #expect(single.contains("'outputs: [kind]'"), "\(single)")
    #expect(problem("losses: {kind: mse}") == "no error", "an output without a loss is fine")
  }

  @Test func whatStandsInTheWrongPlaceIsExplained() {
    let inside = complaint("layers:\n  - TimeDistributed: {layer: {Dense: {units: 2, from: input}}}")
    #expect(inside.contains("r.yaml:3: 'from' is for layers in lists"), "\(inside)")
    let chain = complaint("layers:\n  - Sequential: {layers: [Flatten, {Dense: {units: 2, from: input}}]}")
    #expect(chain.contains("r.yaml:3: the layers of this list follow each other"), "\(chain)")
    let several = complaint("layers:\n  - {Dense: {units: 2}, Flatten: }")
    #expect(several.contains("r.yaml:3: a layer is its name"), "\(several)")
    #expect(complaint("layers: []").contains("r.yaml:2: a recipe needs at least one layer"))
    let id = complaint("layers:\n  - {Dense: {units: 2}, id: a, repeat: 2}")
    #expect(id.contains("r.yaml:3: 'id' is for one layer"), "\(id)")
  }

  @Test func aFunctionalByNameIsABlockUsedOnce() throws {
    let outline = try outline(
      """
      layers:
        - Functional:
            name: part
            inputs: [x]
            layers:
              - Dense: {units: 4, name: change}
              - Add: {from: [x, change]}
        - Sequential: {layers: [{Dense: {units: 2, repeat: 2}}]}
      """)
    #expect(outline.lastingNames.values.contains("part.change.weight"))
    #expect(outline.output.shape == [1, 2] && outline.parameters.count == 6)
  }

  // MARK: Damage

  /// Parts of a recipe in other places: most of it stays YAML, and its words mean something else.
  @Test func editedGraphsNeverTrap() throws {
    let originals = [text(Self.branches), text(Self.blocks)]
    let words =
      Mutation.yamlWords + [
        "from: ", "name: ", "repeat: ", "$width", "$rate", "input", "first", "[a, b]", "blocks:", "outputs: [kind]",
        "inputs: {x: [2147483647, 2147483647]}", "repeat: 10000", "residual", "inner", "shares: a", "id: a", "Add",
        "LSTM",
      ]
    var random = RandomSource(seed: 5)
    var made = 0
    for round in 0..<Mutation.rounds {
      let original = originals[round % 2]
      var damaged: String
      if Bool.random(using: &random) {
        damaged = String(decoding: Mutation.damaged(Array(original.utf8), words: words, using: &random), as: UTF8.self)
      } else {
        var lines = original.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          let (a, b) = (Int.random(in: lines.indices, using: &random), Int.random(in: lines.indices, using: &random))
          switch Int.random(in: 0..<4, using: &random) {
          case 0: lines.swapAt(a, b)
          case 1: lines.insert(lines[a], at: b)
          case 2 where lines.count > 2: lines.remove(at: a)
          default:
            let parts = lines[a].split(separator: " ", omittingEmptySubsequences: false).map(String.init)
            var changed = parts
            let word = words.randomElement(using: &random) ?? ""
            changed[Int.random(in: parts.indices, using: &random)] = word
            lines[a] = changed.joined(separator: " ")
          }
        }
        damaged = lines.joined(separator: "\n")
      }
      do {
        let recipe = try Recipe(
          yaml: damaged, name: "r", file: "r.yaml", directory: FileManager.default.temporaryDirectory)
        made += 1
        let inputs =
          recipe.knownInputs
          ?? (0..<max(recipe.modelDescription.inputs.count, 1)).map { _ in
            TensorType(.float32, [4])
          }
        _ = try recipe.stepProgram(
          .predict, on: BatchTypes(features: inputs), batchSize: 2, backend: ReferenceBackend())
      } catch is ConfigError {
      } catch is TrainingError {
      } catch is GraphError {
      } catch { Issue.record("round \(round): something else was thrown: \(error)") }
    }
    #expect(made > Mutation.rounds / 50)
  }
}
