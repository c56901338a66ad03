// Trained models go on, and give their weights to others.

import Foundation
import Testing

@Suite struct GoingOnTests {
  @Test func aTrainedModelGoesOnWithItsOptimizerWhereItStopped() throws {
    try withTemporaryDirectory { directory in
      func train(_ arguments: String...) throws -> Command.Outcome {
        try Command.run(
          arguments: ["train"] + arguments + ["--data", "sample", "--batch-size", "500"], in: directory)
      }
      let first = try train("mlp", "--epochs", "1", "--output", "first")
      #expect(first.status == 0, "\(first.errors)")
      let second = try train("first", "--epochs", "2", "--output", "second")
      #expect(second.status == 0, "\(second.errors)")
      func loss(_ name: String) throws -> Double {
        let outcome = try Command.run("evaluate", name, "--data", "sample", "--json", in: directory)
        let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
        return try #require(object?["loss"] as? Double, "\(outcome.errors)")
      }
      #expect(try loss("second") < loss("first"))
    }
  }

  @Test func aRecipeTakesTheWeightsOfARunByLayer() throws {
    try withTemporaryDirectory { directory in
      func write(_ name: String, _ weights: String) throws {
        let text = """
          data: {name: fashion-mnist-sample}
          \(weights)
          layers:
            - Flatten
            - Rescaling: {scale: 0.00392156862745098}
            - Dense: {units: 8, activation: relu, name: stem}
            - Dense: {units: 10, activation: softmax, name: head}
          compile: {optimizer: adam, loss: sparse_categorical_crossentropy}
          """
        try text.write(to: directory.appendingPathComponent(name), atomically: true, encoding: .utf8)
      }
      try write("a.yaml", "")
      try write("b.yaml", "weights: {from: first, except: [head]}")
      try write("c.yaml", "weights: {from: first, layers: [sten]}")
      try write("d.yaml", "weights: {from: first, layer: [stem]}")
      func train(_ arguments: String...) throws -> Command.Outcome {
        try Command.run(arguments: ["train"] + arguments + ["--epochs", "1"], in: directory)
      }
      let first = try train("a.yaml", "--output", "first")
      #expect(first.status == 0, "\(first.errors)")
      let second = try train("b.yaml")
      #expect(second.status == 0, "\(second.errors)")
      #expect(second.errors.contains("2 parameters have the values of"), "\(second.errors)\(second.output)")
      #expect(second.errors.contains("Not used: head.weight, head.bias."), "\(second.errors)\(second.output)")
      let wrong = try train("c.yaml")
      #expect(wrong.status == 65 && wrong.errors.contains("Did you mean 'stem'?"), "\(wrong.errors)")
      let unknown = try train("d.yaml")
      #expect(unknown.status == 65 && unknown.errors.contains("d.yaml:2"), "\(unknown.errors)")
    }
  }
}
