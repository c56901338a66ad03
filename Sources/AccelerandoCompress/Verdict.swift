// What a compression gained: accuracy, bytes and time, before and after, measured on this machine. It also says what
// was not gained: not all zeros make something faster.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import Foundation

/// A model before and after a compression.
public struct CompressionVerdict: Sendable, Encodable, CustomStringConvertible {
  /// What was measured of one model.
  public struct Side: Sendable, Encodable {
    /// The name of the loss that the model is trained with.
    public let loss: String
    /// The loss and the metrics on data that were held out.
    public let metrics: Logs
    /// The number of elements of its parameters.
    public let parameters: Int
    /// The number of nonzero elements.
    public let nonzero: Int
    /// Bytes of the weights as a safetensors file.
    public let bytes: Int
    /// That file after gzip.
    public let gzipBytes: Int
    /// Bytes of the weights as a sparse safetensors file.
    public let sparseBytes: Int
    /// That file after gzip.
    public let sparseGzipBytes: Int
    /// The time of a prediction for one sample, in seconds: the median.
    public let latency: Double
    /// Predictions per second, in batches.
    public let throughput: Double
    /// The number of samples in such a batch.
    public let batchSize: Int
  }

  /// Before.
  public let before: Side
  /// After.
  public let after: Side
  /// The fastest form of each layer with large parameters.
  public let layers: [LayerForms]
  /// The gains and the missing gains, in sentences.
  public let findings: [String]

  public var description: String {
    var rows: [[String]] = []
    func row(_ name: String, _ first: String, _ second: String, _ change: String) {
      rows.append([name, first, second, change])
    }
    for name in before.metrics.keys.sorted() {
      guard let first = before.metrics[name], let second = after.metrics[name] else { continue }
      if name == "loss", !lossesCompare {
        row(name, decimals(first), decimals(second), "–")
        continue
      }
      row(name, decimals(first), decimals(second), (second < first ? "−" : "+") + decimals(abs(second - first)))
    }
    func count(_ name: String, _ value: (Side) -> Int) {
      row(name, grouped(value(before)), grouped(value(after)), ratio(value(before), value(after)))
    }
    count("parameters", \.parameters)
    count("not zero", \.nonzero)
    count("file, bytes", \.bytes)
    count("  gzip", \.gzipBytes)
    count("  sparse", \.sparseBytes)
    count("  sparse, gzip", \.sparseGzipBytes)
    row("one sample", time(before.latency), time(after.latency), ratio(before.latency, after.latency))
    row(
      "samples/s, \(after.batchSize) each", grouped(Int(min(before.throughput, 1e15))),
      grouped(Int(min(after.throughput, 1e15))),
      ratio(after.throughput, before.throughput))
    var text = textTable(["", "before", "after", "gain"], rows, left: 1)
    if !layers.isEmpty { text += "\n\n" + LayerForms.table(layers) }
    return text + "\n\n" + findings.joined(separator: "\n")
  }
}

extension CompressionVerdict {
  /// Whether the losses are of one kind, so that their difference means something.
  private var lossesCompare: Bool { before.loss == after.loss }

  /// Refuses models that have nothing to be compared by.
  private static func checkShapes(_ before: Model, _ after: Model) throws {
    func shapes(_ model: Model) throws -> String {
      let inputs = model.inputs.map { "\($0.shape)" }.joined(separator: ", ")
      let outputs = try model.outline().outputs.map { "\(Array($0.shape.dropFirst()))" }
      return "\(inputs) to \(outputs.joined(separator: ", "))"
    }
    let (first, second) = (try shapes(before), try shapes(after))
    guard first == second else {
      throw CompressionError(
        "the two models do different work and do not compare: the first takes a sample \(first), the second \(second).")
    }
  }

