// Options that several commands share.

import Accelerando
import AccelerandoRecipes
import ArgumentParser
import Foundation

struct DataOptions: ParsableArguments {
  @Option(help: "The directory with the data, or 'sample' for the bundled part of Fashion-MNIST.")
  var data: String?

  @Option(help: "Take only the first so many samples of each part.")
  var limit: Int?

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit needs at least 1; received \(limit).") }
  }

  func load(_ recipe: Recipe) throws -> LoadedData {
    try recipe.data.load(in: recipe.directory, override: data.map(DataOverride.init), limit: limit)
  }
}

/// Options of commands that run on the engine for the processor alone.
struct ThreadOptions: ParsableArguments {
  @Option(help: "How many threads compute; as many as there are cores by default. Results do not depend on it.")
  var threads: Int?

  func validate() throws {
    if let threads, threads < 1 { throw ValidationError("--threads needs at least 1; received \(threads).") }
  }

  func makeCPUBackend() -> CPUBackend { CPUBackend(threads: threads) }
}

/// The option of commands that support several precisions.
struct PrecisionOption: ParsableArguments {
  @Option(
    help: "The element types to compute in: \(Precision.allCases.map(\.rawValue).joined(separator: ", ")).")
  var precision: String?

  func validate() throws {
    if let precision, Precision(rawValue: precision) == nil {
      throw ValidationError(
        "--precision is one of \(Precision.allCases.map(\.rawValue).joined(separator: ", ")); received '\(precision)'.")
    }
  }

  /// The given precision; nil if there is none.
  var chosen: Precision? { precision.flatMap(Precision.init(rawValue:)) }
}

/// Options of commands that run on any device.
struct DeviceOptions: ParsableArguments {
  @Option(
    help: """
      Where the model lives: cpu, xla-cpu, cuda, cuda:1, tpu, …; 'accelerando devices' lists them. Several share every \
      batch: cuda:0-3, tpu:0,2.
      """)
  var device: String = "cpu"

  @Option(
    help: """
      Divide every batch among so many threads. Any number comes to the same bits, and so does any number of processes: \
      mpirun -np 2 accelerando train … .
      """)
  var workers: Int?

  @OptionGroup var threadOptions: ThreadOptions

  func validate() throws {
    if let workers, !(1...256).contains(workers) {
      throw ValidationError("--workers is 1 to 256; received \(workers).")
    }
    if workers != nil, device != "cpu" { throw ValidationError("--workers share the processor; name devices instead.") }
  }

  /// - Parameter joinsProcesses: whether the command knows how to work as one of several processes; others would all
  ///   print and write the same.
  func makeBackend(joinsProcesses: Bool = false) throws -> any Backend {
    if MPIGroup.isLaunched {
      guard joinsProcesses else {
        throw WorkerError("processes of mpirun train together, and only that: start this command without mpirun.")
      }
      guard device == "cpu" else {
        throw WorkerError(
          "processes of mpirun share batches on the processor; --device \(device) cannot be used with it.")
      }
      return try Strategy.multiWorker(threads: workers ?? threadOptions.threads).makeBackend()
    }
    if let workers { return try Strategy.mirrored(workers: workers).makeBackend() }
    let devices = try Device.list(device)
    if devices.count > 1 { return try Strategy.mirrored(devices: devices).makeBackend() }
    return try Device(device).makeBackend(threads: threadOptions.threads)
  }
}

/// Writes a line to standard error: what a person may want to know and no script reads.
func tell(_ text: String) {
  FileHandle.standardError.write(Data("\(text)\n".utf8))
}
