// What Keras offers is offered here too, or there is a reason: the list of names is Keras' own (Tests/Goldens/keras_names.py).

import AccelerandoCore
import AccelerandoNN
import Foundation
import Testing

@Suite struct KerasNamesTests {
  /// Names that have no meaning here, with the reason.
  static let excluded: [String: String] = [
    "TFSMLayer": "runs TensorFlow", "JaxLayer": "runs JAX", "FlaxLayer": "runs JAX",
    "TorchModuleWrapper": "runs PyTorch",
    "InputLayer": "inputs are described by the model", "Wrapper": "a base class; any layer may hold others",
    "Pipeline": "Sequential is one", "Lambda": "a closure cannot be written to a file; in Swift there is Lambda",
    "MaxNumBoundingBoxes": "a part of image preprocessing",
    "LossScaleOptimizer": "a property of the precision, not an optimizer", "MeanMetricWrapper": "any loss is a metric",
    "deserialize": "a function", "serialize": "a function", "get": "a function",
  ]

  /// Names that are not there yet.
  static let later: [String: [String]] = [
    "preprocessing": [
      "AugMix", "CategoryEncoding", "ContrastLimitedAdaptiveHistogramEqualization",
      "Discretization", "Equalization", "HashedCrossing", "Hashing", "IntegerLookup", "MelSpectrogram",
      "Normalization", "RandAugment", "RandomColorDegeneration", "RandomElasticTransform", "RandomGaussianBlur",
      "RandomPerspective", "RandomSharpness", "STFT",
      "STFTInitializer", "STFTSpectrogram", "StringLookup", "TextVectorization", "stft",
    ],
    "state beside the weights": [
      "MultiOptimizer", "ReversibleEmbedding", "SpectralNormalization",
    ],
    "plain totals": ["Mean", "Sum"],
  ]

  static let catalogs: [any CatalogListing & Sendable] = CatalogListingTests.catalogs

  @Test(arguments: catalogs.indices)
  func everyNameOfKerasIsKnownOrExcludedWithAReason(_ index: Int) throws {
    let catalog = Self.catalogs[index]
    let names = try Self.names(of: catalog.subject)
    #expect(names.count > 5)
    let known = Set(Self.excluded.keys).union(Self.later.values.joined())
    for name in names where (try? catalog.entry(name)) == nil {
      #expect(known.contains(name), "Keras has the \(catalog.subject) '\(name)'")
    }
  }

  private static func names(of subject: String) throws -> [String] {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Goldens/data/keras_names.json")
    let config = try Config(json: try String(contentsOf: url.standardized, encoding: .utf8), file: "keras_names.json")
    let list = try #require(config["names"]?[subject], "the file has no \(subject)")
    guard case .array(let names) = list.value else { return [] }
    return names.compactMap { name in
      if case .string(let text) = name.value { return text }
      return nil
    }
  }
}