  /// Measures two models.
  /// - Parameters:
  ///   - before: the model as it was, compiled.
  ///   - after: the compressed model, compiled, stripped of pruning.
  ///   - data: samples that neither model was trained on, with labels.
  ///   - batchSize: samples in a batch where many are predicted.
  ///   - seconds: how long each time is measured for.
  /// - Throws: what evaluation throws; `CompressionError` when the models take or give other shapes than each other.
  public init(before: Model, after: Model, on data: Dataset, batchSize: Int = 256, seconds: Double = 0.5) throws {
    try Self.checkShapes(before, after)
    let first = try before.evaluate(data, batchSize: batchSize)
    let second = try after.evaluate(data, batchSize: batchSize)
    let single = try [before, after].map { try $0.repeatedPrediction(batchSize: 1) }
    let latency = try Stopwatch.compare(single[0].run, single[1].run, seconds: seconds)
    let many = try [before, after].map { try $0.repeatedPrediction(batchSize: batchSize) }
    let batch = try Stopwatch.compare(many[0].run, many[1].run, seconds: seconds)
    func side(_ model: Model, _ metrics: Logs, _ latency: Double, _ batch: Double) throws -> Side {
      let weights = try model.settledWeights()
      let dense = try SavedSize(of: weights, sparse: false)
      let sparse = try SavedSize(of: weights, sparse: true)
      let summary = weights.entries.map { array in
        array.1.elements(as: Double.self).reduce(0) { $0 + ($1 != 0 ? 1 : 0) }
      }
      return Side(
        loss: model.compilation?.lossDescription ?? "", metrics: metrics,
        parameters: weights.entries.reduce(0) { $0 + $1.1.elementCount },
        nonzero: summary.reduce(0, +), bytes: dense.bytes, gzipBytes: dense.gzipBytes, sparseBytes: sparse.bytes,
        sparseGzipBytes: sparse.gzipBytes, latency: latency, throughput: Double(batchSize) / batch,
        batchSize: batchSize)
    }
    self.before = try side(before, first, latency.first, batch.first)
    self.after = try side(after, second, latency.second, batch.second)
    layers = try LayerForms.measure(before: before, after: after, seconds: seconds / 10)
    let types = try [before, after].map { try $0.outline().parameters.map(\.type) }
    func runsTheSame(_ predictions: [RepeatedPrediction]) -> Bool {
      types[0] == types[1] && predictions.allSatisfy { $0.sparseOperations.isEmpty }
    }
    findings = Self.findings(
      self.before, self.after, layers, sameLatency: runsTheSame(single), sameThroughput: runsTheSame(many),
      sparseInBatches: many[1].sparseOperations)
  }

  /// Times that differ by less than this factor count as equal: on a shared machine they vary by as much.
  static let sameTime = 1.08

  private static func findings(
    _ before: Side, _ after: Side, _ layers: [LayerForms], sameLatency: Bool, sameThroughput: Bool,
    sparseInBatches: [SparseOperation]
  ) -> [String] {
    var lines: [String] = []
    if before.loss != after.loss {
      lines.append("The losses do not compare: \(before.loss) before, \(after.loss) after.")
    }
    for name in before.metrics.keys.sorted() where name == "accuracy" || name.hasSuffix("_accuracy") {
      guard let first = before.metrics[name], let second = after.metrics[name] else { continue }
      let title = name == "accuracy" ? "Accuracy" : name
      let points = 100 * (second - first)
      lines.append(
        points.isNaN
          ? "\(title): cannot be compared, since it is NaN \(first.isNaN ? "before" : "after")."
          : points < 0
            ? "\(title): \(String(format: "%.2f", -points)) points lost."
            : "\(title): nothing lost (\(String(format: "+%.2f", points)) points).")
    }
    let file = Double(before.gzipBytes) / Double(max(min(after.gzipBytes, after.sparseGzipBytes), 1))
    lines.append(
      file >= 1.05
        ? "Size: \(String(format: "%.1f", file)) times smaller once compressed; uncompressed, the "
          + (after.bytes < before.bytes
            ? "file is smaller too."
            : after.sparseBytes < before.bytes
              ? "dense file is as large as before and the sparse one \(ratio(before.bytes, after.sparseBytes)) smaller."
              : "file is as large as before.")
        : "Size: no gain.")
    func speed(_ name: String, _ ratio: Double, isSame: Bool) -> String {
      // Differences between measurements of the same program are noise.
      if isSame { return "\(name): no gain, zeros are multiplied like other numbers." }
      if ratio >= sameTime { return "\(name): \(String(format: "%.2f", ratio)) times faster." }
      if ratio <= 1 / sameTime { return "\(name): \(String(format: "%.2f", 1 / ratio)) times slower." }
      return "\(name): no gain."
    }
    lines.append(speed("Latency of one sample", before.latency / after.latency, isSame: sameLatency))
    lines.append(speed("Throughput", after.throughput / before.throughput, isSame: sameThroughput))
    let sparse = layers.filter { $0.fastest == .sparse }.map(\.layer)
    let smaller = layers.filter { $0.fastest == .smallerDense }.map(\.layer)
    if !sparse.isEmpty {
      lines.append("Zeros are left out, one sample at a time, which is faster, in: \(sparse.joined(separator: ", ")).")
    }
    if !sparseInBatches.isEmpty {
      let names = sparseInBatches.map { "\($0.path.last ?? "a product") (\(percent(1 - $0.density)))" }
      lines.append("Zeros are left out, in batches of \(after.batchSize), in: \(names.joined(separator: ", ")).")
    }
    if !smaller.isEmpty {
      lines.append("Smaller dense layers are fastest in: \(smaller.joined(separator: ", ")).")
    }
    if sparse.isEmpty, smaller.isEmpty, sparseInBatches.isEmpty, after.nonzero < before.nonzero,
      after.parameters == before.parameters
    {
      lines.append("No layer is faster for its zeros: dense is the fastest form of all of them.")
    }
    return lines
  }
}

