// The parts of the library where memory errors and data races could be: the kernels in C in every instruction set, executions on
// a team of threads, batches that are shared, data that are prefetched, files that are mapped. Scripts/sanitize.sh builds this
// program with a sanitizer and runs it; wrong results are reported too.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoFormats
import AccelerandoFuzz
import AccelerandoTestSupport
import AccelerandoTrain
import Foundation

func tell(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }

/// A backend whose batches are shared by threads.
func shared(_ threads: Int) -> SharedBackend {
  let engine = CPUBackend(threads: threads, sharing: .always)
  return SharedBackend(common: engine, local: CPUBackend(sharing: .never), team: engine.team)
}

var failures = 0
@MainActor func check(_ failure: String?) {
  guard let failure else { return }
  failures += 1
  tell("FAILED: \(failure)")
}

// As much as is asked for: 1 is what continuous integration has time for.
let effort = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 1

/// Every operation in every type and instruction set, on three threads.
@MainActor func runOperations() {
  for entry in OperationCatalog.entries {
    for instructions in InstructionSet.available {
      let backend = CPUBackend(threads: 3, instructionSet: instructions, sharing: .always)
      for failure in conformance(of: backend, to: entry, rounds: effort) { check(failure) }
    }
  }
}

/// Random programs with gradients, loops and state that is updated in place.
@MainActor func runPrograms() throws {
  for seed in 0..<UInt64(30 * effort) {
    let example = try ProgramExample(seed: seed, differentiates: seed % 2 == 0, updatesInputs: seed % 3 == 0)
    check(compareRuns(example, on: CPUBackend(threads: 3, sharing: .always), runs: 2))
  }
}

/// Random networks, trained on teams of threads and by workers, with data that another thread prepares.
@MainActor func runNetworks() throws {
  for seed in 0..<UInt64(15 * effort) {
    let network = try RandomNetwork(seed: seed)
    let backends: [any Backend] = [
      CPUBackend(threads: 3, sharing: .always), CPUBackend(threads: 2), shared(1), shared(3),
    ]
    for backend in backends {
      let model = try network.model(on: backend)
      let data = try network.data
      do {
        try model.fit(
          data.prefetched(2), epochs: 2, batchSize: network.batchSize, validation: data, verbose: .silent)
        _ = try model.predict(Dataset(features: network.features), batchSize: 3)
      } catch let error as TrainingError where backend is SharedBackend {
        tell("network \(seed) is not shared: \(error)")
      }
    }
  }
}

/// Models in use on several threads at once, while others train on the same team.
@MainActor func runThreads() throws {
  let network = try RandomNetwork(seed: 3)
  let model = try network.model(on: CPUBackend(threads: 2))
  let classify = try model.inferenceFunction()
  let sample = try network.features.map { try $0.rows(0..<1) }
  let copies = try (0..<3).map { _ in try classify.copy() }
  let group = DispatchGroup()
  for copy in copies {
    nonisolated(unsafe) let function = copy
    DispatchQueue.global().async(group: group) {
      for _ in 0..<50 { _ = try? function(sample) }
    }
  }
  try network.model(on: CPUBackend(threads: 2, sharing: .always)).fit(
    try network.data, epochs: 3, batchSize: network.batchSize, verbose: .silent)
  check(group.wait(timeout: .now() + 300) == .success ? nil : "inference did not end")
}

/// Files that are written and read again, mapped where they are large.
@MainActor func runFiles() throws {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("sanitized-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  let arrays = [("a", NDArray((0..<50_000).map { Float($0) })), ("b", NDArray([UInt8](repeating: 7, count: 999)))]
  try Safetensors.write(arrays.map { (name: $0.0, value: $0.1) }, to: folder.appendingPathComponent("x.safetensors"))
  try NPZ.write(
    arrays.map { (name: $0.0, value: $0.1) }, to: folder.appendingPathComponent("x.npz"), compressed: true)
  let tensors = try Safetensors.read(folder.appendingPathComponent("x.safetensors")).tensors
  let members = try NPZ.read(folder.appendingPathComponent("x.npz"))
  for (name, value) in arrays {
    check(tensors.first { $0.name == name }?.value == value ? nil : "safetensors \(name)")
    check(members.first { $0.name == name }?.value == value ? nil : "npz \(name)")
  }
}

tell("operations")
runOperations()
tell("programs")
try runPrograms()
tell("networks")
try runNetworks()
tell("threads")
try runThreads()
tell("files")
try runFiles()
tell(failures == 0 ? "all well" : "\(failures) failures")
exit(failures == 0 ? 0 : 1)
