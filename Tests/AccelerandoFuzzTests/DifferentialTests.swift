// One network, many ways to compute it: they must agree. The engine for the processor with one thread and with several, a
// batch that is shared by workers, XLA's compiler, and plain loops in Double for small networks.
//
// A few cases run with every test; FUZZ_CASES=1000 FUZZ_SEED=7 asks for more and for others, as Scripts/fuzz.sh does.
// FUZZ_DUMP names a folder where cases are left for Scripts/fuzz_keras.py.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoFormats
import AccelerandoFuzz
import AccelerandoNN
import AccelerandoTestSupport
import AccelerandoTrain
import AccelerandoXLA
import Foundation
import Testing

/// What the environment asks for.
private enum Wanted {
  private static let environment = ProcessInfo.processInfo.environment
  static let cases = environment["FUZZ_CASES"].flatMap { Int($0) }
  static let firstSeed = environment["FUZZ_SEED"].flatMap { UInt64($0) } ?? 0
  static let dump = environment["FUZZ_DUMP"].map { URL(fileURLWithPath: $0) }

  static func seeds(_ few: Int) -> [UInt64] { (0..<UInt64(cases ?? few)).map { firstSeed + $0 } }
}

/// What a training comes to.
private struct Outcome: Equatable {
  let weights: Store
  let logs: [Logs]
  let prediction: NDArray

  init(_ network: RandomNetwork, on backend: any Backend) throws {
    let model = try network.model(on: backend)
    let data = try network.data
    let history = try model.fit(
      data, epochs: 2, batchSize: network.batchSize, validation: data, verbose: .silent)
    weights = try model.weights()
    logs = history.epochs.map(\.logs)
    prediction = try model.predict(Dataset(features: network.features), batchSize: network.batchSize)
  }

  /// The same bits; a NaN is equal to itself.
  func isSame(as other: Outcome) -> Bool {
    func bits(_ logs: Logs) -> [String: UInt64] { logs.mapValues(\.bitPattern) }
    return weights == other.weights && prediction == other.prediction && logs.map(bits) == other.logs.map(bits)
  }
}

/// The gradient of every weight at the first step of the whole data set, by a step of plain descent with rate 1.
private struct Gradients {
  let values: [(name: String, elements: [Double])]
  let loss: Double

  init(_ network: RandomNetwork, on backend: any Backend) throws {
    let model = try network.model(on: backend, optimizer: .sgd(1))
    let before = try model.weights()
    let history = try model.fit(
      try network.data, batchSize: network.labels.shape[0], shuffle: false, verbose: .silent)
    let after = try model.weights()
    loss = history["loss"].first ?? .nan
    values = before.entries.map { name, value in
      let moved = after[name]?.elements(as: Double.self) ?? []
      return (name, zip(value.elements(as: Double.self), moved).map { $0 - $1 })
    }
  }

  /// How far the gradients of two lie apart, measured by the largest of all, and the weight where they differ most. The step
  /// is taken off weights of some size, which rounds it.
  func distance(to other: Gradients) -> (distance: Double, name: String) {
    let size = values.flatMap(\.elements).map(abs).max() ?? 0
    var worst = (distance: abs(loss - other.loss) / max(1, abs(loss)), name: "loss")
    for (a, b) in zip(values, other.values) {
      let difference = zip(a.elements, b.elements).map { abs($0 - $1) }.max() ?? 0
      let distance = difference / max(size, 0.01)
      if !(distance <= worst.distance) { worst = (distance, a.name) }
    }
    return worst
  }

  var isFinite: Bool { loss.isFinite && abs(loss) < 1e4 && values.allSatisfy { $0.elements.allSatisfy(\.isFinite) } }
}

private func shared(_ threads: Int) -> SharedBackend {
  let engine = CPUBackend(threads: threads, sharing: .always)
  return SharedBackend(common: engine, local: CPUBackend(sharing: .never), team: engine.team)
}

private let xlaBackends: [XLABackend] = PluginSearch.current().plugins().filter {
  $0.platform == "cpu" || $0.name.hasPrefix("cpu")
}.compactMap { plugin in
  try? XLABackend(
    try Client.shared(try Plugin.load(plugin.path), options: ["cpu_device_count": .integer(1)]))
}

