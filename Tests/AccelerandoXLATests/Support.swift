// The plugins that tests run on: those for the CPU that this machine has. Without one the tests are skipped, and say so.

import AccelerandoCore
import AccelerandoXLA
import Foundation
import Testing

enum TestPlugins {
  /// Plugins for the CPU, by what the environment and the usual places have.
  static let found: [FoundPlugin] = PluginSearch.current().plugins().filter {
    $0.platform == "cpu" || $0.name.hasPrefix("cpu")
  }

  /// A backend on each of them.
  static let backends: [XLABackend] = found.compactMap { plugin in
    do {
      let client = try Client.shared(try Plugin.load(plugin.path), options: ["cpu_device_count": .integer(1)])
      return try XLABackend(client)
    } catch {
      Issue.record("\(plugin.path): \(error)")
      return nil
    }
  }

  static let isThere = !found.isEmpty
  static let whySkipped: Comment =
    "no PJRT plugin for the CPU is on this machine; 'accelerando plugin install cpu' fetches one"
}

/// Calls `body` with a new, empty directory, and removes it afterwards.
func withTemporaryDirectory(_ body: (URL) throws -> Void) throws {
  let directory = FileManager.default.temporaryDirectory.appendingPathComponent("xla-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: directory) }
  try body(directory)
}

/// Waits until a process has ended; one that takes too long is killed.
func waitForExit(_ process: Process, within seconds: Double = 300) {
  let deadline = Date(timeIntervalSinceNow: seconds)
  while process.isRunning, Date() < deadline { usleep(2000) }
  if process.isRunning { kill(process.processIdentifier, SIGKILL) }
  process.waitUntilExit()
}

/// A C compiler of the system's.
let compiler: String? = ["cc", "clang", "gcc"].lazy.flatMap { name in
  (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }
}.first { access($0, X_OK) == 0 }
