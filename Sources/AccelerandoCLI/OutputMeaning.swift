// What a model's outputs say. Ten numbers may be the probabilities of classes or ten quantities: the loss that the
// model was trained with knows, or else the function that its outputs come from.

import Accelerando
import Foundation

/// What the outputs of one sample stand for.
enum OutputMeaning: Hashable {
  /// One score for each class, of which one is right.
  case classes(areLogits: Bool)
  /// Each output is a binary label of its own.
  case decisions(areLogits: Bool)
  /// Quantities.
  case values

  /// What an output of a model stands for.
  /// - Parameter output: the output's number.
  /// - Throws: `GraphError` when the architecture is invalid.
  init(of model: Model, output: Int) throws {
    let name = try model.outline().outputNames[output]
    let losses = model.compilation?.losses ?? []
    let loss = losses.first { $0.output == name } ?? losses.first { $0.output == nil }
    switch loss?.loss {
    case let loss as SparseCategoricalCrossentropy: self = .classes(areLogits: loss.fromLogits)
    case let loss as CategoricalCrossentropy: self = .classes(areLogits: loss.fromLogits)
    case let loss as BinaryCrossentropy: self = .decisions(areLogits: loss.fromLogits)
    case let loss:
      let last = try Self.lastOperation(of: model, output: output)
      if last is AccelerandoCore.Softmax {
        self = .classes(areLogits: false)
      } else if loss == nil, (last as? Unary)?.function == .logistic {
        self = .decisions(areLogits: false)
      } else {
        self = .values
      }
    }
    // The outputs that are called logits may be probabilities all the same: losses see to that, and so must we.
    if self == .classes(areLogits: true), try Self.lastOperation(of: model, output: output) is AccelerandoCore.Softmax {
      self = .classes(areLogits: false)
    }
    if self == .decisions(areLogits: true),
      (try Self.lastOperation(of: model, output: output) as? Unary)?.function == .logistic
    {
      self = .decisions(areLogits: false)
    }
  }

  /// The operation that an output of the model comes from, but for changes of type or shape.
  private static func lastOperation(of model: Model, output: Int) throws -> (any AccelerandoCore.Operation)? {
    let types = BatchTypes(features: model.inputs.map { TensorType($0.dtype, $0.shape) }, labels: nil)
    let program = try model.stepProgram(.predict, on: types, batchSize: 1)
    // The predictions are the program's last outputs.
    let count = try model.outline().outputs.count
    let place = program.outputs.count - count + output
    guard program.outputs.indices.contains(place) else { return nil }
    var value = program.outputs[place]
    while let instruction = program.instructions.first(where: { $0.results.contains(value) }) {
      let passesOn = instruction.operation is Convert || instruction.operation is AccelerandoCore.Reshape
      guard passesOn, let operand = instruction.operands.first else { return instruction.operation }
      value = operand
    }
    return nil
  }

  /// The words for one sample: the class and its probability where there are classes, the outputs otherwise.
  /// - Parameters:
  ///   - row: the sample's outputs.
  ///   - names: what the classes are called, if that is known.
  func words(_ row: [Float], classNames names: [String]?) -> [String] {
    func name(_ index: Int) -> String { names.flatMap { index < $0.count ? $0[index] : nil } ?? String(index) }
    func probability(_ value: Float) -> String { String(format: "%.4f", value) }
    switch self {
    case .classes(let areLogits):
      // NaN is no score: a sample that has one has no class.
      guard row.count > 1, !row.contains(where: \.isNaN), let best = row.indices.max(by: { row[$0] < row[$1] }) else {
        return row.map { "\($0)" }
      }
      guard areLogits else { return [name(best), probability(row[best])] }
      let sum = row.reduce(0) { $0 + exp($1 - row[best]) }
      return [name(best), probability(1 / sum)]
    case .decisions(let areLogits):
      let probabilities = areLogits ? row.map { 1 / (1 + exp(-$0)) } : row
      guard probabilities.count == 1, let yes = probabilities.first, !yes.isNaN else {
        return probabilities.map(probability)
      }
      return yes >= 0.5 ? [name(1), probability(yes)] : [name(0), probability(1 - yes)]
    case .values: return row.map { "\($0)" }
    }
  }
}
