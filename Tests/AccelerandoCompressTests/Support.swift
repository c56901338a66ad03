import AccelerandoCPU
import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import AccelerandoXLA
import Foundation
import Testing

/// A backend for tests; results do not depend on the number of threads.
let testBackend = CPUBackend(threads: 2)

/// Our engine, and XLA's where its plugin is there.
let engines: [any Backend] = [testBackend] + ((try? XLABackend.open("cpu", cache: nil)).map { [$0] } ?? [])

func message(_ body: () throws -> Void) -> String {
  do { try body() } catch { return "\(error)" }
  return "no error"
}

/// A case of TensorFlow's model optimization toolkit, from Tests/Goldens.
struct PruningGolden: Sendable, CustomTestStringConvertible {
  let name: String
  let kind: String
  let config: Config
  let entry: Config
  let tensors: [String: NDArray]
  var testDescription: String { name }

  func tensor(_ role: String) throws -> NDArray { try #require(tensors[role], "\(name) has no \(role)") }

  func double(_ key: String) throws -> Double {
    switch config[key]?.value {
    case .int(let value): return Double(value)
    case .double(let value): return value
    default: throw GoldenIsMissing(key: key)
    }
  }

  func int(_ key: String) throws -> Int { Int(try double(key)) }

  func ints(_ key: String) -> [Int] {
    guard case .array(let values)? = config[key]?.value else { return [] }
    return values.compactMap { if case .int(let value) = $0.value { value } else { nil } }
  }

  static let all: [PruningGolden] = {
    do {
      let url = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../Goldens/data/pruning.safetensors").standardized
      let file = try Safetensors.read(url)
      let tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.value) })
      let cases = try Config(json: file.metadata["cases"] ?? "", file: "pruning.safetensors")
      guard case .array(let list) = cases.value else { return [] }
      return list.compactMap { entry in
        guard case .string(let name)? = entry["name"]?.value, case .string(let kind)? = entry["kind"]?.value,
          let config = entry["config"], case .object(let roles)? = entry["tensors"]?.value
        else { return nil }
        var own: [String: NDArray] = [:]
        for role in roles {
          if case .string(let key) = role.value.value { own[role.key] = tensors[key] }
        }
        return PruningGolden(name: name, kind: kind, config: config, entry: entry, tensors: own)
      }
    } catch {
      Issue.record("pruning.safetensors: \(error)")
      return []
    }
  }()
}

struct GoldenIsMissing: Error {
  let key: String
}
