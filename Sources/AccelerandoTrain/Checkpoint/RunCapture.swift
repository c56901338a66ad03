// Capturing a training run in a checkpoint, and restoring it. All state of the model is captured by name, so that
// nothing here needs to know what there is: any state is found again.

import AccelerandoCore
import AccelerandoNN

/// A callback that keeps checkpoints. The training loop calls it after all other callbacks.
protocol CheckpointKeeper: Callback {
  /// The checkpoint to resume from; nil to start from the beginning. Called before anything else.
  func restoration(_ run: TrainingRun) throws -> Checkpoint?
  /// Called before the first step of this call of `fit`.
  func runBegins(_ run: TrainingRun, _ capture: () throws -> Checkpoint) throws
  /// Called after `count` steps; `capture` returns the current checkpoint.
  func stepsEnded(_ count: Int, _ run: TrainingRun, _ capture: () throws -> Checkpoint) throws
  /// Called after an epoch, when it is in the history.
  func epochEnded(_ run: TrainingRun, isLast: Bool, _ capture: () throws -> Checkpoint) throws
  /// Called when training ends with an error: finish writing.
  func failed()
}

extension TrainingRun {
  /// The names of callbacks in a checkpoint: their types, with numbers if there are several of one.
  static func names(of callbacks: [any Callback]) -> [String] {
    var counts: [String: Int] = [:]
    return callbacks.map { callback in
      let type = String(describing: type(of: callback))
      counts[type, default: 0] += 1
      let count = counts[type] ?? 1
      return count > 1 ? "\(type) \(count)" : type
    }
  }

  /// The states of callbacks, with their names.
  func callbackStates(_ callbacks: [any Callback]) throws -> [(name: String, state: CallbackState)] {
    try zip(Self.names(of: callbacks), callbacks).compactMap { name, callback in
      try callback.checkpointState(self).map { (name, $0) }
    }
  }

  /// Restores the contents of a checkpoint, except the loop's position in the data.
  /// - Throws: `TrainingError` when the run is another one than the checkpoint's.
  func restore(_ checkpoint: Checkpoint, settings: [RunSetting], callbacks: [any Callback]) throws {
    let differences = RunSetting.differences(checkpoint.settings, "in the checkpoint", settings, "now")
    guard differences.isEmpty else {
      throw TrainingError(
        "the run cannot resume from the checkpoint, since its settings differ:\(differences)\n"
          + "Give it the settings that it began with, or begin another run in another directory.")
    }
    try model.restore(checkpoint.state)
    history = checkpoint.history
    stopsTraining = checkpoint.position.stops
    isResumed = true
    if stepsPerEpoch == nil { stepsPerEpoch = history.epochs.last?.steps }
    epoch = checkpoint.position.epoch
    stepsDone = checkpoint.position.step
    isInsideEpoch = checkpoint.position.isInsideEpoch
    let known = Dictionary(zip(Self.names(of: callbacks), callbacks), uniquingKeysWith: { first, _ in first })
    for (name, state) in checkpoint.callbacks {
      if let callback = known[name] {
        restoredStates[ObjectIdentifier(callback)] = state
      } else {
        say("The checkpoint has the state of a callback \(name), which this run does not have.")
      }
    }
  }
}

extension Model {
  /// A copy of all state on the device.
  func state() throws -> Store {
    var values: [String: NDArray] = [:]
    return try session.snapshot(into: &values)
  }

  /// Sets all state on the device.
  /// - Throws: `StoreMismatch` when it belongs to another model or optimizer; nothing is changed then.
  func restore(_ state: Store) throws {
    _ = try compiled()
    try prepareValues()
    try session.restore(state)
  }
}

extension Session {
  /// A copy of all state tensors, by name, in the memory of an earlier one that nobody else uses any more.
  func snapshot(into values: inout [String: NDArray]) throws -> Store {
    _ = try copy(into: &values, limit: .max)
    return Store(values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
  }

  /// Training waits for this, so memory is gone through once where that can be.
  static func copy(_ buffer: any Buffer) throws -> NDArray {
    guard let host = buffer as? any HostBuffer else { return try buffer.read() }
    return try NDArray(bytes: UnsafeRawBufferPointer(host.memory), type: host.type)
  }

  /// Sets all tensors that live from step to step.
  func restore(_ store: Store) throws {
    let store = Store(store.entries.map { StateName.migrated(total: $0.0, $0.1) ?? $0 })
    // The totals are made when the first step is compiled; they come and go with it.
    var types = buffers.filter { !StateName.isTotal($0.key) }
      .map { (name: $0.key, type: $0.value.type) }.sorted { $0.name < $1.name }
    // A weight that the model does not have is an error; other state may belong to a rule that is added later.
    let known = Set(types.map(\.name))
    types += store.entries.filter { name, _ in
      !known.contains(name) && !name.hasPrefix("parameter/") && !name.hasPrefix("slot/")
    }.map { ($0.0, $0.1.type) }
    if let mismatch = store.mismatch(with: types) { throw mismatch }
    for (name, value) in store.entries { try set(name, value) }
  }
}
