// Options that several commands share.

import Accelerando
import AccelerandoRecipes
import ArgumentParser
import Foundation

struct DataOptions: ParsableArguments {
  @Option(help: "The directory with the data, an NPZ file, or 'sample' for the bundled part of Fashion-MNIST.")
  var data: String?

  @Option(parsing: .unconditional, help: "Use only the first N samples of each split.")
  var limit: Int?

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit needs at least 1; received \(limit).") }
  }

  /// Where the user wants the data to come from; nil for where the recipe says.
  var override: DataOverride? { data.map(DataOverride.init) }

  /// - Parameter stage: what turned the columns of a trained model's data into its inputs; nil for a new model.
  func load(_ recipe: Recipe, stage: DataStage? = nil) throws -> LoadedData {
    let loaded = try recipe.data.load(in: recipe.directory, override: override, limit: limit, stage: stage)
    for note in loaded.notes { tell(note) }
    return loaded
  }

  /// What a model is measured on: the part for validation, or what it was trained on where there is none.
  /// - Parameter stage: what turned the columns of the model's data into its inputs.
  func loadForEvaluation(_ recipe: Recipe, stage: DataStage?) throws -> LabelledArrays {
    let (samples, notes) = try recipe.data.loadForEvaluation(
      in: recipe.directory, override: override, limit: limit, stage: stage)
    for note in notes { tell(note) }
    return samples
  }
}

/// Options of commands that run on the engine for the processor alone.
struct ThreadOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: "The number of threads; one per core by default. Results do not depend on it.")
  var threads: Int?

  func validate() throws {
    if let threads, !(1...256).contains(threads) {
      throw ValidationError("--threads needs a number from 1 to 256; received \(threads).")
    }
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
      The device to run on: cpu, xla-cpu, cuda, cuda:1, tpu, …; 'accelerando devices' lists them. Several share every \
      batch: cuda:0-3, tpu:0,2.
      """)
  var device: String = "cpu"

  @Option(
    parsing: .unconditional,
    help: """
      Share every batch among this many threads. Any number of threads gives the same bits, and so does any number of \
      processes: mpirun -np 2 accelerando train … .
      """)
  var workers: Int?

  @OptionGroup var threadOptions: ThreadOptions

  func validate() throws {
    if let workers, !(1...256).contains(workers) {
      throw ValidationError("--workers is 1 to 256; received \(workers).")
    }
    if workers != nil, threadOptions.threads != nil {
      throw ValidationError(
        "--workers says how many threads share a batch, so --threads has no effect with it: give one of the two.")
    }
    if threadOptions.threads != nil, device != "cpu" {
      throw ValidationError("--threads is for the engine of --device cpu; \(device) has its own.")
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

/// Refuses a count below the smallest one, and of epochs and steps more than there can be: steps are counted in 32 bits.
/// - Parameters:
///   - least: the smallest number.
///   - most: the largest; nil for any.
func checkCount(_ option: String, _ count: Int?, least: Int = 1, most: Int? = Int(Int32.max)) throws {
  guard let count, count < least || count > most ?? .max else { return }
  let range = most.map { "a whole number from \(least) to \($0)" } ?? "at least \(least)"
  throw ValidationError("\(option) needs \(range); received \(count).")
}
