// What programs import: all modules, and models that run on this machine's processor by default.

@_exported import AccelerandoCPU
@_exported import AccelerandoCompress
@_exported import AccelerandoCore
@_exported import AccelerandoData
@_exported import AccelerandoFormats
@_exported import AccelerandoMPI
@_exported import AccelerandoNN
@_exported import AccelerandoTrain
@_exported import AccelerandoXLA
import Foundation

// Some layers have the name of an operation in Core. For users of this module the name means the layer.

/// The layer; the operation is `AccelerandoCore.Concatenate`.
public typealias Concatenate = AccelerandoNN.Concatenate
/// The layer; the operation is `AccelerandoCore.Dropout`.
public typealias Dropout = AccelerandoNN.Dropout
/// The layer; the operation is `AccelerandoCore.LayerNormalization`.
public typealias LayerNormalization = AccelerandoNN.LayerNormalization
/// The layer; the operation is `AccelerandoCore.Reshape`.
public typealias Reshape = AccelerandoNN.Reshape
/// The layer; the operation is `AccelerandoCore.Softmax`.
public typealias Softmax = AccelerandoNN.Softmax

extension Dataset {
  /// Images for training or evaluation: `uint8[count, height, width, channels]`, 0 to 255, and their classes.
  public init(_ images: LabelledImages) throws {
    try self.init(images.images, images.labels)
  }
}

extension Model {
  /// Makes a model of one input on this machine's processor, with all its cores.
  /// - Parameters:
  ///   - layer: the architecture.
  ///   - inputShape: the shape of one sample, without the batch axis: `[28, 28, 1]`.
  ///   - seed: the seed of initial weights, shuffling and dropout.
  public convenience init(_ layer: any Layer, inputShape: [Int], seed: UInt64 = 0) {
    self.init(layer, inputShape: inputShape, backend: CPUBackend(), seed: seed)
  }

  /// Makes a model of a graph of layers on this machine's processor, with all its cores.
  public convenience init(inputs: [Input], output: LayerOutput, seed: UInt64 = 0) {
    self.init(inputs: inputs, output: output, backend: CPUBackend(), seed: seed)
  }

  /// Makes a model of a graph of layers with several outputs, which have the names of their layers.
  public convenience init(inputs: [Input], outputs: [LayerOutput], seed: UInt64 = 0) {
    self.init(inputs: inputs, outputs: outputs, backend: CPUBackend(), seed: seed)
  }

  /// Makes a model of a graph of layers with named outputs: `["digit": digit, "parity": parity]`.
  public convenience init(inputs: [Input], outputs: KeyValuePairs<String, LayerOutput>, seed: UInt64 = 0) {
    self.init(inputs: inputs, outputs: outputs, backend: CPUBackend(), seed: seed)
  }

  /// Loads a model that `save(to:)` wrote, for this machine's processor.
  /// - Throws: `ConfigError` or `FormatError` naming the file and the place for files that are missing or damaged,
  ///   `StoreMismatch` for weights of another model.
  public static func load(from directory: URL, layers: LayerCatalog = LayerCatalog()) throws -> Model {
    try load(
      from: directory, backend: CPUBackend(), catalogs: ModelCatalogs(layers: layers, parameterRules: .parameterRules))
  }
}
