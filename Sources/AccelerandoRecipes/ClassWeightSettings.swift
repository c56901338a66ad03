// Classes that are rare count for little in a mean; a recipe may weigh them.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain

/// The weights of the classes, as a recipe says them.
public enum ClassWeightSettings: Sendable, Hashable {
  /// Each class has the same sum of weights: N / (classes · count of the class).
  case balanced
  /// Weights by the class's name or index; 1 for others.
  case weights([String: Double])

  init?(_ reader: ConfigReader) throws {
    let kind = "balanced, or weights by class: {dog: 2}"
    guard
      let value = reader.value(
        "class_weight", kind: kind,
        about: "What samples count by their class; balanced gives each class the same sum of weights")
    else { return nil }
    switch value.value {
    case .string("balanced"): self = .balanced
    case .object(let entries) where !entries.isEmpty:
      var weights: [String: Double] = [:]
      for entry in entries {
        let weight: Double
        switch entry.value.value {
        case .int(let number): weight = Double(number)
        case .double(let number): weight = number
        default: throw reader.refused("class_weight", kind)
        }
        guard weight >= 0, weight.isFinite else {
          throw ConfigError(
            "the weight of class '\(entry.key)' needs a number of at least 0; received \(weight).", at: entry.location)
        }
        weights[entry.key] = weight
      }
      self = .weights(weights)
    default: throw reader.refused("class_weight", kind)
    }
  }

  /// The weight of each class by its index.
  /// - Parameters:
  ///   - labels: the labels of the training samples: classes `[N]`, or a row for each with a one at the class.
  ///   - names: what the classes are called, if that is known.
  /// - Throws: `TrainingError` for a class that is not known, and for labels that are no classes.
  func weights(for labels: NDArray?, names: [String]?) throws -> [Int: Double] {
    switch self {
    case .weights(let weights):
      return Dictionary(
        uniqueKeysWithValues: try weights.map { name, weight in
          guard let index = names?.firstIndex(of: name) ?? Int(name) else {
            throw TrainingError(
              "class_weight: there is no class '\(name)'. Known: \(names?.joined(separator: ", ") ?? "the indices of classes")."
            )
          }
          return (index, weight)
        })
    case .balanced:
      let classes = try Self.classes(of: labels)
      var counts: [Int: Int] = [:]
      for index in classes { counts[index, default: 0] += 1 }
      return counts.mapValues { Double(classes.count) / (Double(counts.count) * Double($0)) }
    }
  }

  private static func classes(of labels: NDArray?) throws -> [Int] {
    guard let labels, let count = labels.shape.first else {
      throw TrainingError("'class_weight: balanced' needs labels.")
    }
    let width = labels.shape.dropFirst().reduce(1, *)
    let values = labels.elements(as: Double.self)
    return try (0..<count).map { sample in
      if width == 1, let index = Int(exactly: values[sample]) { return index }
      let row = values[(sample * width)..<((sample + 1) * width)]
      guard width > 1, let one = row.firstIndex(of: 1), row.allSatisfy({ $0 == 0 || $0 == 1 }),
        row.reduce(0, +) == 1
      else {
        throw TrainingError(
          "'class_weight: balanced' needs a class for each sample; sample \(sample) has \(Array(row.prefix(8))).")
      }
      return one - row.startIndex
    }
  }
}
