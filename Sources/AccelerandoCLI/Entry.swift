// The program's way in and out: every error leaves through here, with a message on standard error and the exit code that
// scripts go by.

import Accelerando
import AccelerandoRecipes
import ArgumentParser
import Foundation

@main
enum Entry {
  static func main() {
    // A file that may not grow further is an error to be told, like a full disk, and no reason to die on the spot.
    signal(SIGXFSZ, SIG_IGN)
    do {
      var command = try AccelerandoCommand.parseAsRoot()
      try command.run()
    } catch {
      leave(because: error)
    }
  }

  /// Ends the program: 64 for wrong usage, 65 for bad data, 69 for a device that cannot be used or failed, 70 for what should not happen, 130 when interrupted, 143 when asked to terminate.
  private static func leave(because error: any Error) -> Never {
    let parserCode = AccelerandoCommand.exitCode(for: error)
    // Help and version are errors to the parser too, of code 0.
    if parserCode == .success || parserCode == .validationFailure || error is ExitCode {
      AccelerandoCommand.exit(withError: error)
    }
    FileHandle.standardError.write(Data("accelerando: \(text(of: error))\n".utf8))
    let code = code(of: error)
    // The other workers would wait for this one.
    if let group = MPIGroup.current, group.size > 1 {
      FileHandle.standardError.write(
        Data("accelerando: that was worker \(group.rank) of \(group.size); all end.\n".utf8))
      group.abort(code: code)
    }
    exit(code)
  }

  /// What is wrong. Errors of Foundation's are of files; they have a text for people, and one for nobody.
  private static func text(of error: any Error) -> String {
    guard let error = error as? CocoaError else { return "\(error)" }
    return (error.filePath.map { "\($0): " } ?? "") + error.localizedDescription
  }

  private static func code(of error: any Error) -> Int32 {
    switch error {
    case let error as Interrupted: error.code
    case let error as FailedTraining: code(of: error.cause)
    case is RecipeNotFound: 64
    case is DeviceError, is WorkerError: 69
    case is FormatError, is ConfigError, is GraphError, is TrainingError, is StoreMismatch, is CompressionError,
      is CocoaError:
      65
    default: 70
    }
  }
}

struct AccelerandoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "accelerando",
    abstract: "Trains models on every core of this machine, and on GPUs and TPUs.",
    discussion: """
      A recipe is a YAML file with data, layers, compile, fit and callbacks; 'accelerando recipes' lists the built-in \
      ones, and 'accelerando recipes mlp > mine.yaml' is a beginning of one's own.
      """,
    subcommands: [
      Train.self, Prune.self, Compare.self, Evaluate.self, Predict.self, Summary.self, Explain.self, Benchmark.self,
      Recipes.self, Layers.self, Losses.self, Metrics.self, Optimizers.self, Schedules.self, Callbacks.self,
      Initializers.self, Activations.self, DataCommand.self, Devices.self, PluginCommand.self, Plan.self, Export.self,
    ])
}
