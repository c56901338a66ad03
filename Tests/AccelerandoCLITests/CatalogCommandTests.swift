// What the command tells of layers, losses and the like is what recipes may say.

import Foundation
import Testing

@Suite struct CatalogCommandTests {
  private struct Entry: Decodable {
    struct Setting: Decodable {
      let name: String
      let type: String
      let required: Bool
    }

    let name: String
    let summary: String
    let settings: [Setting]
  }

  @Test(arguments: [
    ("layers", "Dense", "units"), ("losses", "huber", "delta"), ("metrics", "binary_accuracy", "threshold"),
    ("optimizers", "adam", "beta_1"), ("callbacks", "EarlyStopping", "patience"),
    ("schedules", "cosine_decay", "decay_steps"), ("initializers", "random_normal", "stddev"),
    ("regularizers", "orthogonal", "factor"),
    ("constraints", "max_norm", "max_value"),
    ("activations", "elu", "alpha"),
  ])
  func catalogsAreListedAndKindsShown(_ command: String, _ kind: String, _ setting: String) throws {
    try withTemporaryDirectory { directory in
      let list = try Command.run(command, in: directory)
      #expect(list.status == 0 && list.output.split(separator: "\n").contains { $0.hasPrefix("\(kind) ") })
      let shown = try Command.run(command, kind.uppercased(), in: directory)
      #expect(shown.status == 0 && shown.output.hasPrefix("\(kind): "), "\(shown)")
      #expect(shown.output.contains("\n\(setting) "))
      let all = try Command.run(command, "--json", in: directory)
      let entries = try JSONDecoder().decode([Entry].self, from: Data(all.output.utf8))
      #expect(entries.contains { $0.name == kind })
      let one = try Command.run(command, kind, "--json", in: directory)
      let entry = try JSONDecoder().decode(Entry.self, from: Data(one.output.utf8))
      #expect(entry.name == kind && entry.settings.contains { $0.name == setting && !$0.type.isEmpty })
      #expect(!entry.summary.isEmpty)
    }
  }

  @Test func aNameThatIsUnknownIsAMistakeOfUsage() throws {
    try withTemporaryDirectory { directory in
      let misspelt = try Command.run("layers", "Desne", in: directory)
      #expect(misspelt.status == 64 && misspelt.errors.contains("Did you mean 'Dense'?"), "\(misspelt)")
      let missing = try Command.run("metrics", "mean", in: directory)
      #expect(
        missing.status == 64 && missing.errors.contains("not available here") && !missing.errors.contains("'acc'?"))
    }
  }

  @Test func theReferenceIsOnePage() throws {
    try withTemporaryDirectory { directory in
      let page = try Command.run("recipes", "--reference", in: directory)
      #expect(page.status == 0 && page.output.hasPrefix("# Recipes\n") && page.output.contains("### Dense\n"))
      #expect(try Command.run("recipes", "mlp", "--reference", in: directory).status == 64)
    }
  }

  @Test(arguments: [
    "- ZeroPadding2D: {padding: 9223372036854775807}", "- ZeroPadding2D: {padding: 4611686018427387904}",
    """
    - UpSampling2D: {size: 2147483647}
      - UpSampling2D: {size: 2147483647}
      - UpSampling2D: {size: 2147483647}
    """,
    """
    - DepthwiseConv2D: {kernel_size: 1, depth_multiplier: 4294967295}
      - DepthwiseConv2D: {kernel_size: 1, depth_multiplier: 4294967295}
      - DepthwiseConv2D: {kernel_size: 1, depth_multiplier: 4294967295}
    """,
    """
    - DepthwiseConv2D: {kernel_size: 1, depth_multiplier: 2147483647}
      - DepthwiseConv2D: {kernel_size: 1, depth_multiplier: 2147483647}
    """,
    """
    - Reshape: {target_shape: [28, 28]}
      - MultiHeadAttention: {num_heads: 4294967295, key_dim: 4294967295}
    """,
    """
    - Reshape: {target_shape: [28, 28]}
      - MultiHeadAttention: {num_heads: 2147483647, key_dim: 2147483647}
    """,
    """
    - UpSampling2D: {size: 131072}
      - MaxPooling2D: {pool_size: 524288, strides: 1}
    """,
    "- Dense: {units: 2147483647}",
  ])
  func layersThatNoMachineHoldsAreBadData(_ layers: String) throws {
    try withTemporaryDirectory { directory in
      let recipe = """
        data: {name: fashion-mnist-sample}
        layers:
          \(layers)
          - Flatten
          - Dense: {units: 10, activation: softmax}
        compile: {loss: sparse_categorical_crossentropy}
        """
      try recipe.write(to: directory.appendingPathComponent("r.yaml"), atomically: true, encoding: .utf8)
      let outcome = try Command.run("train", "r.yaml", "--limit", "32", in: directory)
      #expect(outcome.status == 65, "\(outcome)")
      #expect(outcome.errors.contains("accelerando: "))
    }
  }
}
