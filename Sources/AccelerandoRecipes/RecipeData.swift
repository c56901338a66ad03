// What a recipe says of its data: one source, with its settings.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import Foundation

/// The data that a recipe names.
public struct RecipeData: Sendable {
  /// The kinds of data that recipes can name.
  static let sources: [any RecipeSource.Type] = [
    BuiltInSource.self, ArchiveSource.self, ArrayFilesSource.self, TableRecipeSource.self, ImageRecipeSource.self,
    TextRecipeSource.self, SeriesSource.self,
  ]

  let source: any RecipeSource
  let names: DataNames

  /// The type of one input, if it is known without the data.
  public var knownInput: TensorType? { source.knownInput }

  /// The number of samples to train on, if it is known without the data.
  var knownCount: Int? { source.knownCount }

  /// The names of the classes, if known.
  public var classNames: [String]? { source.classNames }

  /// Reads the settings `data`.
  /// - Parameters:
  ///   - reader: the settings.
  ///   - names: what the model's inputs and outputs are called.
  init(_ reader: ConfigReader, for names: DataNames = DataNames()) throws {
    let given = Self.sources.filter { reader.config[$0.key].map { $0.value != .null } ?? false }
    guard given.count == 1 else { throw Self.notOneSource(given.map { $0.key }, reader) }
    self.names = names
    let type = given[0]
    let source = try type.init(reader, for: names)
    self.source = source
    try Self.refuseSettingsOfOthers(type, reader)
    try reader.finish()
  }

  /// The settings of a source, in the order in which it reads them.
  static func settings(of source: any RecipeSource.Type) -> [Setting] {
    let reader = ConfigReader(describing: "data")
    // Made-up settings need not make sense together; what was asked for is known by then.
    _ = try? source.init(reader, for: DataNames())
    return reader.settings
  }

  /// Refuses settings that only other sources have, and that would be ignored.
  private static func refuseSettingsOfOthers(_ source: any RecipeSource.Type, _ reader: ConfigReader) throws {
    guard case .object(let entries) = reader.config.value else { return }
    let others = Set(sources.filter { $0 != source }.flatMap { [$0.key] + settings(of: $0).map(\.key) })
    for entry in entries where others.contains(entry.key) && !reader.settings.contains(where: { $0.key == entry.key }) {
      throw ConfigError(
        "\(reader.subject): '\(entry.key)' does not go with '\(source.key)'.", at: entry.value.location)
    }
  }

  /// What to throw where no source is named, or more than one.
  private static func notOneSource(_ given: [String], _ reader: ConfigReader) -> ConfigError {
    let known = "Known: \(sources.map { "'\($0.key)'" }.joined(separator: ", "))."
    if !given.isEmpty {
      return ConfigError(
        "\(reader.subject) needs one source; received '\(given.joined(separator: "' and '"))'. \(known)",
        at: reader.config.location)
    }
    let all = Set(sources.flatMap { [$0.key] + settings(of: $0).map(\.key) })
    guard case .object(let entries) = reader.config.value,
      let stranger = entries.first(where: { !all.contains($0.key) })
    else { return ConfigError("\(reader.subject) needs a source. \(known)", at: reader.config.location) }
    let nearest = nearestWord(to: stranger.key, among: all.sorted()).map { " Did you mean '\($0)'?" } ?? ""
    return ConfigError(
      "\(reader.subject): the source '\(stranger.key)' is not known.\(nearest) \(known)", at: stranger.location)
  }
}
