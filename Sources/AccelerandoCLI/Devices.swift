// Lists the devices that models can run on, and why others are missing.

import Accelerando
import ArgumentParser
import Foundation

struct Devices: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the devices of this machine, and why others are missing.")

  @Flag(help: "Print a JSON array.")
  var json = false

  /// A device, or a platform without one.
  private struct Entry: Encodable {
    var name: String
    var kind: String?
    var plugin: String?
    var version: String?
    var memoryBytes: Int?
    var memoryInUseBytes: Int?
    var problem: String?

    enum CodingKeys: String, CodingKey {
      case name, kind, plugin, version, problem
      case memoryBytes = "memory_bytes"
      case memoryInUseBytes = "memory_in_use_bytes"
    }
  }

  func run() throws {
    let search = PluginSearch.current()
    let others = Set(search.plugins().map(\.platform)).subtracting(["cpu", "cuda", "tpu"]).sorted()
    var entries = [own()]
    for platform in ["cpu", "cuda", "tpu"] + others { entries += list(platform, search) }
    if json { return try printJSON(entries) }
    for entry in entries {
      guard let kind = entry.kind else {
        print("\(entry.name)\tnot available: \(entry.problem ?? "")")
        continue
      }
      let memory = entry.memoryBytes.map { "\t\(Self.size($0))" } ?? ""
      print("\(entry.name)\t\(kind)\(memory)\(entry.plugin.map { "\t\($0)" } ?? "")")
    }
  }

  private func own() -> Entry {
    let backend = CPUBackend()
    return Entry(
      name: "cpu", kind: "this library's engine, \(backend.threads) threads, \(backend.instructionSet)",
      memoryBytes: Int(clamping: ProcessInfo.processInfo.physicalMemory))
  }

  private func list(_ platform: String, _ search: PluginSearch) -> [Entry] {
    let name = platform == "cpu" ? "xla-cpu" : platform
    do {
      let client = try XLABackend.openClient(platform, search: search)
      return client.devices.map { device in
        let memory = device.memory()
        return Entry(
          name: platform == "cpu" ? name : "\(name):\(device.index)", kind: device.kind, plugin: client.plugin.path,
          version: "PJRT \(client.plugin.version.major).\(client.plugin.version.minor), \(client.platformVersion)",
          memoryBytes: memory?.limit, memoryInUseBytes: memory?.used)
      }
    } catch {
      return [Entry(name: name, problem: "\(error)")]
    }
  }

  private static func size(_ bytes: Int) -> String { String(format: "%.1f GiB", Double(bytes) / 0x1p30) }
}
