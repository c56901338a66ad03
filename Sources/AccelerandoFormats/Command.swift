// Data sets, plugins and packages are downloaded with the programs that every system has for it: they know its proxies,
// certificates and package sources, and an HTTP library of our own would cost time in every start and every build.

import Foundation

/// A system program to run.
package struct Command {
  let name: String
  let arguments: [String]
  /// The working directory.
  let directory: URL

  /// Describes a run of a program.
  /// - Parameter directory: the working directory, which also holds its log while it runs.
  package init(name: String, arguments: [String], directory: URL) {
    self.name = name
    self.arguments = arguments
    self.directory = directory
  }

  /// The path of a program, or nil if the system has none with this name.
  package static func find(_ name: String, path: String? = ProcessInfo.processInfo.environment["PATH"]) -> String? {
    (path ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":").map { "\($0)/\(name)" }
      .first { access($0, X_OK) == 0 }
  }

  /// Runs the program and calls `poll` several times a second until it ends.
  /// - Throws: `FormatError` when there is no such program or it fails, with the last lines of its output.
  package func run(poll: () -> Void = {}) throws {
    guard let executable = Self.find(name) else {
      throw FormatError(file: name, reason: "the program is not installed")
    }
    let log = directory.appendingPathComponent(".\(name)-\(UUID().uuidString).log")
    guard FileManager.default.createFile(atPath: log.path, contents: nil),
      let output = FileHandle(forWritingAtPath: log.path)
    else {
      throw FormatError(file: log.path, reason: "cannot write the file")
    }
    defer {
      try? output.close()
      try? FileManager.default.removeItem(at: log)
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments
    process.currentDirectoryURL = directory
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = output
    do {
      try process.run()
    } catch {
      throw FormatError(file: name, reason: "the program cannot be started: \(error)")
    }
    while process.isRunning {
      poll()
      usleep(50_000)
    }
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      let said = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
      let lines = said.split(whereSeparator: \.isNewline).suffix(2).joined(separator: " ")
      throw FormatError(
        file: name, reason: "ended with status \(process.terminationStatus)\(lines.isEmpty ? "" : ": \(lines)")")
    }
  }
}
