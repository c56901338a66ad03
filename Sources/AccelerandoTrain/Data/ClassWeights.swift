// Class weights become sample weights, as in Keras, or weights of the elements of a sample, if labels have a class for
// each. Everywhere else class weights have no meaning and are refused.

import AccelerandoCore
import AccelerandoNN

extension DataExpectation {
  /// The weight of each sample by its class: `[class: weight]`, 1 for classes that are not listed. For class indices
  /// per element, such as the steps of a sequence, the weight of each element, `[N, …]`.
  /// - Parameter labels: class indices `[N]`, `[N, 1]` or per element `[N, …]`; or a number for each class `[N,
  ///   classes]`, one-hot or, for categorical cross-entropy, a distribution, whose largest number is the class.
  /// - Throws: `TrainingError` for other labels, and for weights that are no weights.
  func sampleWeights(for labels: NDArray, classWeights: [Int: Double]) throws -> NDArray {
    guard outputs.count == 1, let output = outputs.first else {
      throw TrainingError(
        "class weights need a model with one output; this one has \(outputs.count). Give sample weights by the name of the output."
      )
    }
    let loss = tasks.first?.loss?.plain
    try check(classWeights, output)
    let count = labels.shape.first ?? 0
    let width = Array(labels.shape.dropFirst()).elementCount
    let values = labels.elements(as: Double.self)
    func weight(_ label: Int) -> Float { Float(classWeights[label] ?? 1) }
    let places = Array(output.shape.dropFirst().dropLast())
    let hasPlaces =
      loss is SparseCategoricalCrossentropy && places.elementCount == width && !places.isEmpty
    if labels.shape.count == 1 || width == 1 || hasPlaces {
      let weights = try values.enumerated().map { index, value in
        guard let label = Int(exactly: value) else {
          throw TrainingError(
            "class weights need labels that are classes; the label of sample \(index / width) is \(value.formatted).")
        }
        return weight(label)
      }
      return try NDArray(weights, shape: [count] + (hasPlaces ? places : []))
    }
    guard labels.shape.count == 2, output.shape.count == 2, output.shape[1] == width,
      !(loss is BinaryCrossentropy)
    else {
      throw TrainingError(
        "class weights need one class for each sample: labels [N], [N, 1] or one-hot [N, classes]; received "
          + "\(labels.shape) for loss '\(loss?.name ?? "none")' and outputs \(output.shape.dropFirst()). Give "
          + "sample weights instead.")
    }
    let isDistribution = loss is CategoricalCrossentropy
    return NDArray(
      try (0..<count).map { sample in
        let row = values[sample * width..<(sample + 1) * width]
        let isOneHot = row.reduce(0) { $0 + ($1 == 1 ? 1 : 0) } == 1 && row.allSatisfy { $0 == 0 || $0 == 1 }
        guard isDistribution || isOneHot, let largest = row.max(), let place = row.firstIndex(of: largest) else {
          throw TrainingError(
            "class weights need one class for each sample; the labels \(row.map(\.formatted)) of sample \(sample) are not "
              + "one-hot. Give sample weights instead.")
        }
        return weight(place - row.startIndex)
      })
  }

  private func check(_ classWeights: [Int: Double], _ output: TensorType) throws {
    for (label, weight) in classWeights.sorted(by: { $0.key < $1.key }) {
      guard weight >= 0, weight.isFinite else {
        throw TrainingError("a class weight is a number of at least 0; class \(label) has \(weight).")
      }
      guard label >= 0 else { throw TrainingError("class weights: there is no class \(label).") }
      let classes = output.shape.last ?? 1
      if classes > 1, output.shape.count > 1, label >= classes {
        throw TrainingError(
          "class weights: there is no class \(label); the model has \(classes), 0 to \(classes - 1).")
      }
    }
  }
}
