// Looks at data before it is trained on: shapes that do not fit the model, numbers that are not finite, labels that the
// loss knows no meaning for and indices outside of their table are named with their place, instead of becoming a loss
// of NaN an hour later. Floating-point data are brought to the types that the model computes with, as Keras does.

import AccelerandoCore
import AccelerandoNN

/// What a model expects of its data.
struct DataExpectation {
  /// One sample of each input.
  let inputs: [ModelInput]
  /// The names of the inputs.
  let inputNames: [String]
  /// The types of the outputs for a batch of one.
  let outputs: [TensorType]
  /// The names of the outputs.
  let outputNames: [String]
  /// The inputs that are indices.
  let indices: [Outline.IndexInput]
  /// The losses and the metrics that will use the labels; empty if labels are ignored.
  let tasks: [OutputTask]

  init(inputs: [ModelInput], names: [String], outline: Outline, tasks: [OutputTask]) {
    self.inputs = inputs
    inputNames = names
    outputs = outline.outputs
    outputNames = outline.outputNames
    indices = outline.indexInputs
    self.tasks = tasks
  }

  /// The batch in the model's shapes and types. A last axis of size 1 may be missing or too many, as in Keras.
  /// Floating-point features become of the input's type, labels of the output's, weights `float32`; integers stay what
  /// they are, since bytes are cheaper to keep, and are converted where they are used.
  /// - Throws: `TrainingError` for other shapes.
  func fitted(_ batch: Batch) throws -> Batch {
    guard batch.features.count == inputs.count || !batch.features.names.isEmpty else {
      throw TrainingError("the model has \(inputs.count) inputs; received \(batch.features.count) arrays of features.")
    }
    let given = try batch.features.ordered(as: inputNames, "input", byPosition: [inputs.count])
    var result = batch
    result.features = []
    var features: [NDArray] = []
    for (index, input) in inputs.enumerated() {
      guard let array = given[index]?.cast(to: input.dtype) else {
        throw TrainingError("the model has the input '\(inputNames[index])', which the data lack.")
      }
      let shape = input.shape
      let sample = Array(array.shape.dropFirst())
      guard sample == shape || sample + [1] == shape || sample == shape + [1], let count = array.shape.first else {
        throw TrainingError(
          "input \(inputs[index].name.map { "'\($0)'" } ?? "\(index)") of the model needs samples of shape \(shape); received \(sample)\(advice(sample, shape))."
        )
      }
      features.append(sample == shape ? array : try array.reshaped([count] + shape))
    }
    result.features = NamedArrays(features)
    result.targets = try fittedTargets(batch.targets)
    result.weights = try fittedWeights(batch.weights)
    return result
  }

  /// The labels of the outputs that are trained or watched, in the order of the outputs.
  private func fittedTargets(_ targets: NamedArrays) throws -> NamedArrays {
    if targets.isEmpty { return [] }
    if outputs.count == 1, targets.names.isEmpty {
      guard targets.count == 1 else {
        throw TrainingError("the model has one output; received labels for \(targets.count).")
      }
      return targets.mapArrays { $0.cast(to: outputs[0].dtype) }
    }
    if tasks.isEmpty { return [] }
    // Labels by position are those of all outputs, or of those that need some.
    let needed = tasks.map(\.index)
    let names = targets.count == needed.count && targets.names.isEmpty ? needed.map { outputNames[$0] } : outputNames
    let given = Dictionary(
      zip(names, try targets.ordered(as: names, "output", byPosition: [names.count])), uniquingKeysWith: { a, _ in a })
    let fitted = try needed.map { index in
      let name = outputNames[index]
      guard let array = given[name] ?? nil else {
        throw TrainingError("the output '\(name)' has a loss or a metric, and the data lack its labels.")
      }
      return (name, array.cast(to: outputs[index].dtype))
    }
    return outputs.count == 1 ? NamedArrays(fitted.map(\.1)) : NamedArrays(fitted)
  }

  /// The weights of the samples: one array for all outputs, or those of the outputs that have some.
  private func fittedWeights(_ weights: NamedArrays) throws -> NamedArrays {
    let converted = weights.mapArrays { $0.converted(to: .float32) }
    if weights.isEmpty || weights.names.isEmpty && weights.count == 1 { return converted }
    let given = try converted.ordered(as: outputNames, "output", byPosition: [outputNames.count])
    let fitted = zip(outputNames, given).compactMap { name, array in array.map { (name, $0) } }
    return outputs.count == 1 ? NamedArrays(fitted.map(\.1)) : NamedArrays(fitted)
  }

  private func advice(_ sample: [Int], _ shape: [Int]) -> String {
    sample.elementCount == shape.elementCount ? " with as many elements: reshape the data, or add a Reshape layer" : ""
  }

