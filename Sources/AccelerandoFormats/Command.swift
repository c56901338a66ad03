// Data sets, plugins and packages are fetched with the programs that every system has for it: they know its proxies,
// certificates and package sources, and an HTTP library of our own would cost every start and every build.

import Foundation

/// A program of the system that is run to its end.
package struct Command {
  let name: String
  let arguments: [String]
  /// Where it runs.
  let directory: URL

  /// Describes a run of a program.
  /// - Parameter directory: where it runs, and where its log is kept meanwhile.
  package init(name: String, arguments: [String], directory: URL) {
    self.name = name
    self.arguments = arguments
    self.directory = directory
  }

  /// The path of a program, or nil when the system has none of this name.
  package static func find(_ name: String, path: String? = ProcessInfo.processInfo.environment["PATH"]) -> String? {
    (path ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":").map { "\($0)/\(name)" }
      .first { access($0, X_OK) == 0 }
  }

  /// Runs the program and calls `poll` several times a second until it ends.
  /// - Throws: `FormatError` when there is no such program or it fails, with the last lines that it wrote.
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
