// Every layer's output, gradients and new state against Keras'.

import AccelerandoCore
import AccelerandoNN
import Testing

@Suite struct LayerGoldenTests {
  @Test(arguments: Golden.cases("layers") + Golden.cases("recurrent") + Golden.cases("preprocessing"))
  func layersAndTheirGradientsAgreeWithKeras(_ golden: Golden) throws {
    for backend in backends { try compare(golden, on: backend) }
  }

  private func compare(_ golden: Golden, on backend: any Backend) throws {
    let layer = try LayerCatalog().layer(Config(.object([Config.Entry(golden.kind, settings(of: golden))])))
    let inputs = golden.series("x")
    let parameters = try golden.parameters.map { (name: swiftName($0), value: try golden.tensor($0)) }
    let names = ParameterNames(of: layer)
    var results: [String] = []
    let values = try evaluate(inputs + parameters.map(\.value) + [golden.tensor("dy")], on: backend) { tensors in
      let xs = Array(tensors.prefix(inputs.count))
      let weights = Array(tensors.dropFirst(inputs.count).dropLast())
      let scope = Scope(
        graph: tensors[0].graph, names: names,
        values: Dictionary(uniqueKeysWithValues: zip(parameters.map(\.name), weights)),
        isTraining: golden.config["training"] == true)
      let y = sideBySide(scope.run { layer.applied(to: masked(xs, golden)) })
      let loss = (y.converted(to: .float32) * tensors[tensors.count - 1]).sum()
      var outputs = [y]
      results = ["y"]
      let sources = zip(inputNames(golden) + golden.parameters, xs + weights)
        .filter { golden.tensors["d" + $0.0] != nil || golden.tensors["d_" + $0.0] != nil }
      for (source, gradient) in zip(sources, gradients(of: loss, withRespectTo: sources.map(\.1))) {
        outputs.append(gradient)
        results.append(golden.tensors["d" + source.0] != nil ? "d" + source.0 : "d_" + source.0)
      }
      for parameter in golden.parameters where golden.tensors["updated_" + parameter] != nil {
        guard let update = scope.updates[swiftName(parameter)] else { continue }
        outputs.append(update)
        results.append("updated_" + parameter)
      }
      return outputs
    }
    let expected = golden.tensors.keys.filter { role in
      role == "y" || role.hasPrefix("dx") || role.hasPrefix("d_") || role.hasPrefix("updated_")
    }
    #expect(Set(results) == Set(expected), "\(golden.name)")
    for (role, value) in zip(results, values) {
      // At exactly 0 TensorFlow counts both halves of celu, a slope of 2; ours is 1.
      if golden.name == "activation/celu/edges", role == "dx" { continue }
      // Softmax does not feel what is added to all keys: this gradient is 0 but for rounding.
      // Nor does tanh feel much of what it saturates at: what is left are differences of larger numbers.
      let isDifference = golden.name == "attention_layer/concat/masked" && role == "dx0"
      let scale = role == "d_key/bias" ? 1 : isDifference ? 1e-2 : 1e-30
      expectClose(value, try golden.tensor(role), "\(golden.name) \(role) on \(backend.name)", scale: scale)
    }
  }

  /// Several outputs as one tensor `[N, …]`.
  private func sideBySide(_ outputs: [Tensor]) -> Tensor {
    if outputs.count == 1 { return outputs[0] }
    let rows = outputs.map { $0.reshaped([$0.shape[0], $0.type.elementCount / $0.shape[0]]) }
    return rows[0].graph.add(AccelerandoCore.Concatenate(axis: 1), rows)[0]
  }

  /// In cases of that name, positions of zeros have a mask that is false.
  private func masked(_ xs: [Tensor], _ golden: Golden) -> [Tensor] {
    guard golden.name.contains("/masked") else { return xs }
    return xs.map { x in
      let isSet = x.notEqual(to: x.zerosLike())
      return x.masked(by: x.rank > 2 ? isSet.any(axes: [2]) : isSet)
    }
  }

  private func inputNames(_ golden: Golden) -> [String] {
    golden.tensors["x"] != nil ? ["x"] : golden.series("x").indices.map { "x\($0)" }
  }

  /// `attention_output/kernel` is `attentionOutput.kernel` here, `moving_mean` is `movingMean`.
  private func swiftName(_ role: String) -> String {
    let adaptation = [
      "lora_kernel_a": "lora.loraA", "lora_kernel_b": "lora.loraB", "lora_embeddings_a": "lora.loraA",
      "lora_embeddings_b": "lora.loraB",
    ]
    if let name = adaptation[role] { return name }
    let parts = role.split(separator: "/").map { part in
      let words = part.split(separator: "_")
      return words.prefix(1).joined() + words.dropFirst().map { $0.capitalized }.joined()
    }
    return parts.joined(separator: ".")
  }

  /// Keras' settings without those that have one meaning here only.
  private func settings(of golden: Golden) -> Config {
    let single = [
      "training", "synchronized", "renorm", "renorm_clipping", "renorm_momentum", "rms_scaling", "mask_zero",
      "flash_attention", "gptq_unpacked_column_size", "approximate",
    ]
    guard golden.config["approximate"] == true else { return golden.settings(without: single) }
    return golden.settings(without: single, ["activation": Config(["gelu": Config(["approximate": true])])])
  }
}