  /// Checks values: numbers that are not finite in features, labels or weights, labels that the loss or a metric knows
  /// no meaning for, and indices outside of their table.
  /// - Parameters:
  ///   - batch: what `fitted(_:)` gave.
  ///   - given: what it was made of.
  ///   - origin: where the batch is, for errors: `step 12`.
  /// - Throws: `TrainingError` naming the tensor, the place and the value.
  func checkValues(_ batch: Batch, given: Batch, origin: String?) throws {
    let place = origin.map { " (\($0))" } ?? ""
    for (number, array) in batch.features.enumerated() {
      try checkFinite(
        array, Self.given(given.features, number, inputNames[number]),
        "the features of input \(inputs[number].name.map { "'\($0)'" } ?? "\(number)")", place)
    }
    for (things, arrays, given) in [
      ("the labels", batch.targets, given.targets), ("the sample weights", batch.weights, given.weights),
    ] {
      for (number, array) in arrays.enumerated() {
        let name = arrays.names.isEmpty ? nil : arrays.names[number]
        let label = name.map { "\(things) of output '\($0)'" } ?? things
        try checkFinite(array, Self.given(given, number, name), label, place)
      }
    }
    try checkIndices(batch, origin: origin)
    for task in tasks {
      let labels = batch.targets.names.isEmpty ? batch.targets.first : batch.targets[outputNames[task.index]]
      guard let labels else { continue }
      let user = task.output.map { "output '\($0)', " } ?? ""
      let shape = outputs[task.index].shape
      if let loss = task.loss {
        try Self.check("\(user)loss '\(loss.name)'", place) {
          try loss.check(targets: labels, predictionShape: shape)
        }
      }
      for watch in task.metrics {
        try Self.check("\(user)metric '\(watch.metric.name)'", place) {
          try watch.metric.check(targets: labels, predictionShape: shape)
        }
      }
    }
  }

  /// The array that one of the fitted arrays was made of, if it can be told.
  private static func given(_ given: NamedArrays, _ number: Int, _ name: String?) -> NDArray? {
    if !given.names.isEmpty { return name.flatMap { given[$0] } ?? given.first }
    return given.indices.contains(number) ? given[number] : nil
  }

  private func checkFinite(_ array: NDArray, _ given: NDArray?, _ name: String, _ place: String) throws {
    guard let index = firstNotFinite(in: array) else { return }
    let value = given?.element(index) ?? .nan
    let reason = value.isFinite ? ", which \(array.dtype.rawValue) cannot hold" : ""
    throw TrainingError(
      "\(name) hold \(value.isNaN ? "NaN" : value.isFinite ? "\(value)" : value > 0 ? "infinity" : "-infinity") at "
        + "\(coordinates(index, array.shape))\(reason)\(place). Remove or replace such samples.")
  }

  private static func check(_ user: String, _ place: String, _ check: () throws -> Void) throws {
    do {
      try check()
    } catch {
      throw TrainingError("\(user): \(error)\(place)")
    }
  }

  /// Checks that features that name rows of a table name rows that are there.
  /// - Throws: `TrainingError` naming the layer, the sample and the value.
  func checkIndices(_ batch: Batch, origin: String?) throws {
    for use in indices where use.input < batch.features.count {
      let array = batch.features[use.input]
      let rows = 0..<Double(use.count)
      guard let wrong = array.firstElement(where: { !rows.contains($0) || $0 != $0.rounded() }) else { continue }
      let perSample = max(array.elementCount / max(array.shape.first ?? 1, 1), 1)
      throw TrainingError(
        "\(use.layer) has the rows 0 to \(use.count - 1); sample \(wrong.index / perSample)"
          + "\(origin.map { " (\($0))" } ?? "") has the index \(wrong.value.formatted). Correct the data, or make the "
          + "table larger.")
    }
  }

  private func coordinates(_ index: Int, _ shape: [Int]) -> [Int] {
    zip(shape.rowMajorStrides, shape).map { stride, size in index / max(stride, 1) % max(size, 1) }
  }
}

extension NDArray {
  /// Floating-point numbers as those of another floating-point type, or as `float32` where that is none; other arrays
  /// as they are.
  func cast(to target: DType) -> NDArray {
    guard dtype.isFloating else { return self }
    return converted(to: target.isFloating ? target : .float32)
  }

  /// The element at a place in row-major order.
  func element(_ index: Int) -> Double {
    var result = Double.nan
    var number = 0
    _ = firstElement { value in
      if number == index { result = value }
      number += 1
      return number > index
    }
    return result
  }
}

/// The index of the first number in row-major order that is NaN or infinite.
private func firstNotFinite(in array: NDArray) -> Int? {
  array.withUnsafeBytes { bytes in
    switch array.dtype {
    case .float32: bytes.bindMemory(to: Float.self).firstIndex { !$0.isFinite }
    case .float64: bytes.bindMemory(to: Double.self).firstIndex { !$0.isFinite }
    case .float16, .bfloat16: array.elements(as: Float.self).firstIndex { !$0.isFinite }
    default: nil
    }
  }
}
