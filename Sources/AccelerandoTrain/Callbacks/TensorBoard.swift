// The numbers of every epoch where TensorBoard looks for them, under the names that Keras gives them.

import AccelerandoFormats
import AccelerandoNN
import Foundation

/// Writes event files for TensorBoard: `train` and `validation` below a directory, with tags like `epoch_loss`, and the learning rate
/// as `epoch_learning_rate`. The layers of the model are written as its graph and, if asked for, histograms of its weights.
public final class TensorBoard: Callback {
  private let directory: URL
  private let histogramFrequency: Int
  private let writesGraph: Bool
  private var name = ""
  private var training: EventFile?
  private var validation: EventFile?

  /// Makes the callback.
  /// - Parameters:
  ///   - directory: the directory of the runs; created if it does not exist.
  ///   - histogramFrequency: the number of epochs between histograms of the weights; 0 for none.
  ///   - writesGraph: whether to write the layers of the model as a graph.
  public init(_ directory: URL, histogramFrequency: Int = 0, writesGraph: Bool = true) {
    self.directory = directory
    self.histogramFrequency = max(histogramFrequency, 0)
    self.writesGraph = writesGraph
  }

  public var isForOneWorker: Bool { true }
  public var addedLogs: [String]? { [] }

  public func check(_ run: TrainingRun) throws {
    for part in ["train", "validation"] where part == "train" || run.expectedLogs.validationFrequency != nil {
      let place = directory.appendingPathComponent(part)
      try makeDirectory(at: place)
      try checkIsWritable(place)
    }
  }

  public func onTrainBegin(_ run: TrainingRun) throws {
    let state = try run.restoredState(of: self).map { try ConfigReader($0.settings, subject: "TensorBoard") }
    // Both parts use one file name. It is known before a file exists, so that a resumed run also finds, and starts
    // again, a file that was created after its checkpoint.
    name = try state?.string("file") ?? EventFile.newName()
    training = try goOn("train", state, run)
    if training == nil {
      training = try file("train")
      if writesGraph { try training?.write(graph: Self.graph(of: run.model)) }
    }
    validation = try goOn("validation", state, run)
  }

  /// The inputs and layers of a model, each with those that it reads.
  private static func graph(of model: Model) throws -> [(name: String, operation: String, inputs: [String])] {
    var nodes = model.inputNames.map { (name: $0, operation: "Input", inputs: [String]()) }
    var taken = Set(nodes.map(\.name))
    for call in try model.outline().layerCalls {
      // A layer that is called again is a node of its own; layers without names for what they read read the one before.
      var name = call.name
      var number = 1
      while !taken.insert(name).inserted {
        name = "\(call.name)_\(number)"
        number += 1
      }
      let inputs = call.reads.isEmpty ? nodes.last.map { [$0.name] } ?? [] : call.reads
      nodes.append((name: name, operation: call.typeName, inputs: inputs))
    }
    return nodes
  }

  private func file(_ part: String) throws -> EventFile {
    try EventFile(in: directory.appendingPathComponent(part), named: name)
  }

  /// The file as of the checkpoint, without what was written after it.
  private func goOn(_ part: String, _ state: ConfigReader?, _ run: TrainingRun) throws -> EventFile? {
    guard let length = try state?.optionalInt(part) else { return nil }
    let url = directory.appendingPathComponent(part).appendingPathComponent(name)
    try shortenFile(url, to: UInt64(clamping: length), for: "TensorBoard", run)
    return EventFile(continuing: url)
  }

  public func checkpointState(_ run: TrainingRun) throws -> CallbackState? {
    CallbackState(
      Config([
        "file": Config(.string(name)), "train": try training.map { Config(.int(try $0.length())) },
        "validation": try validation.map { Config(.int(try $0.length())) },
      ]), files: ["train", "validation"].map { directory.appendingPathComponent($0).appendingPathComponent(name) })
  }

  public func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws {
    let names = logs.keys.sorted()
    var trained = names.filter { !$0.hasPrefix("val_") }.map { (tag: "epoch_\($0)", value: logs[$0] ?? 0) }
    if logs["learning_rate"] == nil {
      trained.append((tag: "epoch_learning_rate", value: try run.model.learningRate()))
    }
    let validated = names.filter { $0.hasPrefix("val_") }.map {
      (tag: "epoch_\($0.dropFirst(4))", value: logs[$0] ?? 0)
    }
    try training?.write(trained, step: epoch)
    if histogramFrequency > 0, epoch % histogramFrequency == 0 {
      let weights = try run.model.weights().entries
      try training?.write(histograms: weights.map { (tag: "\($0.0)/histogram", values: $0.1) }, step: epoch)
    }
    if validated.isEmpty { return }
    if validation == nil { validation = try file("validation") }
    try validation?.write(validated, step: epoch)
  }

  public func onTrainEnd(_ run: TrainingRun) {
    (training, validation) = (nil, nil)
  }
}
