// A recipe put to work: the model, compiled, and the training that the file describes.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Foundation

extension Recipe {
  /// The recipe's model for inputs of a type, compiled.
  /// - Parameters:
  ///   - input: the type of one input, without the batch axis.
  ///   - backend: the device to live on.
  /// - Throws: `GraphError` when the model does not fit the data.
  public func makeModel(for input: TensorType, backend: any Backend) throws -> Model {
    // Models compute in float32, whatever the files' floating-point type; fit converts the data.
    let input = ModelInput(input.shape, dtype: input.dtype.isFloating ? .float32 : input.dtype)
    let model = Model(self.model, inputs: [input], backend: backend, seed: fit.seed)
    try model.compile(try makeCompilation())
    return model
  }

  /// What the recipe's model is trained with.
  /// - Throws: `ConfigError` when the optimizer's settings are wrong.
  public func makeCompilation() throws -> Compilation {
    Compilation(optimizer: try makeOptimizer(), loss: loss, metrics: metrics, precision: precision)
  }

  /// The recipe's callbacks.
  /// - Parameter directory: where relative paths of files that they write begin; nil for the working directory.
  /// - Throws: `ConfigError` when one is unknown or wrongly set.
  public func makeCallbacks(writingTo directory: URL? = nil) throws -> [any Callback] {
    let catalog = Catalog<any Callback>.callbacks(in: directory ?? Self.workingDirectory)
    return try callbacks.map { try catalog.make($0) }
  }

  /// Trains a model as the recipe says.
  /// - Parameters:
  ///   - model: a model that `makeModel(for:backend:)` made.
  ///   - data: what it is trained on. A validation split takes the place of the data's own validation part.
  ///   - callbacks: what is told how training goes.
  ///   - verbose: what is shown.
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
