// Measures this framework alone, on the same works as Benchmarks/ measures it and its peers. A work is described by its
// name alone, so that any size can be measured.

import Accelerando
import ArgumentParser
import Foundation

struct Benchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures training, prediction and single operations on this machine.",
    discussion: """
      A work is one of
        train/MODEL/BATCH, predict/MODEL/BATCH, latency/MODEL, memory/MODEL/BATCH
        dispatch                                                a call of a tiny program
        product/MxKxN, product/MxKxN/at, product/MxKxN/bt       at, bt: the left or right matrix is stored transposed
        sparse/MxKxN/ZEROS                                      frozen weights with zeros: 0.9, 2:4 or 4x4-0.9
        convolution/NxHxWxC-F/PASS                              3x3; forward, backward-data or backward-weights
      where MODEL is \(BenchmarkModel.all.map(\.name).joined(separator: ", ")).
      """)

  @Argument(help: "What to measure; a selection by default.")
  var works: [String] = []

  @Option(parsing: .unconditional, help: "The duration of each measurement, in seconds.")
  var seconds: Double = 1

  @Option(parsing: .unconditional, help: "The number of repetitions; the median counts.")
  var repeats: Int = 1

  @Option(parsing: .unconditional, help: "The number of images, of 60,000, in an epoch of the seed models.")
  var samples: Int = 60_000

  @Option(help: "The set of microkernels: \(InstructionSet.available.map(\.description).joined(separator: ", ")).")
  var instructionSet: String?

  @Option(help: "The directory with Fashion-MNIST.")
  var data: String?

  @Flag(help: "Print one JSON object per work (JSON Lines).")
  var json = false

  @OptionGroup var precisionOption: PrecisionOption
  @OptionGroup var deviceOptions: DeviceOptions

  func validate() throws {
    guard seconds >= 0, seconds.isFinite else { throw ValidationError("--seconds needs a number of at least 0.") }
    guard repeats >= 1 else { throw ValidationError("--repeats needs at least 1; received \(repeats).") }
    guard samples >= 1 else { throw ValidationError("--samples needs at least 1; received \(samples).") }
    if try chosenInstructionSet() != nil, deviceOptions.device != "cpu" {
      throw ValidationError("--instruction-set is for the device cpu; received '\(deviceOptions.device)'.")
    }
    for name in works { _ = try parsed(name) }
  }

  func run() throws {
    let backend = try makeBackend()
    let precision = precisionOption.chosen ?? .float32
    let bench = Bench(backend: backend, precision: precision, seconds: seconds, samples: samples, data: data)
    let chosen = try (works.isEmpty ? BenchmarkSelection.names : works).map { ($0, try parsed($0)) }
    var measurements: [String: [Measurement]] = [:]
    // Works alternate, so that a busy minute of the machine does not affect only one of them.
    for _ in 0..<repeats {
      for (name, work) in chosen {
        var result = try work.measure(bench)
        result.peakBytes = ResidentMemory.peak
        measurements[name, default: []].append(result)
      }
    }
    let table = BenchmarkTable(backend: backend)
    if !json { print(table.header) }
    for (name, work) in chosen {
      guard let result = Measurement.median(of: measurements[name] ?? []) else { continue }
      print(json ? try table.json(name, result) : table.row(name, work, result))
    }
  }

  private func makeBackend() throws -> any Backend {
    guard let instructionSet = try chosenInstructionSet() else { return try deviceOptions.makeBackend() }
    return CPUBackend(threads: deviceOptions.threadOptions.threads, instructionSet: instructionSet)
  }

  private func chosenInstructionSet() throws -> InstructionSet? {
    guard let instructionSet else { return nil }
    guard let found = InstructionSet.available.first(where: { $0.description == instructionSet }) else {
      let names = InstructionSet.available.map(\.description).joined(separator: ", ")
      throw ValidationError("this machine has no instruction set '\(instructionSet)'. It has: \(names).")
    }
    return found
  }

  private func parsed(_ name: String) throws -> any BenchmarkWork {
    for type in BenchmarkSelection.kinds {
      if let work = type.init(name: name) { return work }
    }
    throw ValidationError("'\(name)' is no work; 'accelerando help benchmark' says how they are named.")
  }
}

