// Short spellings mean the same as long ones: one size for all axes, arithmetic on outputs of layers.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import Testing

@Suite struct ShortSpellingTests {
  @Test func oneSizeHoldsForEveryAxis() throws {
    let pairs: [(any ConfigurableLayer, any ConfigurableLayer)] = [
      (Conv2D(4, kernelSize: 3, strides: 2), Conv2D(4, kernelSize: (3, 3), strides: (2, 2))),
      (Conv2D(4, kernelSize: 3, dilation: 2), Conv2D(4, kernelSize: (3, 3), dilation: (2, 2))),
      (Conv3D(4, kernelSize: 3, strides: 2), Conv3D(4, kernelSize: (3, 3, 3), strides: (2, 2, 2))),
      (
        Conv2DTranspose(4, kernelSize: 3, strides: 2, outputPadding: 1),
        Conv2DTranspose(4, kernelSize: (3, 3), strides: (2, 2), outputPadding: (1, 1))
      ),
      (Conv3DTranspose(4, kernelSize: 2), Conv3DTranspose(4, kernelSize: (2, 2, 2))),
      (DepthwiseConv2D(kernelSize: 5, strides: 2), DepthwiseConv2D(kernelSize: (5, 5), strides: (2, 2))),
      (SeparableConv2D(4, kernelSize: 3, strides: 2), SeparableConv2D(4, kernelSize: (3, 3), strides: (2, 2))),
      (MaxPooling2D(poolSize: 3, strides: 2), MaxPooling2D(poolSize: (3, 3), strides: (2, 2))),
      (MaxPooling2D(), MaxPooling2D(poolSize: 2)), (MaxPooling2D(strides: 3), MaxPooling2D(strides: (3, 3))),
      (AveragePooling3D(poolSize: 3), AveragePooling3D(poolSize: (3, 3, 3))),
      (AdaptiveAveragePooling2D(4), AdaptiveAveragePooling2D((4, 4))),
      (AdaptiveMaxPooling3D(4), AdaptiveMaxPooling3D((4, 4, 4))),
      (UpSampling2D(size: 3, interpolation: .bilinear), UpSampling2D(size: (3, 3), interpolation: .bilinear)),
      (UpSampling3D(size: 3), UpSampling3D(size: (3, 3, 3))),
      (ZeroPadding2D(2), ZeroPadding2D(top: 2, bottom: 2, left: 2, right: 2)),
    ]
    for (short, long) in pairs { #expect(try short.config() == long.config()) }
  }

  @Test func arithmeticOnLayerOutputsIsThatOfNumbers() throws {
    let (a, b) = (Input(shape: [2]), Input(shape: [2]))
    let output = 1 - (a * 2 + b / 4 - 3) * 0.5 + -a * b - (2 + b)
    let layer = Functional(inputs: [a, b], output: output)
    let (x, y) = ([1, -2] as [Double], [8, 3] as [Double])
    let outline = try Outline(of: layer, inputs: [TensorType(.float32, [1, 2]), TensorType(.float32, [1, 2])])
    let program = try Program.trace([("a", TensorType(.float32, [1, 2])), ("b", TensorType(.float32, [1, 2]))]) {
      inputs in
      Scope(graph: inputs[0].graph, names: outline.names, values: [:]).run { layer.applied(to: inputs) }
    }
    let backend = CPUBackend(threads: 1)
    let execution = try backend.compile(program).bind(
      try [x, y].map { try backend.upload(NDArray($0, shape: [1, 2]).converted(to: .float32)) })
    try execution.run()
    let expected = zip(x, y).map { 1 - ($0 * 2 + $1 / 4 - 3) * 0.5 + -$0 * $1 - (2 + $1) }
    #expect(try execution.outputs[0].read().elements(as: Double.self) == expected)
  }
}
