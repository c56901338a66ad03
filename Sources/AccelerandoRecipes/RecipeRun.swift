// Running a recipe: the compiled model, and the training that the file describes.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Foundation

extension Recipe {
  /// The recipe's model for inputs of a type, compiled.
  /// - Parameters:
  ///   - input: the type of one input, without the batch axis.
  ///   - backend: the device to run on.
  /// - Throws: `GraphError` when the model does not fit the data.
  public func makeModel(for input: TensorType, backend: any Backend) throws -> Model {
    // Models compute in float32, whatever the files' floating-point type; fit converts the data.
    let input = ModelInput(input.shape, dtype: input.dtype.isFloating ? .float32 : input.dtype)
    let model = Model(self.model, inputs: [input], backend: backend, seed: fit.seed)
    try model.compile(try makeCompilation())
    return model
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
    return try model.fit(
      try data.train.dataset(), epochs: fit.epochs, batchSize: fit.batchSize, validation: validation,
      validationSplit: split, validationFrequency: fit.validationFrequency, shuffle: fit.shuffle,
      stepsPerEpoch: fit.stepsPerEpoch, callbacks: callbacks, verbose: verbose)
  }
}

extension LabelledArrays {
  /// The samples for `fit` and `evaluate`.
  public func dataset() throws -> Dataset { try Dataset(inputs, targets) }
}
