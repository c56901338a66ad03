// `train --inspect`: looks into the model now and then, says what is wrong, and leaves what it saw for reports.

import Accelerando
import AccelerandoReport
import Foundation

/// Looks into a model while it trains.
final class InspectionLog: Callback {
  private let data: Dataset
  private let batchSize: Int
  /// How many steps lie between two looks; nil for one look after each epoch.
  private let interval: Int?
  private let file: LogFile?
  private var inspector: ModelInspector?
  /// What has been said already.
  private var said: Set<String> = []

  /// - Parameters:
  ///   - data: the samples to look at the model with.
  ///   - interval: how many steps lie between two looks; nil for one look after each epoch.
  ///   - run: the directory that keeps what was seen; nil to keep nothing.
  /// - Throws: `FormatError` when the file cannot be written.
  init(_ data: Dataset, batchSize: Int, every interval: Int?, in run: URL?) throws {
    (self.data, self.batchSize, self.interval) = (data, batchSize, interval)
    file = try run.map { try LogFile($0.appendingPathComponent(InspectionRecord.file), continues: true) }
  }

  var stepInterval: Int? { interval }
  var isForOneWorker: Bool { true }
  var addedLogs: [String]? { [] }

  func onTrainBegin(_ run: TrainingRun) throws {
    inspector = try ModelInspector(run.model, on: data, batchSize: batchSize)
    guard let state = run.restoredState(of: self) else {
      try file?.cut(to: 0)
      return try look(run)
    }
    // What was seen after the checkpoint will be seen again.
    let length = try ConfigReader(state.settings, subject: "the record of looks into the model").int("length")
    if let file { try file.cut(to: min(max(length, 0), try file.length())) }
  }

  func checkpointState(_ run: TrainingRun) throws -> CallbackState? {
    CallbackState(
      Config(["length": Config(.int(try file?.length() ?? 0))]),
      files: file.map { [URL(fileURLWithPath: $0.path)] } ?? [])
  }

  func onTrainBatchEnd(_ step: Int, _ run: TrainingRun) throws {
    if let interval, run.totalSteps % interval == 0 { try look(run) }
  }

  func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws {
    if interval == nil { try look(run) }
  }

  private func look(_ run: TrainingRun) throws {
    guard let look = try inspector?.look() else { return }
    let step = try run.model.iteration()
    let record = InspectionRecord(
      step: step,
      layers: look.layers.map {
        InspectionRecord.Layer(
          // The model itself is around all of them.
          name: $0.path.dropFirst($0.path.count > 1 ? 1 : 0).joined(separator: " › "), mean: $0.mean,
          deviation: $0.deviation, zeros: $0.zeros, dead: $0.dead)
      },
      gradients: look.gradients.map { name, value in
        let elements = value.elements(as: Float.self)
        let squares = elements.reduce(0.0) { $0 + Double($1) * Double($1) }
        return InspectionRecord.Gradient(name: name, norm: squares.squareRoot(), histogram: Histogram(elements))
      })
    try file?.write(record.json + "\n")
    if let cause = look.cause { say("After step \(step): \(cause)", once: "cause", run) }
    for layer in record.layers where layer.dead ?? 0 > 0.5 {
      say(
        "After step \(step): \(Int(100 * (layer.dead ?? 0))) % of the units of \(layer.name) are 0 for every sample.",
        once: layer.name, run)
    }
    run.say("After step \(step): the norm of all gradients is \(String(format: "%.4g", record.gradientNorm)).")
  }

  private func say(_ text: String, once key: String, _ run: TrainingRun) {
    if said.insert(key).inserted { run.say(text) }
  }
}
