// Recipes are YAML. The package Yams reads it; this turns what it reads into our own tree of settings, with lines for
// errors, by the rules of YAML 1.2: `no` and `on` are words, `1e-3` is a number.

import AccelerandoNN
import Foundation
import Yams

extension Config {
  /// A tree may not have more nodes than this: aliases can make a small file stand for an enormous one.
  private static let mostNodes = 100_000

  /// Reads YAML.
  /// - Parameters:
  ///   - text: the YAML text, one document.
  ///   - file: the name of the text in errors.
  /// - Throws: `ConfigError` with the line.
  public init(yaml text: String, file: String) throws {
    let root: Node?
    do {
      root = try Yams.compose(yaml: text)
    } catch let error as YamlError {
      throw Self.explained(error, file: file)
    }
    guard let root else {
      self = Config(.null, at: SourceLocation(file: file, line: 1))
      return
    }
    var budget = Self.mostNodes
    self = try Self.converted(root, file: file, line: 1, budget: &budget)
  }

  private static func converted(_ node: Node, file: String, line: Int, budget: inout Int) throws -> Config {
    budget -= 1
    let location = SourceLocation(file: file, line: node.mark?.line ?? line)
    guard budget > 0 else {
      throw ConfigError("the file stands for more than \(mostNodes) settings.", at: location)
    }
    switch node {
    case .scalar(let scalar):
      return Config(value(of: scalar), at: location)
    case .sequence(let sequence):
      let items = try sequence.map { try converted($0, file: file, line: location.line, budget: &budget) }
      return Config(.array(items), at: location)
    case .mapping(let mapping):
      var entries: [Entry] = []
      for (key, value) in mapping {
        let keyLocation = SourceLocation(file: file, line: key.mark?.line ?? location.line)
        guard case .scalar(let name) = key else {
          throw ConfigError("a setting needs a plain name; received a list or an object.", at: keyLocation)
        }
        let value = try converted(value, file: file, line: keyLocation.line, budget: &budget)
        entries.append(Entry(name.string, value, at: keyLocation))
      }
      return Config(.object(entries), at: location)
    case .alias:
      throw ConfigError("an alias that stands for nothing.", at: location)
    }
  }

  /// What a scalar stands for: quoted ones are text, plain ones what they look like.
  private static func value(of scalar: Node.Scalar) -> Value {
    let text = scalar.string
    guard scalar.style == .plain || scalar.style == .any else { return .string(text) }
    switch text {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE": return .bool(true)
    case "false", "False", "FALSE": return .bool(false)
    case ".inf", "+.inf": return .double(.infinity)
    case "-.inf": return .double(-.infinity)
    case ".nan": return .double(.nan)
    default: break
    }
    if let number = Int(text) { return .int(number) }
    // Swift reads hexadecimal floats, "inf" and "nan" as numbers too; YAML does not.
    if text.utf8.allSatisfy({ "0123456789+-.eE".utf8.contains($0) }), let number = Double(text) {
      return .double(number)
    }
    return .string(text)
  }

  private static func explained(_ error: YamlError, file: String) -> ConfigError {
    switch error {
    case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      let reason = [context?.text, problem].compactMap { $0 }.joined(separator: " ")
      return ConfigError("this is not YAML: \(reason).", at: SourceLocation(file: file, line: mark.line))
    case .duplicatedKeysInMapping(let keys, let context):
      let line = context.mark.line
      return ConfigError(
        "the setting '\(keys.map { String(describing: $0) }.joined(separator: "', '"))' stands here twice.",
        at: SourceLocation(file: file, line: line))
    case .reader(let problem, _, _, _):
      return ConfigError("this is not text: \(problem).", at: SourceLocation(file: file, line: 1))
    default:
      return ConfigError("this is not YAML: \(error).", at: SourceLocation(file: file, line: 1))
    }
  }
}
