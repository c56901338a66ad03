// Evaluates with the running means of the weights, while training goes on with the weights themselves.

import AccelerandoNN

/// Exchanges the weights with their running means for validation, and back afterwards. The optimizer has to keep the means:
/// `.adam().averagingWeights()`, or `use_ema: true`.
public final class SwapEMAWeights: Callback {
  private let swapsOnEpoch: Bool

  /// Makes the callback.
  /// - Parameter swapsOnEpoch: whether the means are in place of the weights between epochs too, for callbacks that come
  ///   later in the list, such as `ModelCheckpoint`.
  public init(swapsOnEpoch: Bool = false) { self.swapsOnEpoch = swapsOnEpoch }

  public var addedLogs: [String]? { [] }

  public var courseSettings: Config? { Config(["swap_on_epoch": Config(.bool(swapsOnEpoch))]) }

  public func check(_ run: TrainingRun) throws {
    guard try run.model.keepsAverages else {
      throw TrainingError(
        "SwapEMAWeights needs an optimizer that keeps running means of weights, and the model's keeps none. Set use_ema, or "
          + "write .adam().averagingWeights().")
    }
  }

  public func onTrainBegin(_ run: TrainingRun) throws {
    guard let state = run.restoredState(of: self) else { return }
    run.model.holdsAverages = try ConfigReader(state.settings, subject: "the state of SwapEMAWeights")
      .bool("swapped", default: false)
  }

  public func checkpointState(_ run: TrainingRun) -> CallbackState? {
    CallbackState(Config(["swapped": Config(.bool(run.model.holdsAverages))]))
  }

  public func onEpochBegin(_ epoch: Int, _ run: TrainingRun) throws { try exchange(run, ifAverages: true) }

  public func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws {
    if swapsOnEpoch { try exchange(run, ifAverages: false) }
  }

  public func onValidationBegin(_ run: TrainingRun) throws { try exchange(run, ifAverages: false) }

  public func onValidationEnd(_ logs: Logs, _ run: TrainingRun) throws { try exchange(run, ifAverages: true) }

  /// Exchanges weights and means if the means are, or are not, in place of the weights.
  private func exchange(_ run: TrainingRun, ifAverages: Bool) throws {
    if run.model.holdsAverages == ifAverages { try run.model.exchangeAverages() }
  }
}
