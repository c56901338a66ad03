// Settings of XLA's compilers. XLA itself reads the environment variable XLA_FLAGS and ends the process when it meets
// an unknown flag. As options of a compilation the same settings are checked, and errors are returned: so the variable
// is hidden from plugins, and its flags are passed with every program.

import Foundation
import Synchronization

enum CompilerSettings {
  private static let fromEnvironment = Mutex<[String: String]?>(nil)

  /// What XLA_FLAGS said when the first plugin was loaded.
  static func takeFlags() -> [String: String] {
    fromEnvironment.withLock { flags in
      if let flags { return flags }
      let text = ProcessInfo.processInfo.environment["XLA_FLAGS"] ?? ""
      unsetenv("XLA_FLAGS")
      if let warning = warning(about: text) {
        try? FileHandle.standardError.write(contentsOf: Data("\(warning)\n".utf8))
      }
      let taken = parsed(text)
      flags = taken
      return taken
    }
  }

  /// Settings by name: `--xla_dump_to=/tmp/x --xla_cpu_enable_fast_math`.
  static func parsed(_ flags: String) -> [String: String] {
    var settings: [String: String] = [:]
    for flag in flags.split(whereSeparator: \.isWhitespace) where flag.hasPrefix("--") {
      let parts = flag.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = parts.first, !name.isEmpty else { continue }
      settings[String(name)] = parts.count == 2 ? String(parts[1]) : "true"
    }
    // The number of devices of XLA's CPU is said to its client, and no setting of a compilation.
    settings["xla_force_host_platform_device_count"] = nil
    return settings
  }

  /// What to tell about words that are no flags and have no effect; nil if there are none.
  static func warning(about flags: String) -> String? {
    let words = flags.split(whereSeparator: \.isWhitespace).filter { !$0.hasPrefix("--") || $0.count == 2 }
    if words.isEmpty { return nil }
    return "XLA_FLAGS: ignored \(words.map { "'\($0)'" }.joined(separator: ", ")); "
      + "a flag begins with two dashes, as in --xla_dump_to=/tmp/xla."
  }

  /// The settings of programs for a client.
  static func current(for client: Client) -> [String: String] {
    // XLA's CPU otherwise ignores NaN in minima and maxima, which would hide that training diverged.
    let own = client.isHostMemory ? ["xla_cpu_enable_fast_min_max": "false"] : [:]
    return own.merging(takeFlags()) { $1 }
  }
}
