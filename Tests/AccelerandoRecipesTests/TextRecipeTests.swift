// Texts become inputs by the vocabulary of the training part, and a run keeps it for texts that come later.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoData
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Testing

@testable import AccelerandoRecipes

@Suite struct TextRecipeTests {
  /// Makes texts of two classes, which one word tells apart.
  private func withTexts(_ body: (URL) throws -> Void) throws {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent("text-recipe-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    for (kind, word) in [("good", "fine"), ("bad", "poor")] {
      let folder = root.appendingPathComponent("texts/\(kind)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      for number in 0..<20 {
        try Data("A \(word) thing, number \(number)".utf8).write(to: folder.appendingPathComponent("\(number).txt"))
      }
    }
    try body(root)
  }

  private func recipe(_ root: URL, data: String = "text: texts, validation_split: 0.25, stratify: true", layer: String)
    throws -> Recipe
  {
    try Recipe(
      yaml: """
        data: {\(data)}
        layers:
        \(layer)
          - Dense: {units: 2, activation: softmax}
        compile: {optimizer: {name: adam, learning_rate: 0.05}, loss: sparse_categorical_crossentropy, metrics: [accuracy]}
        fit: {epochs: 15, batch_size: 8}
        """, name: "texts", file: "texts.yaml", directory: root)
  }

  @Test(arguments: [
    "  - TextVectorization: {output_mode: count, max_tokens: 30, pad_to_max_tokens: true}",
    """
      - TextVectorization: {output_sequence_length: 6}
      - Embedding: {input_dim: 60, output_dim: 4, mask_zero: true}
      - GRU: {units: 4}
    """,
  ])
  func textsInFoldersAreClassified(_ layer: String) throws {
    try withTexts { root in
      let recipe = try recipe(root, layer: layer)
      let data = try recipe.data.load(in: recipe.directory)
      #expect(data.train.count == 30)
      #expect(data.classNames == ["bad", "good"])
      let model = try recipe.makeModel(for: data.train.inputTypes, backend: CPUBackend())
      let history = try recipe.train(model, on: data, callbacks: [], verbose: .silent)
      let accuracy = try #require(history.epochs.last?.logs["val_accuracy"])
      #expect(accuracy == 1)
    }
  }

  @Test func textsWithoutALayerThatReadsThemAreRefused() throws {
    try withTexts { root in
      let error = #expect(throws: ConfigError.self) { try recipe(root, layer: "  - Flatten") }
      #expect(error?.description.contains("TextVectorization") == true)
    }
  }

  @Test func layersThatLearnFromNumbersAreAdaptedToTheTrainingPart() throws {
    try withTexts { root in
      let recipe = try recipe(
        root,
        layer: "  - TextVectorization: {output_mode: count, max_tokens: 30, pad_to_max_tokens: true}\n  - Normalization"
      )
      let data = try recipe.data.load(in: recipe.directory)
      let model = try recipe.makeModel(for: data.train.inputTypes, backend: CPUBackend())
      #expect(try model.needsAdapting)
      _ = try recipe.train(model, on: data, callbacks: [], verbose: .silent)
      #expect(try !model.needsAdapting)
      let mean = try #require(model.weights().entries.first { $0.0.hasSuffix("adaptedMean") }).1.elements(
        as: Float.self)
      let counts = try #require(data.train.inputs.first).elements(as: Float.self)
      for column in 0..<30 {
        let sum = stride(from: column, to: counts.count, by: 30).reduce(0) { $0 + Double(counts[$1]) }
        #expect(abs(Double(mean[column]) - sum / 30) < 1e-6)
      }
    }
  }
}
