// Datasets that come by themselves: a recipe says their name.

import AccelerandoCore
import AccelerandoData
import AccelerandoFormats
import AccelerandoNN
import Foundation

/// `name: fashion-mnist`.
struct BuiltInSource: RecipeSource {
  static let key = "name"
  static let about = "A dataset that downloads automatically."

  /// The datasets that download automatically.
  static let datasets = [FashionMNIST.name, sampleName]
  private static let sampleName = "\(FashionMNIST.name)-sample"

  let name: String
  /// The name of the output that the labels are for; nil for one without a name.
  private let output: String?

  init(_ reader: ConfigReader, for model: DataNames) throws {
    let given = try reader.string(Self.key, about: "One of \(Self.datasets.joined(separator: ", "))")
    let plain = given.replacingOccurrences(of: "_", with: "-")
    guard Self.datasets.contains(plain) else {
      let nearest = nearestWord(to: plain, among: Self.datasets).map { " Did you mean '\($0)'?" } ?? ""
      throw ConfigError(
        "there is no dataset '\(given)'.\(nearest) Known: \(Self.datasets.joined(separator: ", ")).",
        at: reader.value(Self.key)?.location)
    }
    for (things, names) in [("inputs", model.inputs), ("labelled outputs", model.targets)] where names.count > 1 {
      throw ConfigError(
        "\(plain) has one array of images and one of labels; the model has the \(things) \(names.joined(separator: ", ")). "
          + "Several come from an NPZ file, or from 'inputs' and 'targets' by name.",
        at: reader.value(Self.key)?.location)
    }
    name = plain
    output = model.targets.first
  }

  var description: String { name }
  var knownInput: TensorType? { FashionMNIST.imageType }
  var knownCount: Int? { name == FashionMNIST.name ? FashionMNIST.trainingCount : nil }
  var classNames: [String]? { FashionMNIST.classNames }

  func parts(in directory: URL, override: DataOverride?, stage: DataStage?) throws -> DataParts {
    let data: ImageDataset
    if case .sample? = override {
      data = try FashionMNIST.sample()
    } else if name == Self.sampleName {
      data = try FashionMNIST.sample()
    } else {
      data = try FashionMNIST.load(from: .current(named: override.directoryURL))
    }
    return DataParts(
      train: { LabelledArrays(data.train, output: output) },
      validation: { LabelledArrays(data.test, output: output) }, classNames: data.classNames)
  }
}
