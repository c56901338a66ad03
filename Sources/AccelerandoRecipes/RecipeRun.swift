// Running a recipe: the compiled model, and the training that the file describes.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Foundation

extension Recipe {
  /// The recipe's model for inputs of some types, compiled.
  /// - Parameters:
  ///   - types: the type of one sample of each input, without the batch axis. What the recipe declares goes before.
  ///   - backend: the device to run on.
  /// - Throws: `ConfigError` with the line of the layer that its input does not fit, `TrainingError` when the compilation
  ///   does not fit the model.
  public func makeModel(for types: [TensorType], backend: any Backend) throws -> Model {
    let model = try uncompiledModel(for: types, backend: backend)
    try model.compile(try makeCompilation())
    return model
  }

  /// The recipe's model, checked, without values.
  func uncompiledModel(for types: [TensorType], backend: any Backend) throws -> Model {
    let declared = modelDescription.inputs
    guard types.count == max(declared.count, 1) else {
      throw TrainingError("the model has \(max(declared.count, 1)) inputs; the data have \(types.count).")
    }
    let inputs = try types.enumerated().map { index, type in
      // Models compute in float32, whatever the files' floating-point type; fit converts the data.
      let dtype = type.dtype.isFloating ? DType.float32 : type.dtype
      guard declared.indices.contains(index) else { return ModelInput(type.shape, dtype: dtype) }
      let input = declared[index]
      try input.check(type)
      return ModelInput(input.shape ?? type.shape, dtype: input.dtype ?? dtype, name: input.name)
    }
    let model = Model(self.model, inputs: inputs, backend: backend, seed: fit.seed)
    do {
      _ = try model.outline()
    } catch let error as GraphError {
      throw modelDescription.located(error)
    }
    return model
  }

  /// The types of the inputs where they are known without the data; nil otherwise.
  public var knownInputs: [TensorType]? {
    let declared = modelDescription.inputs.compactMap { input in
      input.shape.map { TensorType(input.dtype ?? .float32, $0) }
    }
    if !declared.isEmpty, declared.count == modelDescription.inputs.count { return declared }
    return modelDescription.inputs.count <= 1 ? data.knownInput.map { [$0] } : nil
  }

  /// Gives a model the weights that the recipe names, if it names some.
  /// - Returns: what was taken and what was not.
  /// - Throws: what `Model.takeWeights` throws.
  public func takeWeights(into model: Model) throws -> WeightTransfer? {
    try weights.map { source in
      try model.takeWeights(
        from: URL(fileURLWithPath: source.path, relativeTo: directory), layers: source.layers, except: source.except)
    }
  }

  /// The optimizer, loss and metrics of the recipe.
  /// - Throws: `ConfigError` when the optimizer's settings are wrong.
  public func makeCompilation() throws -> Compilation {
    Compilation(optimizer: try makeOptimizer(), losses: losses, watching: metrics, precision: precision, groups: groups)
  }

  /// The recipe's callbacks.
  /// - Parameter directory: the directory that relative paths of files refer to; nil for the working directory.
  /// - Throws: `ConfigError` when one is unknown or has invalid settings.
  public func makeCallbacks(writingTo directory: URL? = nil) throws -> [any Callback] {
    let catalog = Catalog<any Callback>.callbacks(in: directory ?? Self.workingDirectory)
    return try callbacks.map { try catalog.make($0) }
  }

  /// Trains a model as the recipe says.
  /// - Parameters:
  ///   - model: a model that `makeModel(for:backend:)` made.
  ///   - data: the data to train on. A validation split replaces the data's own validation part.
  ///   - callbacks: the callbacks to call.
  ///   - verbose: what to show.
  /// - Throws: `GraphError` or `TrainingError` when data and model do not fit, and what callbacks throw.
  public func train(
    _ model: Model, on data: LoadedData, callbacks: [any Callback], verbose: Verbosity = .automatic
  ) throws -> History {
    let split = fit.validationSplit ?? 0
    let validation = split == 0 ? try data.validation?.dataset() : nil
    let classWeights = try fit.classWeights?.weights(for: data.train.targets.first, names: data.classNames)
    return try model.fit(
      try data.train.dataset(), epochs: fit.epochs, batchSize: fit.batchSize, validation: validation,
      validationSplit: split, validationFrequency: fit.validationFrequency, shuffle: fit.shuffle,
      classWeights: classWeights,
      stepsPerEpoch: fit.stepsPerEpoch, callbacks: callbacks, verbose: verbose)
  }
}

extension GraphInput {
  /// Refuses data of another shape than the declared one. A last axis of size 1 may be missing or too many.
  fileprivate func check(_ type: TensorType) throws {
    guard let shape, ![shape, shape + [1]].contains(type.shape), type.shape + [1] != shape else { return }
    throw ConfigError(
      "the input '\(name)' is declared with samples of shape \(shape); the data have samples of shape \(type.shape).",
      at: location)
  }
}