/// The size of weights in a file.
struct SavedSize {
  let bytes: Int
  let gzipBytes: Int

  init(of weights: Store, sparse: Bool) throws {
    let url = FileManager.default.temporaryDirectory
      .appendingPathComponent("accelerando-\(UUID().uuidString).safetensors")
    defer { try? FileManager.default.removeItem(at: url) }
    let tensors = weights.entries.map { (name: $0.0, value: $0.1) }
    if sparse {
      try SparseSafetensors.write(tensors, to: url)
    } else {
      try Safetensors.write(tensors, to: url)
    }
    let contents = try FileContents(url)
    bytes = contents.count
    gzipBytes = try contents.withUnsafeBytes { try Gzip.compress($0).count }
  }
}

/// A prediction for random samples, to be timed.
struct RepeatedPrediction {
  let run: () throws -> Void
  /// The layers whose zeros are skipped.
  let sparseOperations: [SparseOperation]
}

extension Model {
  /// A prediction for random samples, to be timed.
  func repeatedPrediction(batchSize: Int) throws -> RepeatedPrediction {
    let function = try inferenceFunction(batchSize: batchSize)
    let inputs = function.inputTypes.map { type -> NDArray in
      let numbers = RandomKey(seed: 1).uniform(type.elementCount, from: 0, to: 1)
      return (try? NDArray(numbers, shape: type.shape).converted(to: type.dtype)) ?? NDArray(zeros: type)
    }
    let arrays = NamedArrays(inputs)
    var run: () throws -> Void = { _ = try function.outputs(of: arrays) }
    if let input = inputs.first, inputs.count == 1, input.dtype == .float32, function.outputTypes.count == 1,
      function.outputType.dtype == .float32
    {
      var output = [Float](repeating: 0, count: function.outputType.elementCount)
      run = {
        try input.withUnsafeBytes { bytes in
          try output.withUnsafeMutableBufferPointer { try function(bytes.bindMemory(to: Float.self), into: $0) }
        }
      }
    }
    return RepeatedPrediction(run: run, sparseOperations: function.sparseOperations)
  }
}

/// Times short calls, and alternates between two, so that other load affects both.
enum Stopwatch {
  /// The median time of a call.
  static func time(seconds: Double, _ call: () throws -> Void) throws -> Double {
    try compare(call, {}, seconds: seconds).first
  }

  /// The median time of the first call, and the second's from the median of their ratios: a temporary slowdown affects
  /// both.
  static func compare(
    _ first: () throws -> Void, _ second: () throws -> Void, seconds: Double
  ) throws -> (first: Double, second: Double) {
    func once(_ call: () throws -> Void, _ count: Int) throws -> Double {
      let start = ContinuousClock.now
      for _ in 0..<count { try call() }
      return (ContinuousClock.now - start) / .seconds(1) / Double(count)
    }
    func block(_ call: () throws -> Void) throws -> Int {
      for _ in 0..<3 { try call() }
      return max(1, Int(0.001 / max(try once(call, 1), 1e-9)))
    }
    let blocks = (try block(first), try block(second))
    var times: (first: [Double], second: [Double]) = ([], [])
    let start = ContinuousClock.now
    while times.first.count < 5 || (ContinuousClock.now - start) / .seconds(1) < 2 * seconds {
      times.first.append(try once(first, blocks.0))
      times.second.append(try once(second, blocks.1))
    }
    func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
    let first = median(times.first)
    return (first, first * median(zip(times.first, times.second).map { $1 / max($0, 1e-12) }))
  }
}

/// `0.9123`.
func decimals(_ value: Double) -> String { String(format: "%.4f", value) }

/// A time with a unit: `12.3 µs`.
func time(_ seconds: Double) -> String {
  if seconds < 1e-3 { return String(format: "%.1f µs", seconds * 1e6) }
  if seconds < 1 { return String(format: "%.2f ms", seconds * 1e3) }
  return String(format: "%.2f s", seconds)
}

/// How many times one number is another: `3.2×`.
func ratio(_ a: Double, _ b: Double) -> String { b > 0 ? String(format: "%.2f×", a / b) : "–" }
func ratio(_ a: Int, _ b: Int) -> String { ratio(Double(a), Double(b)) }
