// The models of the benchmarks. Benchmarks/peers has each of them for the peers: change both.

import Accelerando

/// A model to be timed.
struct BenchmarkModel {
  let name: String
  /// The shape of a sample.
  let input: [Int]
  let classes: Int
  /// The steps of an epoch of random data; nil for models that are trained on Fashion-MNIST.
  let steps: Int?
  /// Samples are integers below this.
  let vocabulary: Int?
  /// The layers up to the scores, without the last, dense one.
  let body: @Sendable (LayerOutput) -> LayerOutput

  private init(
    _ name: String, _ input: [Int], classes: Int = 10, steps: Int? = nil, vocabulary: Int? = nil,
    _ body: @escaping @Sendable (LayerOutput) -> LayerOutput
  ) {
    self.name = name
    self.input = input
    self.classes = classes
    self.steps = steps
    self.vocabulary = vocabulary
    self.body = body
  }

  /// The model, with initial values.
  /// - Parameters:
  ///   - readsBytes: whether samples are images of bytes, which the model scales to 0 to 1.
  ///   - precision: the element types to train in.
  func make(backend: any Backend, readsBytes: Bool = false, precision: Precision = .float32) throws -> Model {
    let start = Input(shape: input, dtype: vocabulary == nil ? .float32 : .int32)
    let features = body(readsBytes ? Rescaling(1 / 255.0)(start) : start)
    let model = Model(inputs: [start], output: Dense(classes, activation: .softmax)(features), backend: backend)
    try model.compile(
      optimizer: .adam(), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy], precision: precision)
    return model
  }

  static func named(_ name: some StringProtocol) -> BenchmarkModel? { all.first { $0.name == name } }

  static let all = [
    BenchmarkModel("mlp", [28, 28, 1]) { dense(Flatten()($0), 128) },
    BenchmarkModel("cnn", [28, 28, 1]) {
      Flatten()(MaxPooling2D()(Conv2D(32, kernelSize: (3, 3), activation: .relu)($0)))
    },
    BenchmarkModel("vgg", [28, 28, 1], steps: 16) { x in
      var x = x
      for filters in [32, 64] { x = MaxPooling2D()(convolved(convolved(x, filters), filters)) }
      return dense(Flatten()(x), 128)
    },
    BenchmarkModel("wide-mlp", [1024], steps: 16) { dense($0, 2048, 2048) },
    BenchmarkModel("odd-mlp", [37], classes: 7, steps: 512) { dense($0, 101, 53) },
    BenchmarkModel("odd-cnn", [29, 31, 3], classes: 7, steps: 48) { x in
      let first = Conv2D(17, kernelSize: (5, 5), padding: .same, activation: .relu)(x)
      let pooled = MaxPooling2D(poolSize: (3, 3))(first)
      return Flatten()(Conv2D(23, kernelSize: (3, 3), strides: (2, 2), activation: .relu)(pooled))
    },
    BenchmarkModel("residual", [32, 32, 3], steps: 16) { x in
      let first = ReLU()(normalized(x, 16))
      let blocks = residual(residual(residual(first, 16), 32, stride: 2), 64, stride: 2)
      return GlobalAveragePooling2D()(blocks)
    },
    BenchmarkModel("separable", [32, 32, 3], steps: 16) { x in
      let first = ReLU()(normalized(x, 32, stride: 2))
      let blocks = separable(separable(separable(first, 64), 128, stride: 2), 128)
      return GlobalAveragePooling2D()(blocks)
    },
    BenchmarkModel("transformer", [64], steps: 16, vocabulary: 1000) { x in
      let embedded = Embedding(inputDim: 1000, outputDim: 64)(x)
      let encoded = encoder(encoder(embedded, width: 64), width: 64)
      return GlobalAveragePooling2D()(Reshape([8, 8, 64])(encoded))
    },
    // The nets that people train.
    BenchmarkModel("resnet50", [64, 64, 3], steps: 4) { x in
      var x = MaxPooling2D(poolSize: (3, 3), strides: (2, 2), padding: .same)(
        ReLU()(normalized(x, 64, size: 7, stride: 2)))
      for (stage, count) in [3, 4, 6, 3].enumerated() {
        for block in 0..<count {
          x = bottleneck(x, 64 << stage, stride: block == 0 && stage > 0 ? 2 : 1, widens: block == 0)
        }
      }
      return GlobalAveragePooling2D()(x)
    },
    BenchmarkModel("mobilenet", [64, 64, 3], steps: 4) { x in
      let blocks =
        [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(Int, Int)](repeating: (512, 1), count: 5)
        + [(1024, 2), (1024, 1)]
      let first = ReLU()(normalized(x, 32, stride: 2))
      return GlobalAveragePooling2D()(blocks.reduce(first) { separable($0, $1.0, stride: $1.1) })
    },
    BenchmarkModel("inverted", [64, 64, 3], steps: 4) { x in
      let blocks = [(16, 1, 1), (24, 2, 6), (24, 1, 6), (40, 2, 6), (40, 1, 6), (80, 2, 6), (80, 1, 6), (160, 2, 6)]
      var (x, channels) = (ReLU(maximum: 6)(normalized(x, 32, stride: 2)), 32)
      for (filters, stride, widening) in blocks {
        x = inverted(x, from: channels, to: filters, stride: stride, widening: widening)
        channels = filters
      }
      return GlobalAveragePooling2D()(ReLU(maximum: 6)(normalized(x, 960, size: 1)))
    },
    BenchmarkModel("convnext", [64, 64, 3], steps: 4) { x in
      var x = LayerNormalization()(Conv2D(48, kernelSize: (4, 4), strides: (4, 4))(x))
      for (stage, count) in [2, 2, 4, 2].enumerated() {
        let width = 48 << stage
        if stage > 0 { x = Conv2D(width, kernelSize: (2, 2), strides: (2, 2))(LayerNormalization()(x)) }
        for _ in 0..<count {
          let spatial = LayerNormalization()(DepthwiseConv2D(kernelSize: (7, 7), padding: .same)(x))
          let wide = Conv2D(4 * width, kernelSize: (1, 1), activation: .gelu)(spatial)
          x = Add()([x, Conv2D(width, kernelSize: (1, 1))(wide)])
        }
      }
      return GlobalAveragePooling2D()(x)
    },
    BenchmarkModel("densenet", [32, 32, 3], steps: 4) { x in
      func after(_ x: LayerOutput, _ filters: Int, size: Int) -> LayerOutput {
        let activated = ReLU()(BatchNormalization()(x))
        return Conv2D(filters, kernelSize: (size, size), padding: .same, usesBias: false)(activated)
      }
      var x = Conv2D(32, kernelSize: (3, 3), padding: .same, usesBias: false)(x)
      for block in 0..<3 {
        for _ in 0..<8 { x = Concatenate()([x, after(after(x, 64, size: 1), 16, size: 3)]) }
        if block < 2 { x = AveragePooling2D()(after(x, 64, size: 1)) }
      }
      return GlobalAveragePooling2D()(ReLU()(BatchNormalization()(x)))
    },
    BenchmarkModel("unet", [64, 64, 3], steps: 4) { unet($0) { convolved(UpSampling2D()($0), $1) } },
    BenchmarkModel("transposed-unet", [64, 64, 3], steps: 4) {
      unet($0) { Conv2DTranspose($1, kernelSize: 2, strides: 2)($0) }
    },
    // Signals and volumes.
    BenchmarkModel("signal", [1000, 16], steps: 4) { x in
      var x = x
      for filters in [32, 64, 128] {
        x = MaxPooling1D()(Conv1D(filters, kernelSize: 5, padding: .same, activation: .relu)(x))
      }
      return GlobalAveragePooling1D()(x)
    },
    BenchmarkModel("volume", [16, 16, 16, 2], steps: 4) { x in
      var x = x
      for filters in [16, 32, 64] {
        x = MaxPooling3D()(Conv3D(filters, kernelSize: 3, padding: .same, activation: .relu)(x))
      }
      return GlobalAveragePooling3D()(x)
    },
    BenchmarkModel("decoder", [128], steps: 8, vocabulary: 1000) { x in
      var x = Embedding(inputDim: 1000, outputDim: 256)(x)
      for _ in 0..<4 { x = encoder(x, width: 256, hidden: 1024, dropout: 0.1, isCausal: true) }
      return GlobalAveragePooling2D()(Reshape([16, 8, 256])(x))
    },
    BenchmarkModel("widest-mlp", [1024], steps: 8) { dense($0, 4096, 4096) },
    // Sequences, which are read one element after the other.
    BenchmarkModel("lstm", [50, 64], steps: 16) { LSTM(128)($0) },
    BenchmarkModel("long-lstm", [200, 32], steps: 8) { LSTM(32)($0) },
    BenchmarkModel("gru", [100, 64], steps: 8) { GRU(64)($0) },
    BenchmarkModel("text-lstm", [32], steps: 16, vocabulary: 1000) { x in
      Bidirectional(LSTM(64))(Embedding(inputDim: 1000, outputDim: 64)(x))
    },
    // Sized for accelerators.
    BenchmarkModel("resnet", [64, 64, 3], steps: 8) { x in
      let stages = [(64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)]
      let first = ReLU()(normalized(x, 64))
      return GlobalAveragePooling2D()(stages.reduce(first) { residual($0, $1.0, stride: $1.1) })
    },
    BenchmarkModel("encoder", [256], steps: 8, vocabulary: 8192) { x in
      var x = Embedding(inputDim: 8192, outputDim: 512)(x)
      for _ in 0..<4 { x = encoder(x, width: 512, heads: 8, hidden: 2048) }
      return GlobalAveragePooling2D()(Reshape([16, 16, 512])(x))
    },
  ]

  private static func dense(_ x: LayerOutput, _ units: Int...) -> LayerOutput {
    units.reduce(x) { Dense($1, activation: .relu)($0) }
  }

  private static func convolved(_ x: LayerOutput, _ filters: Int) -> LayerOutput {
    Conv2D(filters, kernelSize: (3, 3), padding: .same, activation: .relu)(x)
  }

  /// Three times smaller and three times larger again, with the values of one size joined.
  /// - Parameter larger: twice the size, with so many channels.
  private static func unet(_ x: LayerOutput, _ larger: (LayerOutput, Int) -> LayerOutput) -> LayerOutput {
    var x = x
    var skipped: [LayerOutput] = []
    for filters in [16, 32, 64] {
      x = convolved(convolved(x, filters), filters)
      skipped.append(x)
      x = MaxPooling2D()(x)
    }
    x = convolved(convolved(x, 128), 128)
    for (filters, skip) in zip([64, 32, 16], skipped.reversed()) {
      x = Concatenate()([skip, larger(x, filters)])
      x = convolved(convolved(x, filters), filters)
    }
    return GlobalAveragePooling2D()(x)
  }

  private static func normalized(_ x: LayerOutput, _ filters: Int, size: Int = 3, stride: Int = 1) -> LayerOutput {
    let convolution = Conv2D(
      filters, kernelSize: (size, size), strides: (stride, stride), padding: .same, usesBias: false)
    return BatchNormalization()(convolution(x))
  }

  /// Two convolutions in parallel to the input itself, or to a 1x1 convolution if the shape changes.
  private static func residual(_ x: LayerOutput, _ filters: Int, stride: Int = 1) -> LayerOutput {
    let main = normalized(ReLU()(normalized(x, filters, stride: stride)), filters)
    let side = stride == 1 ? x : normalized(x, filters, size: 1, stride: stride)
    return ReLU()(Add()([main, side]))
  }

  /// Three convolutions, narrow, 3x3 and four times as wide, in parallel to the input or to a 1x1 convolution.
  private static func bottleneck(_ x: LayerOutput, _ filters: Int, stride: Int, widens: Bool) -> LayerOutput {
    let narrow = ReLU()(normalized(x, filters, size: 1))
    let main = normalized(ReLU()(normalized(narrow, filters, stride: stride)), 4 * filters, size: 1)
    return ReLU()(Add()([main, widens ? normalized(x, 4 * filters, size: 1, stride: stride) : x]))
  }

  /// A wide depthwise convolution between two 1x1 convolutions, its channels weighted by what a small net makes of their
  /// means; with the input added where the shape is the same.
  private static func inverted(
    _ x: LayerOutput, from channels: Int, to filters: Int, stride: Int, widening: Int
  ) -> LayerOutput {
    let width = channels * widening
    let wide = widening == 1 ? x : ReLU(maximum: 6)(normalized(x, width, size: 1))
    let depthwise = DepthwiseConv2D(kernelSize: (3, 3), strides: (stride, stride), padding: .same, usesBias: false)
    let spatial = ReLU(maximum: 6)(BatchNormalization()(depthwise(wide)))
    let squeezed = Dense(width / 4, activation: .relu)(GlobalAveragePooling2D()(spatial))
    let gates = Reshape([1, 1, width])(Dense(width, activation: .sigmoid)(squeezed))
    let narrow = normalized(Multiply()([spatial, gates]), filters, size: 1)
    return stride == 1 && channels == filters ? Add()([x, narrow]) : narrow
  }

  private static func separable(_ x: LayerOutput, _ filters: Int, stride: Int = 1) -> LayerOutput {
    let depthwise = DepthwiseConv2D(
      kernelSize: (3, 3), strides: (stride, stride), padding: .same, usesBias: false)
    let spatial = ReLU()(BatchNormalization()(depthwise(x)))
    return ReLU()(normalized(spatial, filters, size: 1))
  }

  /// Attention and a dense layer, each with a residual connection, and dropout before it.
  private static func encoder(
    _ x: LayerOutput, width: Int, heads: Int = 4, hidden units: Int? = nil, dropout: Double = 0, isCausal: Bool = false
  ) -> LayerOutput {
    func dropped(_ x: LayerOutput) -> LayerOutput { dropout == 0 ? x : Dropout(dropout)(x) }
    let attention = MultiHeadAttention(
      headCount: heads, keySize: width / heads, dropout: dropout, isCausal: isCausal)
    let attended = Add()([x, dropped(attention([LayerNormalization()(x)]))])
    let hidden = Dense(units ?? 2 * width, activation: .gelu(approximate: true))(LayerNormalization()(attended))
    return Add()([attended, dropped(Dense(width)(hidden))])
  }
}
