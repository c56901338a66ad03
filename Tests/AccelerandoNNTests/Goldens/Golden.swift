// Numbers that Keras and JAX printed, and what it takes to compare with them. Files and format are described in
// Tests/Goldens/README.md.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTestSupport
import AccelerandoXLA
import Foundation
import Testing

/// One case of a golden file.
struct Golden: Sendable, CustomTestStringConvertible {
  let name: String
  let kind: String
  let config: Config
  let parameters: [String]
  let tensors: [String: NDArray]

  var testDescription: String { name }

  /// The tensor of a role.
  func tensor(_ role: String) throws -> NDArray {
    try #require(tensors[role], "\(name) has no '\(role)'")
  }

  /// The tensors `x`, or `x0`, `x1`, …
  func series(_ prefix: String) -> [NDArray] {
    if let one = tensors[prefix] { return [one] }
    return (0..<tensors.count).map { tensors["\(prefix)\($0)"] }.prefix { $0 != nil }.compactMap { $0 }
  }

  /// The settings without some keys, and with others in their place.
  func settings(without dropped: [String] = [], _ replacements: [String: Config] = [:]) -> Config {
    guard case .object(let entries) = config.value else { return config }
    var kept = entries.filter { !dropped.contains($0.key) && replacements[$0.key] == nil }
    kept += replacements.sorted { $0.key < $1.key }.map { Config.Entry($0.key, $0.value) }
    return Config(.object(kept))
  }

  /// A number of the settings.
  func number(_ key: String) throws -> Double {
    switch config[key]?.value {
    case .int(let value): return Double(value)
    case .double(let value): return value
    default: throw ConfigError("\(name) has no number '\(key)'")
    }
  }

  /// A list of whole numbers of the settings.
  func ints(_ key: String) throws -> [Int] { try ConfigReader(config, subject: name).ints(key) }

  /// The cases of a topic.
  static func cases(_ topic: String) -> [Golden] {
    do {
      let url = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Goldens/data/\(topic).safetensors").standardized
      let file = try Safetensors.read(url)
      let tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.value) })
      let list = try Config(json: file.metadata["cases"] ?? "", file: "\(topic).safetensors")
      guard case .array(let cases) = list.value else { return [] }
      return try cases.map { try Golden($0, tensors) }
    } catch {
      Issue.record("\(topic): \(error)")
      return []
    }
  }

  private init(_ config: Config, _ all: [String: NDArray]) throws {
    let reader = try ConfigReader(config, subject: "case")
    name = try reader.string("name")
    kind = try reader.string("kind")
    self.config = try reader.required("config")
    parameters = reader.has("parameters") ? try reader.array("parameters").map(Self.text) : []
    var tensors: [String: NDArray] = [:]
    if case .object(let entries) = try reader.required("tensors").value {
      for entry in entries { tensors[entry.key] = all[try Self.text(entry.value)] }
    }
    self.tensors = tensors
  }

  private static func text(_ config: Config) throws -> String {
    if case .string(let text) = config.value { return text }
    throw ConfigError("needs a text; received \(config.summary)")
  }
}

/// The engine, and XLA where this machine has its plugin for the CPU.
let engines: [any Backend] = [CPUBackend()] + ((try? XLABackend.open("cpu", cache: nil)).map { [$0] } ?? [])

/// The oracle and the engines: what is compared with a golden number comes from all of them.
let backends: [any Backend] = [ReferenceBackend()] + engines

@Suite struct GoldenBackendTests {
  @Test(
    .enabled(
      if: !PluginSearch.current().plugins(for: "cpu").isEmpty,
      "no PJRT plugin for the CPU is on this machine; 'accelerando plugin install cpu' fetches one"))
  func goldenNumbersAreComparedOnXLAToo() throws {
    _ = try XLABackend.open("cpu", cache: nil)
    #expect(engines.map(\.name) == ["cpu", "xla-cpu"])
  }
}

/// Traces a function of arrays like these and compiles it.
func compile(
  _ inputs: [NDArray], on backend: any Backend, _ body: ([Tensor]) throws -> [Tensor]
) throws -> any Executable {
  try backend.compile(try Program.trace(inputs.map(\.type), body))
}

/// Traces a function of arrays and runs it.
func evaluate(
  _ inputs: [NDArray], on backend: any Backend, _ body: ([Tensor]) throws -> [Tensor]
) throws -> [NDArray] {
  try backend.evaluate(try Program.trace(inputs.map(\.type), body), inputs)
}

/// Whether two arrays agree up to a part of the largest element; NaN and infinity agree with themselves.
/// - Parameter scale: what counts as the largest element if all are smaller.
func expectClose(
  _ received: NDArray, _ expected: NDArray, _ what: String, relative: Double = 1e-5, scale: Double = 1e-30,
  location: SourceLocationOfTest = #_sourceLocation
) {
  guard received.shape == expected.shape else {
    Issue.record("\(what): expected \(expected.type), received \(received.type)", sourceLocation: location)
    return
  }
  let (a, b) = (received.elements(as: Double.self), expected.elements(as: Double.self))
  let largest = b.filter(\.isFinite).map(\.magnitude).max() ?? 0
  var worst = (distance: 0.0, index: 0)
  for index in a.indices where a[index] != b[index] && !(a[index].isNaN && b[index].isNaN) {
    let distance = (a[index] - b[index]).magnitude / max(largest, scale)
    if !(distance <= worst.distance) { worst = (distance.isNaN ? .infinity : distance, index) }
  }
  guard worst.distance > relative else { return }
  Issue.record(
    """
    \(what): element \(worst.index) of \(expected.type) is \(a[worst.index]), expected \(b[worst.index]); \
    \(worst.distance) of the largest element
    """, sourceLocation: location)
}

typealias SourceLocationOfTest = Testing.SourceLocation
