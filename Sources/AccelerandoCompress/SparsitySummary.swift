// How many weights are zero, layer by layer: as a table to print, and as a value for programs.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain

/// The zeros of a model, counted.
public struct SparsitySummary: Sendable, Encodable, CustomStringConvertible {
  /// The zeros of one parameter.
  public struct Row: Sendable, Encodable {
    /// The layer's name in the model's summary.
    public let layer: String
    /// The parameter's name.
    public let parameter: String
    /// Its shape.
    public let shape: [Int]
    /// The number of its elements.
    public let count: Int
    /// The number of its nonzero elements.
    public let kept: Int
    /// Whether it can be pruned.
    public let prunable: Bool
    /// The proportion of elements that are zero.
    public var sparsity: Double { count == 0 ? 0 : 1 - Double(kept) / Double(count) }

    enum CodingKeys: String, CodingKey { case layer, parameter, shape, count, kept, prunable, sparsity }

    public func encode(to encoder: any Encoder) throws {
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encode(layer, forKey: .layer)
      try values.encode(parameter, forKey: .parameter)
      try values.encode(shape, forKey: .shape)
      try values.encode(count, forKey: .count)
      try values.encode(kept, forKey: .kept)
      try values.encode(prunable, forKey: .prunable)
      try values.encode(sparsity, forKey: .sparsity)
    }
  }

  /// The trainable parameters, in the order of first use.
  public let rows: [Row]

  /// The number of all elements.
  public var count: Int { rows.reduce(0) { $0 + $1.count } }
  /// The number of all nonzero elements.
  public var kept: Int { rows.reduce(0) { $0 + $1.kept } }

  public var description: String {
    let header = ["Layer", "Parameter", "Shape", "Weights", "Kept", "Zeros"]
    let lines = rows.map { row in
      [
        row.layer, row.parameter, row.shape.map(String.init).joined(separator: "×"), grouped(row.count),
        grouped(row.kept), row.prunable ? percent(row.sparsity) : "never",
      ]
    }
    let zeros = count == 0 ? 0 : 1 - Double(kept) / Double(count)
    return textTable(header, lines, total: ["Total", "", "", grouped(count), grouped(kept), percent(zeros)], left: 3)
  }
}

extension Model {
  /// The zeros in the trainable parameters, as steps compute with them.
  public func sparsity() throws -> SparsitySummary {
    let weights = try settledWeights()
    return SparsitySummary(
      rows: try outline().namedParameters.filter { $0.spec.role == .trainable }.map { parameter in
        let elements = weights[parameter.spec.name]?.elements(as: Double.self) ?? []
        return SparsitySummary.Row(
          layer: parameter.layer, parameter: parameter.spec.name, shape: parameter.spec.type.shape,
          count: elements.count, kept: elements.reduce(0) { $0 + ($1 != 0 ? 1 : 0) }, prunable: parameter.isPrunable)
      })
  }
}
