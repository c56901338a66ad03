// How the weights of a saved model are spread, read from its file: weights that are all 0, or few that are very large, are seen at once.

import AccelerandoCore
import AccelerandoFormats
import Foundation

/// A histogram with the name of what it shows.
public struct NamedHistogram: Sendable, Hashable {
  /// The name: that of a parameter.
  public var name: String
  /// How its values are spread.
  public var histogram: Histogram

  /// Names a histogram.
  public init(name: String, histogram: Histogram) {
    (self.name, self.histogram) = (name, histogram)
  }

  /// The histograms of the weights that a run has saved, in the order of the file; empty for a run without a model.
  /// - Parameter directory: the run's directory.
  /// - Throws: `FormatError` when the file is damaged.
  public static func weights(ofRun directory: String) throws -> [NamedHistogram] {
    let file = URL(fileURLWithPath: directory, isDirectory: true).appendingPathComponent("model/weights.safetensors")
    guard FileManager.default.fileExists(atPath: file.path) else { return [] }
    return try SparseSafetensors.read(file).tensors.map { name, value in
      NamedHistogram(name: name, histogram: Histogram(value.elements(as: Float.self)))
    }
  }
}
