// Sources whose samples are columns: tables, texts, image folders. They say where the columns are; the split and the data stage
// make parts, inputs and targets of them, the same way for all.

import AccelerandoData
import AccelerandoFormats
import AccelerandoNN
import Foundation

/// A source that reads columns.
protocol ColumnSource: RecipeSource {
  /// How columns become inputs and targets.
  var stage: StageSettings { get }
  /// How samples are divided into parts.
  var split: SplitSettings { get }
  /// What the model's inputs and outputs are called.
  var names: DataNames { get }
  /// The samples in a file or a directory of their own; nil where there are none.
  var validationPath: String? { get }
  var testPath: String? { get }
  /// Where the samples are.
  var path: String { get }

  /// Opens samples.
  /// - Parameters:
  ///   - url: the file or the directory.
  ///   - hasTargets: whether they have to have labels.
  /// - Throws: `FormatError` when it is missing or damaged.
  func open(_ url: URL, hasTargets: Bool) throws -> RawSamples

  /// Opens samples of a trained model, whose columns have the types that they had in training.
  func open(_ url: URL, hasTargets: Bool, types: [String: ColumnType]) throws -> RawSamples
}

extension ColumnSource {
  var description: String { path }
  var validationPath: String? { nil }
  var testPath: String? { nil }

  func open(_ url: URL, hasTargets: Bool, types: [String: ColumnType]) throws -> RawSamples {
    try open(url, hasTargets: hasTargets)
  }

  var takesRawData: Bool { true }

  func samples(at url: URL, stage: DataStage?) throws -> LabelledArrays? {
    guard let stage else { return nil }
    let raw = try open(url, hasTargets: false, types: stage.types(hasTargets: false))
    return try stage.samples(of: raw, hasTargets: false)
  }

  func parts(in directory: URL, override: DataOverride?, stage fitted: DataStage?) throws -> DataParts {
    if case .sample? = override { throw noSample(path) }
    func place(_ path: String) -> URL { directory.appending(pathOf: path) }
    let whole = try open(override?.url ?? place(path), hasTargets: true, types: fitted?.types(hasTargets: true) ?? [:])
    if override != nil, let fitted {
      // Other data than the model was trained on: all of them are measured.
      return DataParts(train: { try fitted.samples(of: whole) }, classNames: fitted.firstClassNames, stage: fitted)
    }
    let label = fitted?.targets.first?.column ?? stage.targets.first ?? names.targets.first
    let parts = try split.parts(of: whole, label: label)
    let (stage, notes) = try fitted.map { ($0, []) } ?? DataStage.fitted(stage, for: names, to: parts.train)
    let types = stage.types(hasTargets: true)
    let validation = try validationPath.map { try open(place($0), hasTargets: true, types: types) } ?? parts.validation
    let test = try testPath.map { try open(place($0), hasTargets: true, types: types) } ?? parts.test
    return DataParts(
      train: { try stage.samples(of: parts.train) },
      validation: validation.map { samples in { try stage.samples(of: samples) } },
      test: test.map { samples in { try stage.samples(of: samples) } },
      classNames: stage.firstClassNames, notes: notes, stage: stage)
  }
}

extension StageSettings.Columns {
  /// The first column that is named.
  var first: String? {
    switch self {
    case .unsaid: nil
    case .only(let columns): columns.first
    case .named(let entries): entries.first?.columns.first
    }
  }
}
