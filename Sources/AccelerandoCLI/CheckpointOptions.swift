// Options for runs that can be killed and resumed. A run stores its arguments next to its checkpoints, so that
// '--resume DIR' is enough to continue, whatever options there are or will be.

import Accelerando
import ArgumentParser
import Foundation

struct CheckpointOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Write a checkpoint into the --output directory after each interval: steps (500), time (30s, 5m, 1h) or epochs "
        + "(1e).",
      valueName: "interval"))
  var checkpointEvery: String?

  @Option(parsing: .unconditional, help: "The number of checkpoints to keep; 3 by default.")
  var keep: Int?

  @Option(
    help: ArgumentHelp(
      "Resume the run in this directory from its last intact checkpoint. Options that are not given keep their values.",
      valueName: "dir"))
  var resume: String?

  /// How often checkpoints are written; nil to write them only when the run is interrupted.
  var interval: Checkpoints.Interval? { checkpointEvery.flatMap(Checkpoints.Interval.init) }

  func validate() throws {
    if let text = checkpointEvery, interval == nil {
      throw ValidationError("--checkpoint-every needs an interval like 500, 30s, 5m, 1h or 1e; received '\(text)'.")
    }
    if let keep, keep < 1 { throw ValidationError("--keep needs at least 1; received \(keep).") }
    if keep != nil, checkpointEvery == nil, resume == nil {
      throw ValidationError("--keep is for --checkpoint-every: without it, one checkpoint is kept, of the run's end.")
    }
  }

  /// The checkpoints of a run.
  func makeCheckpoints(_ directory: RunDirectory) -> Checkpoints {
    Checkpoints(
      directory.checkpoints, every: interval, keep: keep ?? (interval == nil ? 1 : 3), resumes: resume != nil)
  }
}

/// The arguments that a run was started with.
struct RunArguments {
  /// The command: `train` or `prune`.
  let command: String
  /// The arguments after it.
  let arguments: [String]
  /// The directory that relative paths in them refer to.
  let workingDirectory: String

  private static func file(_ run: URL) -> URL {
    run.appendingPathComponent("checkpoints", isDirectory: true).appendingPathComponent("command.json")
  }

  /// The arguments of this process.
  static func current(of command: String) -> RunArguments {
    let all = CommandLine.arguments.dropFirst()
    let own = all.firstIndex(of: command).map { all[($0 + 1)...] } ?? all
    return RunArguments(
      command: command, arguments: Array(own), workingDirectory: FileManager.default.currentDirectoryPath)
  }

  init(command: String, arguments: [String], workingDirectory: String) {
    self.command = command
    self.arguments = arguments
    self.workingDirectory = workingDirectory
  }

  /// Reads the stored arguments of a run.
  /// - Throws: `FormatError` when the directory is not that of a run that can be resumed.
  init(of run: URL) throws {
    let file = Self.file(run)
    guard let data = FileManager.default.contents(atPath: file.path) else {
      throw FormatError(
        file: run.path, reason: "has no run to resume: there is no checkpoints/\(file.lastPathComponent)",
        remedy: "Name the directory that 'accelerando train --output DIR' was given")
    }
    let reader = try ConfigReader(
      Config(json: String(decoding: data, as: UTF8.self), file: file.path), subject: "the arguments of the run")
    command = try reader.string("command", default: "train")
    workingDirectory = try reader.string("directory")
    arguments = try reader.array("arguments").map { value in
      guard case .string(let text) = value.value else {
        throw ConfigError("'arguments' needs a list of texts.", at: value.location)
      }
      return text
    }
  }

  /// Stores the arguments next to the checkpoints of a run.
  func save(for run: URL) throws {
    let file = Self.file(run)
    try makeDirectory(at: file.deletingLastPathComponent())
    let config = Config([
      "command": Config(.string(command)), "directory": Config(.string(workingDirectory)),
      "arguments": Config(.array(lasting.map { Config(.string($0)) })),
    ])
    try AtomicFile.write(to: file) { try $0.write(Array(config.json.utf8)) }
  }

  /// The arguments without `--resume`, which is for one call only.
  private var lasting: [String] {
    var result: [String] = []
    var isValue = false
    for argument in arguments {
      if !isValue, argument != "--resume", !argument.hasPrefix("--resume=") { result.append(argument) }
      isValue = !isValue && argument == "--resume"
    }
    return result
  }

  /// These arguments followed by others, which take precedence.
  func followed(by others: RunArguments) -> RunArguments {
    RunArguments(
      command: command, arguments: arguments + others.arguments, workingDirectory: workingDirectory)
  }

  /// The arguments that the run in a directory began with, with these behind them. Relative paths begin where they did.
  /// - Throws: `FormatError` when there is no run of this command to resume.
  func goingOn(with run: URL) throws -> RunArguments {
    let first = try RunArguments(of: run)
    guard first.command == command else {
      throw FormatError(
        file: run.path, reason: "has a run of 'accelerando \(first.command)', not of '\(command)'",
        remedy: "Resume it with: accelerando \(first.command) --resume \(run.path)")
    }
    if !FileManager.default.changeCurrentDirectoryPath(first.workingDirectory) {
      tell("\(first.workingDirectory), where the run began, is gone; relative paths begin here.")
    }
    return first.followed(by: self)
  }
}

/// Looks after a run's beginning: what there is to say, such as that a checkpoint was damaged, is said at once, and the
/// arguments are kept once it is certain that nothing speaks against the run.
final class RunBeginning: Callback {
  private let directory: RunDirectory
  private let options: CheckpointOptions
  private let arguments: RunArguments

  init(_ directory: RunDirectory, _ options: CheckpointOptions, _ arguments: RunArguments) {
    (self.directory, self.options, self.arguments) = (directory, options, arguments)
  }

  var addedLogs: [String]? { [] }

  func onTrainBegin(_ run: TrainingRun) throws {
    for message in run.takeMessages() { tell(message) }
    if options.resume != nil, !run.isResumed {
      tell("There is no checkpoint in \(directory.checkpoints.path) yet; the run begins at its beginning.")
    }
    if options.interval != nil { try arguments.save(for: directory.url) }
  }
}
