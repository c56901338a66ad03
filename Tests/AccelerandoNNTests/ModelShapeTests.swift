import AccelerandoCore
import AccelerandoNN
import Testing

private struct Sum: MergeLayer {
  func forward(_ inputs: [Tensor]) -> Tensor {
    inputs.dropFirst().reduce(inputs[0], +)
  }
}

private func outline(_ layer: any Layer, _ shapes: [Int]..., dtype: DType = .float32) throws -> Outline {
  try Outline(of: layer, inputs: shapes.map { TensorType(dtype, $0) })
}

private func message(_ body: () throws -> Void) -> String {
  do { try body() } catch { return "\(error)" }
  return "no error"
}

@Suite struct ModelShapeTests {
  private let cnn = Sequential {
    Rescaling(1 / 255)
    Conv2D(32, kernelSize: (3, 3), activation: .relu)
    MaxPooling2D()
    Flatten()
    Dropout(0.5)
    Dense(10, activation: .softmax)
  }

  @Test func theSeedModelsHaveTheShapesAndCountsOfKeras() throws {
    let conv = try outline(cnn, [32, 28, 28, 1], dtype: .uint8)
    #expect(conv.output == TensorType(.float32, [32, 10]))
    #expect(conv.parameters.map(\.type.elementCount).reduce(0, +) == 54_410)
    #expect(
      conv.layerCalls.map(\.output.shape) == [
        [32, 28, 28, 1], [32, 26, 26, 32], [32, 13, 13, 32], [32, 5408], [32, 5408], [32, 10],
      ])
    #expect(
      conv.layerCalls.map(\.name) == ["rescaling", "conv2d", "max_pooling2d", "flatten", "dropout", "dense"])
    let mlp = try outline(
      Sequential {
        Dense(128, activation: .relu); Dense(10)
      }, [1, 784])
    #expect(mlp.parameters.map(\.type.elementCount).reduce(0, +) == 101_770)
    #expect(mlp.layerCalls.map(\.name) == ["dense", "dense_1"])
  }

  @Test func aMissingChannelAxisIsNamedWithTheLayerAndTheRemedy() {
    let text = message {
      _ = try outline(
        Sequential {
          Conv2D(32, kernelSize: (3, 3)); Flatten(); Dense(10)
        }, [32, 28, 28])
    }
    #expect(text.hasPrefix("Sequential › Conv2D 'conv2d': needs a rank-4 input [N, H, W, C]; received [32, 28, 28]."))
    #expect(text.contains("[28, 28, 1]"))
  }

  @Test func windowsLargerThanTheImageAreAnError() {
    #expect(message { _ = try outline(Conv2D(2, kernelSize: (5, 5)), [1, 3, 3, 1]) }.contains("at least its window"))
    #expect(message { _ = try outline(MaxPooling2D(), [1, 1, 1, 1]) }.contains("at least its window"))
  }

  @Test func blocksTakeConditionsLoopsArraysAndBlocksInside() throws {
    for deep in [false, true] {
      let model = Sequential {
        for units in [8, 6] { Dense(units) }
        if deep {
          Sequential {
            Dense(5); Activation.relu
          }
        }
        if deep { Dense(4) } else { Dense(3) }
        [Dense(2), Dense(1)]
      }
      #expect(model.layers.count == (deep ? 6 : 5))
      #expect(try outline(model, [3, 7]).output.shape == [3, 1])
    }
  }

  @Test func graphsOfLayersHaveSeveralInputsAndResidualAdditions() throws {
    let a = Input(shape: [4])
    let b = Input(shape: [3], name: "side")
    let shared = Dense(5, activation: .relu)
    let x = Dense(4)(shared(a))
    let y = Sum()([x, a])
    let z = Dense(2)(Sum()([shared(y), Dense(5)(b)]))
    let model = Functional(inputs: [a, b], output: z)
    let result = try outline(model, [6, 4], [6, 3])
    #expect(result.output.shape == [6, 2])
    #expect(result.parameters.count == 8)
    let text = message { _ = try outline(model, [6, 4], [6, 9]) }
    #expect(text.contains("at input 'side'") && text.contains("[9]"))
    #expect(message { _ = try outline(model, [6, 4]) }.contains("takes 2 inputs"))
  }

  @Test func anInputThatIsNotListedIsAnError() {
    let (a, b) = (Input(shape: [4]), Input(shape: [4]))
    let model = Functional(inputs: [a], output: Sum()([a, b]))
    #expect(message { _ = try outline(model, [1, 4]) }.contains("not among the model's inputs"))
  }

  @Test func depthCostsNoStack() throws {
    let input = Input(shape: [2])
    var x: LayerOutput = input
    for _ in 0..<20_000 { x = Rescaling(2)(x) }
    let model = Functional(inputs: [input], output: x)
    #expect(model.layers.count == 20_000)
    #expect(try outline(model, [1, 2]).output.shape == [1, 2])
    x = input
  }
}
