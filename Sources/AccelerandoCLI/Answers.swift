// What a model says to a sample, by what its outputs stand for: the right words in the terminal, the right names in files.

import Accelerando
import AccelerandoRecipes
import AccelerandoReport
import Foundation

/// Reads the outputs of a model.
struct Answers {
  /// One output.
  struct Output {
    let name: String
    let meaning: OutputMeaning
    /// The names of its classes or labels.
    let classNames: [String]
    /// The scores of one place: the last axis.
    let width: Int
    /// The elements of one sample.
    let count: Int
    /// Whether a sample has one list of scores, and not one for each of many places.
    let isPlain: Bool
  }

  let outputs: [Output]

  /// - Parameters:
  ///   - recipe: the model's recipe, whose data may know what the classes are called.
  ///   - stage: what turned the columns of the model's data into its inputs; it knows the classes that it found.
  /// - Throws: `GraphError` when the architecture is invalid.
  init(of model: Model, recipe: Recipe, stage: DataStage?) throws {
    let outline = try model.outline()
    func classNames(_ output: String) -> [String]? {
      stage.map { $0.classNames(of: output) } ?? (outline.outputNames.count == 1 ? recipe.data.classNames : nil)
    }
    outputs = try zip(outline.outputNames, outline.outputs).enumerated().map { index, output in
      let (name, type) = output
      let shape = Array(type.shape.dropFirst())
      let width = shape.last ?? 1
      var meaning = try OutputMeaning(of: model, output: index)
      // One score has no other class beside it.
      if case .classes = meaning, width < 2 { meaning = .values }
      // One decision is between two classes, no and yes.
      let isBinary = if case .decisions = meaning { width == 1 } else { false }
      let classes = isBinary ? 2 : width
      let names = classNames(name)
      let known = names?.count == classes ? names : nil
      return Output(
        name: name, meaning: meaning, classNames: known ?? (0..<classes).map { "\($0)" }, width: width,
        count: shape.elementCount, isPlain: shape.count <= 1)
    }
  }

  /// The members of a file's row that say what the model answers.
  func members(_ rows: [ArraySlice<Float>]) -> [(name: String, value: JSON)] {
    zip(outputs, rows).flatMap { output, row -> [(name: String, value: JSON)] in
      let members = output.members(row)
      guard outputs.count > 1 else { return members }
      return [(output.name, JSON(members.map { ($0.name, $0.value) }))]
    }
  }
}

extension Answers.Output {
  /// The probabilities of the classes, or of the labels, of one place; nil where a score is NaN.
  func probabilities(_ scores: ArraySlice<Float>) -> [Float]? {
    guard !scores.contains(where: \.isNaN), let largest = scores.max() else { return nil }
    switch meaning {
    case .values: return nil
    case .classes(let areLogits):
      guard areLogits else { return Array(scores) }
      let powers = scores.map { exp($0 - largest) }
      let sum = powers.reduce(0, +)
      return powers.map { $0 / sum }
    case .decisions(let areLogits): return areLogits ? scores.map { 1 / (1 + exp(-$0)) } : Array(scores)
    }
  }

  /// The most probable of some classes; the first of equal ones.
  static func best(_ probabilities: [Float]) -> Int {
    probabilities.indices.max {
      probabilities[$0] < probabilities[$1] || probabilities[$0] == probabilities[$1] && $0 > $1
    }
      ?? 0
  }

  func members(_ row: ArraySlice<Float>) -> [(name: String, value: JSON)] {
    func number(_ value: Float) -> JSON {
      value.isFinite ? JSON(.double(Double("\(value)") ?? Double(value))) : JSON(.null)
    }
    func named(_ values: [Float]?) -> JSON {
      JSON(classNames.enumerated().map { ($1, values.map { [index = $0] in number($0[index]) } ?? JSON(.null)) })
    }
    guard isPlain, meaning != .values else {
      return row.count == 1 ? [("value", number(row[row.startIndex]))] : [("values", JSON(.array(row.map(number))))]
    }
    let probabilities = probabilities(row)
    if case .decisions = meaning {
      guard row.count == 1 else {
        let found = probabilities.map { values in zip(classNames, values).filter { $1 >= 0.5 }.map(\.0) }
        return [
          ("labels", found.map { JSON(.string($0.joined(separator: " "))) } ?? JSON(.null)),
          ("probabilities", named(probabilities)),
        ]
      }
      let both = probabilities.map { [1 - $0[0], $0[0]] }
      return classMembers(both, named(both), number)
    }
    return classMembers(probabilities, named(probabilities), number)
  }

  private func classMembers(
    _ probabilities: [Float]?, _ all: JSON, _ number: (Float) -> JSON
  ) -> [(name: String, value: JSON)] {
    // Of two equally probable decisions the answer is yes.
    let best = probabilities.map { $0.count == 2 && count == 1 ? ($0[1] >= 0.5 ? 1 : 0) : Self.best($0) }
    return [
      ("class", best.map { JSON(.string(classNames[$0])) } ?? JSON(.null)),
      ("probability", best.map { number(probabilities?[$0] ?? .nan) } ?? JSON(.null)), ("probabilities", all),
    ]
  }
}
