// A checkpoint as one text and one set of tensors, and back. Numbers are written so that they are read with the same
// bits.

import AccelerandoCore
import AccelerandoNN

extension Checkpoint {
  /// Everything but the tensors.
  var config: Config {
    Config([
      "iteration": Config(.int(iteration)),
      "position": position.config,
      "settings": Config(.object(settings.map { Config.Entry($0.name, Config(.string($0.value))) })),
      "callbacks": Config(
        .array(callbacks.map { Config(["name": Config(.string($0.name)), "state": $0.state.settings]) })),
      "history": Config(.array(history.epochs.map(\.config))),
    ])
  }

  /// The tensors: those of the run, and those of callbacks by their index in the list.
  var tensors: Store {
    var result = Store(state.entries.map { (Self.statePrefix + $0.0, $0.1) })
    for (index, callback) in callbacks.enumerated() {
      for (name, value) in callback.state.tensors.entries { result[Self.prefix(ofCallback: index) + name] = value }
    }
    return result
  }

  private static let statePrefix = "state/"
  private static func prefix(ofCallback index: Int) -> String { "callback/\(index)/" }

  /// Assembles a checkpoint.
  /// - Throws: `ConfigError` or `TrainingError` when something is missing or is not a number.
  init(_ config: Config, tensors: Store) throws {
    let reader = try ConfigReader(config, subject: "the checkpoint")
    iteration = try reader.int("iteration")
    position = try TrainingPosition(reader.required("position"))
    guard case .object(let entries) = try reader.required("settings").value else {
      throw ConfigError("the checkpoint: 'settings' needs an object.", at: config.location)
    }
    settings = entries.map { entry in
      guard case .string(let text) = entry.value.value else { return RunSetting(entry.key, entry.value.summary) }
      return RunSetting(entry.key, text)
    }
    history = History()
    history.epochs = try reader.array("history").map(EpochRecord.init)
    func part(_ prefix: String) -> Store {
      Store(tensors.entries.filter { $0.0.hasPrefix(prefix) }.map { (String($0.0.dropFirst(prefix.count)), $0.1) })
    }
    state = part(Self.statePrefix)
    callbacks = try reader.array("callbacks").enumerated().map { index, value in
      let callback = try ConfigReader(value, subject: "a callback of the checkpoint")
      return (
        try callback.string("name"),
        CallbackState(try callback.required("state"), tensors: part(Self.prefix(ofCallback: index)))
      )
    }
    try reader.finish()
  }
}

extension TrainingPosition {
  fileprivate var config: Config {
    Config([
      "epoch": Config(.int(epoch)), "inside_epoch": Config(.bool(isInsideEpoch)), "step": Config(.int(step)),
      "seconds": Config(.double(seconds)), "next_pass": Config(.int(nextPass)),
      "pass_step": passStep.map { Config(.int($0)) }, "stops": Config(.bool(stops)),
      "finished": Config(.bool(isFinished)),
    ])
  }

  fileprivate init(_ config: Config) throws {
    let reader = try ConfigReader(config, subject: "the position")
    func count(_ key: String) throws -> Int {
      let number = try reader.int(key)
      guard number >= 0 else {
        throw ConfigError("the position: '\(key)' is at least 0; received \(number).", at: config.location)
      }
      return number
    }
    let seconds = try reader.number("seconds") ?? 0
    self.init(
      epoch: try count("epoch"), isInsideEpoch: try reader.bool("inside_epoch", default: false),
      step: try count("step"), seconds: seconds.isFinite ? min(max(seconds, 0), 1e9) : 0,
      nextPass: try count("next_pass"),
      passStep: try reader.has("pass_step") ? count("pass_step") : nil,
      stops: try reader.bool("stops", default: false), isFinished: try reader.bool("finished", default: false))
    try reader.finish()
  }
}

extension EpochRecord {
  fileprivate var config: Config {
    let logs = logs.sorted { $0.key < $1.key }.map { Config.Entry($0.key, Config(.double($0.value))) }
    return Config([
      "epoch": Config(.int(epoch)), "steps": Config(.int(steps)), "seconds": Config(.double(seconds)),
      "validation_seconds": validationSeconds.map { Config(.double($0)) }, "logs": Config(.object(logs)),
    ])
  }

  fileprivate init(_ config: Config) throws {
    let reader = try ConfigReader(config, subject: "an epoch of the history")
    guard case .object(let entries) = try reader.required("logs").value else {
      throw ConfigError("an epoch of the history: 'logs' needs an object.", at: config.location)
    }
    let numbers = try ConfigReader(try reader.required("logs"), subject: "the numbers of an epoch")
    self.init(
      epoch: try reader.int("epoch"), steps: try reader.int("steps"), seconds: try reader.number("seconds") ?? 0,
      validationSeconds: try reader.number("validation_seconds"),
      logs: Dictionary(
        try entries.map { ($0.key, try numbers.number($0.key) ?? 0) }, uniquingKeysWith: { first, _ in first }))
    try reader.finish()
  }
}

extension ConfigReader {
  /// A number, if it is set: NaN and infinities, which JSON lacks, are stored as text.
  func number(_ key: String) throws -> Double? {
    if case .string(let text)? = value(key)?.value, let number = Double(text) { return number }
    return try optionalDouble(key)
  }
}
