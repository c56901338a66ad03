// A recipe's step as a program, for tools that compile or show it. Data sets that download automatically need not be
// present: their types are known.

import AccelerandoCore
import AccelerandoData
import AccelerandoFormats
import AccelerandoTrain
import Foundation

/// What is known of a recipe's data without loading them.
public struct DataOutline: Hashable, Sendable {
  /// The types of a sample and of its label.
  public var types: BatchTypes
  /// The number of samples to train on.
  public var count: Int

  /// Describes data.
  public init(types: BatchTypes, count: Int) {
    self.types = types
    self.count = count
  }

  /// Describes loaded data.
  public init(_ data: LoadedData) {
    self.init(
      types: BatchTypes(features: data.inputs, targets: data.train.targets.map(\.sampleType)), count: data.train.count)
  }
}

extension Recipe {
  /// Describes the recipe's data, which are loaded only if they are not known beforehand.
  /// - Throws: `FormatError` when the data are missing or damaged.
  public func dataOutline(override: DataOverride? = nil, limit: Int? = nil) throws -> DataOutline {
    guard override == nil, let input = data.knownInput, let count = data.knownCount else {
      return DataOutline(try data.load(in: directory, override: override, limit: limit))
    }
    return DataOutline(
      types: BatchTypes(features: [input], labels: TensorType(.uint8, [])), count: min(count, limit ?? count))
  }

  /// The program of the recipe's step.
  /// - Parameters:
  ///   - kind: what the step does.
  ///   - types: the types of the data.
  ///   - batchSize: the number of samples in the step.
  ///   - workers: the number of devices that share them; the program is that of one device.
  ///   - backend: the backend that the model is described for.
  /// - Throws: `ConfigError`, `GraphError` or `TrainingError` when the data do not fit the model.
  public func stepProgram(
    _ kind: StepKind, on types: BatchTypes, batchSize: Int, workers: Int = 1, backend: any Backend
  ) throws -> Program {
    let model = try uncompiledModel(for: types.features, backend: backend)
    return try model.stepProgram(
      kind, on: types, batchSize: batchSize, workers: workers,
      compilation: try makeCompilation())
  }
}
