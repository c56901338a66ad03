// Transposed convolution over sequences: what a convolution with strides made smaller becomes larger again.

import AccelerandoCore

/// `activation(x ⋆ᵀ weight + bias)`, the gradient of a convolution's input: `[N, L, C]` to `[N, L', filters]`.
public struct Conv1DTranspose: TransposedConvolutionLayer {
  public static var spatialRank: Int { 1 }
  public let filters: Int
  public let window: ConvolutionWindow
  public let outputPadding: [Int]?
  public let output: ConvolutionOutput
  public let name: String?
  public let weight: Parameter
  public let bias: Parameter

  public init(
    filters: Int, window: ConvolutionWindow, outputPadding: [Int]?, output: ConvolutionOutput, weight: Initializer,
    bias: Initializer, name: String?
  ) {
    self.filters = filters
    self.window = window
    self.outputPadding = outputPadding
    self.output = output
    self.name = name
    self.weight = Parameter(weight)
    self.bias = Parameter(bias)
  }

  public static var summary: String { "Transposed convolution over sequences: [N, L, C] to [N, L', filters]." }
}
