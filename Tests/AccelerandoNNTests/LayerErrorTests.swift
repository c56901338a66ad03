import AccelerandoCore
import AccelerandoNN
import Testing

private func problem(_ layer: any Layer, _ shapes: [Int]...) -> String {
  do { _ = try Outline(of: layer, inputs: shapes.map { TensorType(.float32, $0) }) } catch { return "\(error)" }
  return "no error"
}

@Suite struct LayerErrorTests {
  @Test func everyLayerNamesWhatItNeedsAndWhatItReceived() {
    let image = [2, 8, 8, 3]
    #expect(problem(DepthwiseConv2D(kernelSize: (3, 3)), [2, 8, 8]).contains("Add a channel axis"))
    #expect(problem(DepthwiseConv2D(kernelSize: (9, 9)), image).contains("at least its window [9, 9]"))
    #expect(problem(DepthwiseConv2D(kernelSize: (3, 3), depthMultiplier: 0), image).contains("at least 1"))
    #expect(problem(AveragePooling2D(poolSize: (9, 9)), image).contains("at least its window"))
    #expect(problem(GlobalAveragePooling2D(), [2, 8]).contains("do not flatten"))
    #expect(problem(Reshape([7, 3]), [2, 20]).contains("needs as many features as [7, 3] has"))
    #expect(problem(Reshape([-1, 3]), [2, 20]).contains("with 20 features"))
    #expect(problem(Permute([2, 3]), [2, 4, 5]).contains("1 to 2; received [2, 3]"))
    #expect(problem(ZeroPadding2D(-1), image).contains("at least 0"))
    #expect(problem(Softmax(axis: 4), [2, 3]).contains("axis 4"))
    #expect(problem(BatchNormalization(axis: 0), [2, 3]).contains("beside the batch axis"))
    #expect(problem(LayerNormalization(axes: [3]), [2, 3]).contains("beside the batch axis"))
    #expect(problem(Embedding(inputDim: 0, outputDim: 2), [2, 3]).contains("at least 1"))
    #expect(problem(MultiHeadAttention(headCount: 2, keySize: 3), [2, 8]).contains("[N, length, features]"))
    #expect(problem(MultiHeadAttention(headCount: 2, keySize: 3), [2, 5, 4], [3, 5, 4]).contains("of one batch"))
    #expect(problem(Add(), [2, 3], [2, 4]).contains("received [2, 3], [2, 4]"))
    #expect(problem(Subtract(), [2, 3]).contains("takes two inputs; received 1"))
    #expect(problem(Concatenate(axis: 1), [2, 3, 4], [2, 3, 5]).contains("agree but for axis 1"))
    #expect(problem(Concatenate(axis: 0), [2, 3], [2, 3]).contains("not the batch"))
    #expect(problem(PReLU(sharedAxes: [2]), [2, 3]).contains("shared axes [2]"))
    #expect(problem(UpSampling2D(size: (0, 1)), image).contains("at least 1"))
  }

  @Test func layersSurviveTheWayThroughJSON() throws {
    let layers: [any Layer] = [
      DepthwiseConv2D(kernelSize: (3, 2), strides: (2, 1), padding: .same, depthMultiplier: 2, activation: .relu),
      AveragePooling2D(poolSize: (2, 3), strides: (1, 2), padding: .same), GlobalAveragePooling2D(keepsDims: true),
      GlobalMaxPooling2D(name: "g"), Reshape([4, -1]), Permute([2, 1]), Softmax(axis: 1), UpSampling2D(size: (2, 3)),
      ZeroPadding2D(top: 1, bottom: 2, left: 3, right: 4), Add(name: "sum"), Subtract(), Multiply(), Average(),
      Maximum(), Minimum(), Concatenate(axis: 1), Embedding(inputDim: 5, outputDim: 2, initializer: .heNormal),
      BatchNormalization(axis: 1, momentum: 0.5, epsilon: 0.1, centers: false, gammaInitializer: .constant(2)),
      LayerNormalization(axes: [1, 2], epsilon: 0.1, scales: false), ReLU(maximum: 6, negativeSlope: 0.1),
      MultiHeadAttention(headCount: 2, keySize: 3, valueSize: 4, outputShape: [5], dropout: 0.1, isCausal: true),
      LeakyReLU(negativeSlope: 0.1), ELU(alpha: 2), PReLU(sharedAxes: [1], initializer: .constant(0.25)),
    ]
    for layer in layers {
      let written = try Config(of: layer)
      let read = try LayerCatalog().layer(try Config(json: written.json, file: "layer.json"))
      #expect(try Config(of: read) == written)
      #expect(type(of: read) == type(of: layer))
    }
  }

  @Test func settingsThatCannotBeAreRefusedWithTheirName() {
    func problem(_ json: String) -> String {
      do { _ = try LayerCatalog().layer(try Config(json: json, file: "recipe")) } catch { return "\(error)" }
      return "no error"
    }
    let margins = problem(#"{"ZeroPadding2D": {"padding": [1, 2, 3]}}"#)
    #expect(margins.contains("'padding' needs a whole number, a list of 2"))
    #expect(!problem(#"{"Dense": {"units": 2, "kernel_regularizer": "l2"}}"#).contains("did you mean"))
    let attention = problem(#"{"MultiHeadAttention": {"num_heads": 2, "key_dim": 3, "output_shape": [1, 0]}}"#)
    #expect(attention.contains("'output_shape' needs a whole number of at least 1"))
    #expect(problem(#"{"Embedding": {"input_dim": 2}}"#).contains("needs the setting 'output_dim'"))
    #expect(problem(#"{"BatchNormalization": {"momentm": 2}}"#).contains("did you mean 'momentum'?"))
  }

  @Test func indicesOutsideAnEmbeddingAreNaN() throws {
    let layer = Embedding(inputDim: 3, outputDim: 2)
    for backend in backends {
      let table = try NDArray([Float(1), 2, 3, 4, 5, 6], shape: [3, 2])
      let rows = try evaluate([NDArray([Int32(2), 3, -1]), table], on: backend) { tensors in
        let scope = Scope(
          graph: tensors[0].graph, names: ParameterNames(of: layer), values: ["embeddings": tensors[1]])
        return [scope.run { layer(tensors[0]) }]
      }[0].elements(as: Float.self)
      #expect(Array(rows[0..<2]) == [5, 6] && rows[2...].allSatisfy(\.isNaN))
    }
  }
}
