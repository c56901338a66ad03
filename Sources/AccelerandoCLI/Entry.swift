// The entry point and the only exit: every error ends here, with a message on standard error and the exit code that
// scripts use.

import Accelerando
import AccelerandoRecipes
import ArgumentParser
import Foundation

@main
enum Entry {
  static func main() {
    StandardStream.prepareProcess()
    // A file that may not grow further is an error to be told, like a full disk, and no reason to die on the spot.
    signal(SIGXFSZ, SIG_IGN)
    explainLostMappings()
    do {
      try CommandNames.check(CommandLine.arguments.dropFirst(), of: AccelerandoCommand.self)
      var command = try AccelerandoCommand.parseAsRoot()
      try command.run()
      try StandardStream.output.finish()
    } catch {
      leave(because: error)
    }
  }

  /// Ends the program. The exit codes are listed in Docs/Architecture.md.
  private static func leave(because error: any Error) -> Never {
    // Help and version are errors to the parser too, of code 0.
    let parserCode = AccelerandoCommand.exitCode(for: error)
    if parserCode == .success {
      print(AccelerandoCommand.fullMessage(for: error))
      do {
        try StandardStream.output.finish()
      } catch { leave(because: error) }
      exit(0)
    }
    // What was printed before the error belongs before it; that it is lost is the lesser trouble.
    try? StandardStream.output.finish()
    if parserCode == .validationFailure || error is ExitCode {
      let message = AccelerandoCommand.fullMessage(for: error)
      if !message.isEmpty { tell(message) }
      exit(parserCode.rawValue)
    }
    tell("accelerando: \(text(of: error))")
    let code = code(of: error)
    // The other workers would wait for this one.
    if let group = MPIGroup.current, group.size > 1 {
      tell("accelerando: that was worker \(group.rank) of \(group.size); all end.")
      group.abort(code: code)
    }
    exit(code)
  }

  /// The message of an error. Foundation's errors are about files; their `description` is not meant for users.
  private static func text(of error: any Error) -> String {
    guard let error = error as? CocoaError else { return "\(error)" }
    return (error.filePath.map { "\($0): " } ?? "") + error.localizedDescription
  }

  /// A mapped file that another program shortens cannot be read to its end. The system then stops the process; this
  /// reports why. Only what a signal handler may do is done here.
  private static func explainLostMappings() {
    signal(SIGBUS) { _ in
      let message: StaticString = """
        accelerando: a file became shorter while it was in use. Data must not be rewritten in place: write another file and \
        rename it over the old one.

        """
      _ = Foundation.write(STDERR_FILENO, message.utf8Start, message.utf8CodeUnitCount)
      _exit(65)
    }
  }

  private static func code(of error: any Error) -> Int32 {
    switch error {
    case let error as Interrupted: error.code
    case let error as FailedTraining: code(of: error.cause)
    case is RecipeNotFound: 64
    case is DeviceError, is WorkerError: 69
    case is FormatError, is ConfigError, is GraphError, is TrainingError, is StoreMismatch, is CompressionError,
      is TextEncoderError, is CocoaError:
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
      ones, and 'accelerando recipes mlp > mine.yaml' copies one for you to change.
      """,
    version: accelerandoVersion,
    subcommands: [
      Train.self, Prune.self, Compare.self, Evaluate.self, Predict.self, Report.self, Plot.self, Summary.self,
      Explain.self, Benchmark.self,
      Recipes.self, Layers.self, Losses.self, Metrics.self, Optimizers.self, Schedules.self, Callbacks.self,
      Initializers.self, Regularizers.self, Constraints.self, Activations.self, DataCommand.self, Devices.self,
      PluginCommand.self, Plan.self, Export.self,
    ])
}
