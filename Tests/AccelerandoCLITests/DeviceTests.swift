// Devices by name on the command line: what is missing is said before anything is computed, and a training on XLA's CPU ends
// with the numbers of the engine's.

import Foundation
import Testing

private let hasPlugin = ProcessInfo.processInfo.environment["PJRT_NAMES_AND_LIBRARY_PATHS"]?.contains("cpu:") ?? false

@Suite struct DeviceTests {
  private struct Epoch: Decodable {
    let loss: Double
    let accuracy: Double
  }

  @Test func aDeviceThatIsNotThereIsRefusedWithARemedy() throws {
    try withTemporaryDirectory { directory in
      for (device, expected) in [
        ("nonsense", "there is no PJRT plugin for nonsense"), ("cpu:1", "names no device"),
        ("cuda:x", "names no device"),
        ("", "names no device"), ("nonsense:-1", "names no device"),
      ] {
        let outcome = try Command.run("train", "mlp", "--data", "sample", "--device", device, in: directory)
        #expect(outcome.status == 69)
        #expect(outcome.errors.contains(expected), "\(outcome.errors)")
        #expect(outcome.output.isEmpty)
      }
    }
  }

  @Test func devicesAndPluginsAreListedForPeopleAndPrograms() throws {
    try withTemporaryDirectory { directory in
      let listed = try Command.run("devices", in: directory)
      #expect(listed.status == 0)
      #expect(listed.output.hasPrefix("cpu\t"))
      let json = try Command.run("devices", "--json", in: directory)
      let entries = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]]
      #expect(entries?.compactMap { $0["name"] as? String }.first == "cpu")
      let plugins = try Command.run("plugin", "list", "--json", in: directory)
      #expect(try JSONSerialization.jsonObject(with: Data(plugins.output.utf8)) is [Any])
    }
  }

  @Test func aPluginThatCannotBeInstalledSaysWhy() throws {
    try withTemporaryDirectory { directory in
      #expect(try Command.run("plugin", "install", "nonsense", in: directory).status == 64)
      let missing = try Command.run("plugin", "install", "./nothing.so", in: directory)
      #expect(missing.status == 65)
      #expect(missing.errors.contains("there is no such file"))
      let noPip = try Command.run("plugin", "install", "cpu", in: directory)
      #expect(noPip.status == 65)
      #expect(noPip.errors.contains("pip"))
      #expect(try Command.run("plugin", "remove", "cpu", in: directory).status == 65)
    }
  }

  @Test(.enabled(if: hasPlugin, "PJRT_NAMES_AND_LIBRARY_PATHS names no plugin 'cpu'"), arguments: ["mlp", "cnn"])
  func aTrainingOnXLAGivesTheNumbersOfTheEngine(_ recipe: String) throws {
    try withTemporaryDirectory { directory in
      func epochs(_ device: String) throws -> [Epoch] {
        let outcome = try Command.run(
          "train", recipe, "--data", "sample", "--epochs", "3", "--json", "-", "--device", device, in: directory,
          withPlugins: true)
        try #require(outcome.status == 0, "\(outcome.errors)")
        return outcome.output.split(separator: "\n").compactMap {
          try? JSONDecoder().decode(Epoch.self, from: Data($0.utf8))
        }
      }
      let (own, xla) = (try epochs("cpu"), try epochs("xla-cpu"))
      #expect(own.count == 3 && xla.count == 3)
      for (a, b) in zip(own, xla) {
        #expect((a.loss - b.loss).magnitude <= 1e-3 * a.loss)
        #expect((a.accuracy - b.accuracy).magnitude <= 0.01)
      }
    }
  }
}