@Suite(.serialized) struct DifferentialTests {
  @Test func everyLayerOfTheCatalogIsDrawn() throws {
    let undrawn = try RandomNetwork.undrawnLayers()
    #expect(undrawn.isEmpty, "RandomNetwork.swift needs a rule for \(undrawn.sorted())")
  }

  @Test(arguments: Wanted.seeds(30))
  func anyNumberOfThreadsComesToTheSameBits(_ seed: UInt64) throws {
    let network = try RandomNetwork(seed: seed)
    let alone = try Outcome(network, on: CPUBackend(threads: 1))
    for backend in [CPUBackend(threads: 2, sharing: .always), CPUBackend(threads: 3, sharing: .always)] {
      #expect(try Outcome(network, on: backend).isSame(as: alone), "\(network)")
    }
  }

  @Test(arguments: Wanted.seeds(15))
  func anyNumberOfWorkersComesToTheSameBits(_ seed: UInt64) throws {
    let network = try RandomNetwork(seed: seed)
    let alone: Outcome
    do {
      alone = try Outcome(network, on: shared(1))
    } catch let error as TrainingError {
      // What cannot be shared is said in words, the same for any number.
      #expect(throws: TrainingError.self, "\(network)\n\(error)") { _ = try Outcome(network, on: shared(2)) }
      return
    }
    for workers in [2, 3] { #expect(try Outcome(network, on: shared(workers)).isSame(as: alone), "\(network)") }
  }

  @Test(arguments: Wanted.seeds(30))
  func gradientsAreThoseOfPlainLoopsInDouble(_ seed: UInt64) throws {
    let network = try RandomNetwork(seed: seed)
    let exact = try Gradients(network, on: ReferenceBackend(exact: true))
    guard exact.isFinite else { return }
    let (distance, name) = exact.distance(to: try Gradients(network, on: CPUBackend(threads: 2)))
    #expect(distance < 2e-3, "\(name) differs by \(distance)\n\(network)")
  }

  @Test(.enabled(if: !xlaBackends.isEmpty, "no PJRT plugin for the CPU is on this machine"), arguments: Wanted.seeds(4))
  func gradientsAreThoseOfXLA(_ seed: UInt64) throws {
    let network = try RandomNetwork(seed: seed)
    let own = try Gradients(network, on: CPUBackend(threads: 2))
    guard own.isFinite else { return }
    for backend in xlaBackends {
      let (distance, name) = own.distance(to: try Gradients(network, on: backend))
      #expect(distance < 2e-3, "\(backend.client.plugin.path): \(name) differs by \(distance)\n\(network)")
    }
  }

  @Test(.enabled(if: Wanted.dump != nil), arguments: Wanted.seeds(0))
  func casesAreLeftForOtherPrograms(_ seed: UInt64) throws {
    let network = try RandomNetwork(seed: seed)
    guard let folder = Wanted.dump?.appendingPathComponent("case-\(seed)") else { return }
    let gradients = try Gradients(network, on: CPUBackend(threads: 2))
    guard gradients.isFinite else { return }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data(network.recipe.json.utf8).write(to: folder.appendingPathComponent("recipe.json"))
    let model = try network.model(on: CPUBackend(threads: 1))
    try NPZ.write(
      network.features.enumerated().map { ("x\($0.offset)", $0.element) } + [("y", network.labels)],
      to: folder.appendingPathComponent("data.npz"))
    let weights = try model.weights()
    try NPZ.write(weights.entries.map { ($0.0, $0.1) }, to: folder.appendingPathComponent("weights.npz"))
    try NPZ.write(
      gradients.values.map { name, elements in
        (name, try NDArray(elements, shape: weights[name]?.shape ?? [elements.count]))
      } + [("loss", NDArray(scalar: gradients.loss))], to: folder.appendingPathComponent("gradients.npz"))
    let outcome = try Outcome(network, on: CPUBackend(threads: 2))
    try NPZ.write([("prediction", outcome.prediction)], to: folder.appendingPathComponent("trained.npz"))
  }
}
