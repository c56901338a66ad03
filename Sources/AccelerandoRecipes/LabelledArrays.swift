// The samples of one part of a recipe's data, in the form that models take them: arrays, or arrays that are read when a batch
// needs them.

import AccelerandoCore
import AccelerandoData
import AccelerandoFormats
import AccelerandoTrain

/// Samples and their targets.
public struct LabelledArrays: Sendable {
  /// One sample per row: one array, or arrays by the names of the inputs. Empty where they are read when they are needed.
  public var inputs: NamedArrays
  /// One target per row: one array, or arrays by the names of the outputs.
  public var targets: NamedArrays
  /// The weight of each sample, `[N]`; empty for equal weights.
  public var weights: NamedArrays = []
  /// What each sample is called: its file or its row; nil where numbers have to do.
  public var ids: [String]?
  /// The inputs that are read when a batch needs them, such as images in files; nil for arrays.
  public var reading: InputReading?

  /// The number of samples.
  public var count: Int { reading?.rows.count ?? inputs.first?.shape.first ?? 0 }

  /// The type of one sample of each input.
  public var inputTypes: [TensorType] { reading?.types ?? inputs.map(\.sampleType) }

  /// An array, what it is for, and what to call it in errors.
  typealias Part = (name: String?, array: NDArray, file: String)

  /// Takes arrays with equal numbers of rows.
  /// - Throws: `FormatError` when one is a scalar or the rows differ in number.
  init(inputs: [Part], targets: [Part]) throws {
    let first = inputs.first ?? (nil, NDArray(scalar: Float(0)), "the inputs")
    guard let count = first.array.shape.first else {
      throw FormatError(file: first.file, reason: "holds a single number where there should be a row for each sample")
    }
    for part in inputs.dropFirst() + targets where part.array.shape.first != count {
      throw FormatError(
        file: part.file, reason: "has the shape \(part.array.shape), but \(first.file) has \(count) samples",
        remedy: "Both need the same first dimension")
    }
    func named(_ parts: [Part]) -> NamedArrays {
      let names = parts.compactMap(\.name)
      return names.count == parts.count
        ? NamedArrays(zip(names, parts).map { ($0, $1.array) }) : NamedArrays(parts.map(\.array))
    }
    self.inputs = named(inputs)
    self.targets = named(targets)
  }

  /// Takes images in memory.
  /// - Parameters:
  ///   - images: the images.
  ///   - output: the name of the output that the labels are for; nil for the only one.
  init(_ images: LabelledImages, output: String?) {
    inputs = [images.images]
    targets = output.map { NamedArrays([($0, images.labels)]) } ?? [images.labels]
  }

  /// Takes the inputs of a model.
  public init(inputs: NamedArrays) { self.init(inputs: inputs, targets: []) }

  /// Takes arrays as they are.
  init(inputs: NamedArrays, targets: NamedArrays, reading: InputReading? = nil) {
    self.inputs = inputs
    self.targets = targets
    self.reading = reading
  }

  /// The first `limit` samples, or all of them if there are fewer.
  func prefix(_ limit: Int) throws -> LabelledArrays {
    guard limit < count else { return self }
    func first(_ arrays: NamedArrays) throws -> NamedArrays { try arrays.mapArrays { try $0.rows(0..<limit) } }
    var result = self
    result.inputs = try first(inputs)
    result.targets = try first(targets)
    result.weights = try first(weights)
    result.ids = ids.map { Array($0.prefix(limit)) }
    result.reading?.rows = Array(reading?.rows.prefix(limit) ?? [])
    return result
  }

  /// The samples for `fit`, `evaluate` and `predict`.
  /// - Throws: `TrainingError` when the arrays differ in the number of samples.
  public func dataset() throws -> Dataset {
    guard let reading else { return try Dataset(features: inputs, targets: targets, weights: weights) }
    let (targets, weights) = (targets, weights)
    return Dataset(count: count, identity: try reading.digest(targets, weights)) { places in
      Batch(
        features: try reading.read(places.map { reading.rows[$0] }), targets: targets.mapArrays { $0.gathered(places) },
        weights: weights.mapArrays { $0.gathered(places) })
    }
  }
}

/// Inputs that are read when a batch needs them.
public struct InputReading: Sendable {
  /// The type of one sample of each input.
  public let types: [TensorType]
  /// The samples that belong to this part, by their number in the source.
  public var rows: [Int]
  /// A text that differs where the samples of the source do.
  let identity: String
  /// Reads the inputs of some samples of the source, in this order. It is called from other threads.
  let read: @Sendable ([Int]) throws -> NamedArrays

  /// A text that differs where rows, samples, targets or weights do.
  fileprivate func digest(_ targets: NamedArrays, _ weights: NamedArrays) throws -> String {
    let sum = try SHA256Digest()
    try sum.update("\(identity) \(rows)")
    for array in Array(targets) + Array(weights) {
      try sum.update("\(array.type)")
      try array.withUnsafeBytes { try sum.update($0) }
    }
    return try sum.finish()
  }
}

extension NDArray {
  /// The type of a row.
  var sampleType: TensorType { type.with(Array(shape.dropFirst())) }

  /// The rows with these indices, in this order.
  func gathered(_ rows: some Collection<Int>) -> NDArray {
    var result = NDArray(zeros: type.with([rows.count] + shape.dropFirst()))
    let rowBytes = shape.first.map { $0 == 0 ? 0 : byteCount / $0 } ?? 0
    guard rowBytes > 0 else { return result }
    result.withUnsafeMutableBytes { target in
      withUnsafeBytes { source in
        for (place, row) in rows.enumerated() {
          target[(place * rowBytes)..<((place + 1) * rowBytes)]
            .copyBytes(from: source[(row * rowBytes)..<((row + 1) * rowBytes)])
        }
      }
    }
    return result
  }
}
