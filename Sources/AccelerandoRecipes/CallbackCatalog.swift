// The callbacks by Keras' names, for recipes.

import AccelerandoNN
import AccelerandoTrain
import Foundation

extension Catalog where Item == any Callback {
  /// The built-in callbacks that can be written as text.
  /// - Parameter directory: the directory that relative paths of files refer to.
  public static func callbacks(in directory: URL) -> Catalog {
    Catalog("callback")
      .adding("EarlyStopping", "Stops training when a metric no longer improves.") {
        EarlyStopping(
          monitor: try $0.string("monitor", default: "val_loss"), minimumChange: try $0.double("min_delta", default: 0),
          patience: try $0.int("patience", default: 0, in: .notNegative),
          mode: try $0.choice("mode", default: .automatic),
          baseline: try $0.optionalDouble("baseline"),
          restoresBestWeights: try $0.bool("restore_best_weights", default: false),
          startFromEpoch: try $0.int("start_from_epoch", default: 0, in: .notNegative))
      }
      .adding("ReduceLROnPlateau", "Reduces the learning rate when a metric no longer improves.") {
        ReduceLROnPlateau(
          monitor: try $0.string("monitor", default: "val_loss"), factor: try $0.double("factor", default: 0.1),
          patience: try $0.int("patience", default: 10, in: .notNegative),
          mode: try $0.choice("mode", default: .automatic),
          minimumChange: try $0.double("min_delta", default: 1e-4),
          cooldown: try $0.int("cooldown", default: 0, in: .notNegative),
          minimumRate: try $0.double("min_lr", default: 0))
      }
      .adding("ModelCheckpoint", "Saves the model or its weights after epochs.") { reader in
        ModelCheckpoint(
          try reader.path("filepath", in: directory), monitor: try reader.string("monitor", default: "val_loss"),
          mode: try reader.choice("mode", default: .automatic),
          savesBestOnly: try reader.bool("save_best_only", default: false),
          savesWeightsOnly: try reader.bool("save_weights_only", default: false),
          initialBest: try reader.optionalDouble("initial_value_threshold"))
      }
      .adding("CSVLogger", "Writes the numbers of each epoch as a line of a CSV file.") { reader in
        CSVLogger(
          URL(fileURLWithPath: try reader.path("filename", in: directory)),
          separator: try reader.string("separator", default: ","), appends: try reader.bool("append", default: false))
      }
      .adding(
        "TensorBoard", "Writes the numbers of each epoch, the graph and histograms of the weights for TensorBoard."
      ) { reader in
        TensorBoard(
          URL(fileURLWithPath: try reader.path("log_dir", in: directory)),
          histogramFrequency: try reader.int("histogram_freq", default: 0, in: .notNegative),
          writesGraph: try reader.bool("write_graph", default: true))
      }
      .adding("SwapEMAWeights", "Validates with the running means of the weights, which 'use_ema' keeps.") {
        SwapEMAWeights(swapsOnEpoch: try $0.bool("swap_on_epoch", default: false))
      }
      .adding("TerminateOnNaN", "Stops training when the loss is not a number.") { _ in TerminateOnNaN() }
  }
}

extension ConfigReader {
  fileprivate func path(_ key: String, in directory: URL) throws -> String {
    let path = try string(key)
    return path.hasPrefix("/") ? path : directory.appendingPathComponent(path).path
  }
}
