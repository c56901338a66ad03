// What is likely not meant is said before training: a softmax of one number, parameters without a gradient. What cannot be
// meant is refused.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Testing

/// Takes part in no gradient.
private struct Rounding: Layer {
  func forward(_ x: Tensor) -> Tensor { x.greater(than: x.zerosLike()).converted(to: x.dtype) }
}

private struct LossWithoutGradient: Loss {
  let name = "count_wrong"
  func values(_ prediction: Tensor, _ target: Tensor) -> Tensor {
    prediction.greater(than: prediction.filled(0.5)).converted(to: .float32).mean(axes: [1])
  }
}

@Suite struct ModelRemarkTests {
  private func remarks(_ layer: any Layer, _ loss: any Loss, fits: Int = 1) throws -> String {
    final class Shown: @unchecked Sendable { var text = "" }
    let shown = Shown()
    let model = Model(layer, inputShape: [2], backend: testBackend)
    try model.compile(optimizer: .sgd(0.1), loss: loss)
    let (x, _) = try quadrants(8)
    let y = NDArray([Float](repeating: 0, count: 8))
    for _ in 0..<fits {
      try model.fit(x, y, callbacks: [ProgressBar(moves: false) { shown.text += $0 }], verbose: .silent)
    }
    return shown.text
  }

  @Test func aSoftmaxOverOneUnitIsPointedOut() throws {
    let text = try remarks(Sequential { Dense(1, activation: .softmax, name: "last") }, .binaryCrossentropy, fits: 2)
    #expect(
      text.contains("Dense 'last' takes a softmax over one unit, which is always 1. Use the activation 'sigmoid'"))
    #expect(text.components(separatedBy: "softmax over one unit").count == 2)
    let nested = Sequential {
      Sequential {
        Dense(1)
        ActivationLayer(.softmax)
      }
      Dense(1, activation: .sigmoid)
    }
    #expect(try remarks(nested, .binaryCrossentropy).components(separatedBy: "softmax over one unit").count == 2)
  }

  @Test(arguments: [true, false])
  func aCrossentropyOfOneClassIsPointedOut(_ isSparse: Bool) throws {
    let loss: any Loss = isSparse ? .sparseCategoricalCrossentropy : .categoricalCrossentropy
    #expect(try remarks(Dense(1, activation: .sigmoid), loss).contains("Use 'binary_crossentropy' with a 'sigmoid'"))
  }

  @Test func aModelWithoutFaultGetsNoRemark() throws {
    #expect(try !remarks(Dense(1, activation: .sigmoid), .binaryCrossentropy).contains("Use"))
    #expect(try !remarks(Dense(2, activation: .softmax), .sparseCategoricalCrossentropy).contains("Use"))
  }

  @Test func aLossWithoutAGradientIsRefused() throws {
    let error = message { _ = try remarks(Dense(1), LossWithoutGradient()) }
    #expect(
      error.contains("the loss 'count_wrong' depends on none of the trainable parameters ('weight', 'bias')"),
      "\(error)")
    let blocked = message {
      _ = try remarks(
        Sequential {
          Dense(1); Rounding()
        }, .meanSquaredError)
    }
    #expect(blocked.contains("nothing would be trained"), "\(blocked)")
  }

  @Test func parametersWithoutAGradientAreNamed() throws {
    let text = try remarks(
      Sequential {
        Dense(3)
        Rounding()
        Dense(1)
      }, .meanSquaredError)
    #expect(text.contains("No gradient of the loss reaches 'layers.0.weight', 'layers.0.bias'"), "\(text)")
  }
}
