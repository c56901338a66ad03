// Weights of another model: by name, by pattern, partly. A model that has grown a layer, or got another head, takes what
// fits, and says what it took and what it did not.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import Foundation

/// What became of the values of another model.
public struct WeightTransfer: Hashable, Sendable, CustomStringConvertible {
  /// Where the values are from.
  public let source: String
  /// The parameters that have got values, by their lasting names: `stem.weight`.
  public let taken: [String]
  /// The chosen parameters for which there is no value of their name; they keep theirs.
  public let left: [String]
  /// The chosen parameters whose value has another type there; they keep theirs.
  public let misshaped: [StoreMismatch.Difference]
  /// The values there that no chosen parameter has the name of.
  public let unused: [String]

  public var description: String {
    func list(_ names: [String]) -> String {
      names.prefix(8).joined(separator: ", ") + (names.count > 8 ? " and \(names.count - 8) more" : "")
    }
    var text = "\(taken.count) parameters have the values of \(source)."
    if !left.isEmpty { text += " Not there: \(list(left))." }
    if !misshaped.isEmpty {
      text += " Of another shape: "
      text += list(misshaped.map { "\($0.name) (\($0.expected) here, \($0.received) there)" }) + "."
    }
    if !unused.isEmpty { text += " Not used: \(list(unused))." }
    return text
  }
}

extension Model {
  /// Takes over values of a saved model, as far as it has parameters of the same names. Names are those of the layers, as in
  /// the summary: another layer without parameters changes none of them.
  /// - Parameters:
  ///   - url: the directory of a model or of a training run; or a safetensors file, whose names are paths of properties.
  ///   - layers: the layers or parameters that get values, by name or pattern, as in `ParameterGroup`.
  ///   - except: those of them that do not.
  ///   - catalogs: the names that the files may use.
  /// - Returns: what was taken and what was not.
  /// - Throws: `TrainingError` for a pattern that matches nothing here, and if there is nothing to take; `ConfigError` or
  ///   `FormatError` for files that are missing or damaged. Nothing is changed then.
  @discardableResult
  public func takeWeights(
    from url: URL, layers: [String] = ["*"], except: [String] = [], catalogs: ModelCatalogs = ModelCatalogs()
  ) throws -> WeightTransfer {
    let named = try outline().namedParameters
    for pattern in layers + except { try Self.check(pattern, named, "of the weights to take") }
    let chosen = named.filter { parameter in
      layers.contains { parameter.fits($0) } && !except.contains { parameter.fits($0) }
    }
    let values = try Self.values(in: url, catalogs)
    var (taken, left, misshaped, used) = ([String](), [String](), [StoreMismatch.Difference](), Set<String>())
    var found: [(String, NDArray)] = []
    for parameter in chosen {
      let name = parameter.lastingName
      guard
        let (key, value) = [name, parameter.spec.name].lazy.compactMap({ key in values[key].map { (key, $0) } }).first
      else {
        left.append(name)
        continue
      }
      used.insert(key)
      if value.type == parameter.spec.type {
        found.append((parameter.spec.name, value))
        taken.append(name)
      } else {
        misshaped.append(
          StoreMismatch.Difference(name: name, expected: parameter.spec.type, received: value.type))
      }
    }
    let transfer = WeightTransfer(
      source: url.path, taken: taken, left: left, misshaped: misshaped,
      unused: values.names.filter { !used.contains($0) })
    guard !taken.isEmpty else { throw TrainingError("nothing can be taken over: \(transfer)") }
    try take(found)
    return transfer
  }

  /// Refuses a pattern that matches no parameter.
  static func check(_ pattern: String, _ named: [NamedParameter], _ user: String) throws {
    guard !named.contains(where: { $0.fits(pattern) }) else { return }
    var layers: [String] = []
    for parameter in named where !layers.contains(parameter.layer) { layers.append(parameter.layer) }
    let near = nearestWord(to: pattern, among: layers).map { " Did you mean '\($0)'?" } ?? ""
    throw TrainingError(
      "the pattern '\(pattern)' \(user) matches no parameter and no layer with parameters.\(near) Layers: "
        + "\(layers.joined(separator: ", ")).")
  }

  /// Values by lasting name, where the model's architecture is known, and by path of properties otherwise.
  private static func values(in url: URL, _ catalogs: ModelCatalogs) throws -> Store {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory), isDirectory.boolValue else {
      return try readStore(url)
    }
    let inside = url.appendingPathComponent("model", isDirectory: true)
    let isRun = FileManager.default.fileExists(atPath: inside.path)
    let saved = try SavedModel(isRun ? inside : url, catalogs)
    let lasting = try saved.outline().lastingNames
    return Store(try saved.weights().entries.map { (lasting[$0.0] ?? $0.0, $0.1) })
  }
}