/// The works that are measured by default.
enum BenchmarkSelection {
  static let kinds: [any BenchmarkWork.Type] = [
    TrainingWork.self, PredictionWork.self, LatencyWork.self, MemoryWork.self, DispatchWork.self, ProductWork.self,
    SparseWork.self, ConvolutionWork.self,
  ]

  static let names = [
    "train/cnn/32", "train/cnn/256", "train/mlp/32", "train/mlp/256", "predict/cnn/256", "latency/mlp", "latency/cnn",
    "dispatch", "train/vgg/64", "train/wide-mlp/128", "train/residual/32", "train/transformer/32", "train/separable/32",
    "train/odd-mlp/19", "train/odd-cnn/21", "product/64x64x64", "product/512x512x512", "product/2048x2048x2048",
    "product/32x784x128", "product/784x32x128/at", "product/32x128x784/bt", "convolution/64x28x28x1-32/forward",
    "convolution/64x16x16x64-64/forward", "convolution/64x16x16x64-64/backward-data",
    "convolution/64x16x16x64-64/backward-weights",
  ]
}

/// How measurements are printed.
struct BenchmarkTable {
  let backend: any Backend

  private var engine: CPUBackend? { backend as? CPUBackend }

  var header: String {
    let place = engine.map { "\($0.threads) threads with \($0.instructionSet)" } ?? backend.name
    return "On \(place); medians.\n" + pad("work", 46) + lead("time", 14) + lead("", 16) + "  note"
  }

  func row(_ name: String, _ work: any BenchmarkWork, _ result: Measurement) -> String {
    let flops = work.flops.map(Double.init) ?? result.productFlops
    let rate = flops.map { String(format: "%.1f GFLOP/s", $0 / result.seconds * 1e-9) } ?? ""
    var notes: [String] = []
    if let accuracy = result.accuracy { notes.append(String(format: "accuracy %.3f", accuracy)) }
    if let loss = result.loss { notes.append(String(format: "loss %.3f", loss)) }
    if let form = result.form { notes.append(form) }
    if work is MemoryWork { notes.append("peak \(result.peakBytes >> 20) MiB") }
    return pad(name, 46) + lead(duration(result.seconds) + "/" + work.unit, 14) + lead(rate, 16) + "  "
      + notes.joined(separator: ", ")
  }

  func json(_ name: String, _ result: Measurement) throws -> String {
    let line = Line(
      work: name, device: backend.name, threads: engine?.threads, instructionSet: engine?.instructionSet.description,
      measurement: result)
    return try JSON(encoding: line, snakeCase: true).text()
  }

  private struct Line: Encodable {
    let work: String
    let device: String
    let threads: Int?
    let instructionSet: String?
    let measurement: Measurement

    enum Keys: String, CodingKey { case work, device, threads, instructionSet }

    func encode(to encoder: any Encoder) throws {
      try measurement.encode(to: encoder)
      var container = encoder.container(keyedBy: Keys.self)
      try container.encode(work, forKey: .work)
      try container.encode(device, forKey: .device)
      try container.encodeIfPresent(threads, forKey: .threads)
      try container.encodeIfPresent(instructionSet, forKey: .instructionSet)
    }
  }

  private func duration(_ seconds: Double) -> String {
    switch seconds {
    case ..<1e-3: String(format: "%.2f µs", seconds * 1e6)
    case ..<1: String(format: "%.3f ms", seconds * 1e3)
    default: String(format: "%.3f s", seconds)
    }
  }

  private func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(width - text.count, 1))
  }

  private func lead(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(width - text.count, 1)) + text
  }
}
