// Runs the command as a shell would: what counts is what a person or a script gets from it.

import Foundation
import Testing

/// The built command.
struct Command {
  /// What a run left behind.
  struct Outcome {
    let status: Int32
    let output: String
    let errors: String
  }

  /// The program beside the tests.
  static let executable: URL = {
    let bundles = [Bundle.main.executableURL] + Bundle.allBundles.map { Optional($0.bundleURL) }
    let candidates = bundles.compactMap { $0?.deletingLastPathComponent().appendingPathComponent("accelerando") }
    return candidates.first { FileManager.default.isExecutableFile(atPath: $0.path) }
      ?? URL(fileURLWithPath: "/nowhere/accelerando")
  }()

  /// The environment of a run: a home of its own, so that no test touches the user's cache, and none of the machine's programs
  /// and datasets, so that no test depends on them.
  static func environment(home directory: URL) -> [String: String] {
    ["HOME": directory.path, "PATH": "/nowhere", "XDG_DATA_DIRS": "/nowhere"]
  }

  /// Starts the command in a directory, with an environment of its own. A hangup ends it unless `ignoresHangup`, also
  /// where whoever started the tests ignores it, as nohup does: a program inherits that.
  static func start(
    _ arguments: [String], in directory: URL, withPlugins: Bool = false, ignoresHangup: Bool = false, output: URL,
    errors: URL
  ) throws -> Process {
    for url in [output, errors] { _ = FileManager.default.createFile(atPath: url.path, contents: nil) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [ignoresHangup ? "--ignore-signal=HUP" : "--default-signal=HUP", executable.path] + arguments
    process.currentDirectoryURL = directory
    // Plugins come from where the environment says, if they are there at all.
    let variable = "PJRT_NAMES_AND_LIBRARY_PATHS"
    var environment = environment(home: directory)
    if withPlugins { environment[variable] = ProcessInfo.processInfo.environment[variable] }
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    return process
  }

  /// Runs a line of shell in which `$A` is the command, to its end.
  static func shell(_ line: String, in directory: URL) throws -> Outcome {
    let (output, errors) = (directory.appendingPathComponent("sh.out"), directory.appendingPathComponent("sh.err"))
    for url in [output, errors] { try Data().write(to: url) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-c", line]
    process.currentDirectoryURL = directory
    process.environment = environment(home: directory).merging(
      ["A": executable.path, "PATH": "/usr/bin:/bin"], uniquingKeysWith: { $1 })
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    process.waitUntilExit()
    return Outcome(
      status: process.terminationStatus, output: try String(contentsOf: output, encoding: .utf8),
      errors: try String(contentsOf: errors, encoding: .utf8))
  }

  /// Runs the command to its end.
  static func run(_ arguments: String..., in directory: URL, withPlugins: Bool = false) throws -> Outcome {
    try run(arguments: arguments, in: directory, withPlugins: withPlugins)
  }

  /// Runs the command to its end.
  static func run(arguments: [String], in directory: URL, withPlugins: Bool = false) throws -> Outcome {
    let name = UUID().uuidString
    let (output, errors) = (
      directory.appendingPathComponent("\(name).out"), directory.appendingPathComponent("\(name).err")
    )
    let process = try start(arguments, in: directory, withPlugins: withPlugins, output: output, errors: errors)
    waitForExit(process)
    return Outcome(
      status: process.terminationStatus, output: try String(contentsOf: output, encoding: .utf8),
      errors: try String(contentsOf: errors, encoding: .utf8))
  }
}

/// Waits until a process has ended; one that takes too long is killed, and the test fails instead of hanging.
func waitForExit(_ process: Process, within seconds: Double = 600) {
  let deadline = Date(timeIntervalSinceNow: seconds)
  while process.isRunning, Date() < deadline { usleep(2000) }
  if process.isRunning {
    Issue.record("the process did not end within \(seconds) s")
    kill(process.processIdentifier, SIGKILL)
  }
  process.waitUntilExit()
}

/// Calls `body` with a new, empty directory, and removes it afterwards.
func withTemporaryDirectory<Result>(_ body: (URL) throws -> Result) throws -> Result {
  let directory = FileManager.default.temporaryDirectory.appendingPathComponent("command-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: directory) }
  return try body(directory)
}
