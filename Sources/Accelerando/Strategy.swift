// Where a model is computed: on one device, or on several workers that share every batch with the result of one.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoMPI
import AccelerandoNN
import AccelerandoTrain
import AccelerandoXLA

/// How the work of a model is shared.
public struct Strategy: Hashable, Sendable {
  private enum Kind: Hashable {
    case cores(Int?)
    case processes(Int?, bucketBytes: Int)
    case devices([Device])
  }

  private let kind: Kind

  /// Everything on one device.
  public static func oneDevice(_ device: Device) -> Strategy { Strategy(kind: .devices([device])) }

  /// Devices of one platform share every batch, split as evenly as possible: `Device.cuda(0), Device.cuda(1)`, …. Each
  /// has all weights; gradients are summed over the devices, with the same weight for each sample, so that the result
  /// is that of one device up to the order of sums.
  public static func mirrored(devices: [Device]) -> Strategy { Strategy(kind: .devices(devices)) }

  /// Threads of this process share every batch; nil for one per core. The result has the same bits for any number, and
  /// for any number of processes with `multiWorker`. (Without a strategy the cores share batches too, faster, and with
  /// sums in another order.)
  public static func mirrored(workers: Int? = nil) -> Strategy { Strategy(kind: .cores(workers)) }

  /// The processes that mpirun has started, on one machine or several, share every batch, and within each process its
  /// threads. A process that was not started by mpirun works alone, with the same bits.
  ///
  /// Gradients are sent to the other processes in buckets, while the rest is computed.
  /// - Parameters:
  ///   - threads: the number of threads of each process; nil for its share of the cores.
  ///   - bucketBytes: the least size of a bucket. Smaller buckets are sent earlier, and each costs a message.
  public static func multiWorker(threads: Int? = nil, bucketBytes: Int = 1 << 20) -> Strategy {
    Strategy(kind: .processes(threads, bucketBytes: bucketBytes))
  }

  /// Opens the devices or starts the workers of the strategy.
  /// - Parameter cache: where programs compiled for devices are kept between processes.
  /// - Throws: `DeviceError` that says what is missing and how to fix it, and for devices that cannot work together;
  ///   `WorkerError` when Open MPI is missing.
  public func makeBackend(cache: CompileCache? = .current()) throws -> any Backend {
    switch kind {
    case .cores(let count):
      if let count, !(1...256).contains(count) {
        throw WorkerError("a model has 1 to 256 workers; received \(count).")
      }
      return Self.shared(count ?? CPUBackend().threads, SoleWorker())
    case .processes(let threads, let bucketBytes):
      guard MPIGroup.isLaunched else { return Self.shared(threads ?? CPUBackend().threads, SoleWorker()) }
      let group = try MPIGroup.join()
      return Self.shared(threads ?? group.cores, group, bucketBytes: bucketBytes)
    case .devices(let devices):
      guard let first = devices.first else {
        throw DeviceError(.noDevice, "a strategy needs at least one device", remedy: "'accelerando devices' lists them")
      }
      if devices.count == 1 { return try first.makeBackend(cache: cache) }
      guard devices.allSatisfy({ $0.platform == first.platform }), first.platform != "cpu" else {
        throw DeviceError(
          .noDevice,
          "devices that share a batch are of one platform other than cpu; received "
            + devices.map(\.description).joined(separator: ", "),
          remedy: "The engine for the processor uses all of its cores as one device")
      }
      return try XLABackend.open(
        first.platform == "xla-cpu" ? "cpu" : first.platform, indices: devices.map(\.index), cache: cache)
    }
  }
}

extension Strategy {
  private static func shared(
    _ threads: Int, _ group: any WorkerGroup, bucketBytes: Int = 1 << 20
  ) -> SharedBackend {
    let engine = CPUBackend(threads: threads, sharing: .always)
    return SharedBackend(
      common: engine, local: CPUBackend(sharing: .never), team: engine.team, group: group,
      bucketBytes: bucketBytes)
  }
}

extension Model {
  /// Moves the model to the devices of a strategy.
  /// - Throws: `DeviceError` when they cannot be used; the model then stays where it was.
  public func move(to strategy: Strategy) throws { try move(to: strategy.makeBackend()) }

  /// Trains the model on the devices of a strategy; it stays there afterwards. See `fit` without a strategy for the
  /// others.
  @discardableResult
  public func fit(
    _ data: Dataset, strategy: Strategy, epochs: Int = 1, batchSize: Int = 32, validation: Dataset? = nil,
    validationSplit: Double = 0, shuffle: Bool = true, classWeights: [Int: Double]? = nil, initialEpoch: Int = 0,
    stepsPerEpoch: Int? = nil, callbacks: [any Callback] = [], verbose: Verbosity = .automatic
  ) throws -> History {
    try move(to: strategy)
    return try fit(
      data, epochs: epochs, batchSize: batchSize, validation: validation, validationSplit: validationSplit,
      shuffle: shuffle, classWeights: classWeights, initialEpoch: initialEpoch, stepsPerEpoch: stepsPerEpoch,
      callbacks: callbacks, verbose: verbose)
  }
}
