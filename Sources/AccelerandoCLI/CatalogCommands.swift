// What recipes may name, told by the catalogs that read them: nothing is written down twice, so nothing can lag behind.

import Accelerando
import AccelerandoRecipes
import ArgumentParser
import Foundation

/// A command that lists a catalog, or tells what can be set of one of its kinds.
protocol CatalogCommand: ParsableCommand {
  static var catalog: any CatalogListing { get }
  var choice: CatalogChoice { get }
}

struct CatalogChoice: ParsableArguments {
  @Argument(help: "Show the settings of this one; without a name, all are listed.")
  var name: String?

  @Flag(help: "Print JSON: one object, or a list of them.")
  var json = false
}

extension CatalogCommand {
  static func configuration(_ what: String) -> CommandConfiguration {
    CommandConfiguration(abstract: "Lists the \(what) that recipes may name, or shows the settings of one.")
  }

  func run() throws {
    let catalog = Self.catalog
    guard let name = choice.name else {
      let entries = try catalog.names.map(catalog.entry)
      if choice.json {
        print(Config(.array(entries.map(\.config))).json, terminator: "")
      } else {
        print(columns(entries.map { [$0.name, $0.summary] }))
      }
      return
    }
    let entry: CatalogEntry
    do { entry = try catalog.entry(name) } catch { throw ValidationError("\(error)") }
    print(choice.json ? entry.config.json : entry.page, terminator: "")
  }
}

extension CatalogEntry {
  /// The entry as a table.
  fileprivate var page: String {
    var text = "\(name): \(summary)\n"
    if !aliases.isEmpty { text += "Also called \(aliases.joined(separator: ", ")).\n" }
    if settings.isEmpty { return text + "It has no settings.\n" }
    return text + "\n" + columns([["Setting", "Needs", "Default"]] + settings.map(\.cells)) + "\n"
  }
}

/// Rows whose cells stand below each other.
private func columns(_ rows: [[String]]) -> String {
  let widths = (0..<(rows.first?.count ?? 0)).map { column in rows.map { $0[column].count }.max() ?? 0 }
  return rows.map { row in
    let cells = row.enumerated().map { column, cell in
      column == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[column] - cell.count)
    }
    return cells.joined(separator: "  ")
  }.joined(separator: "\n")
}

struct Layers: CatalogCommand {
  static let configuration = configuration("layers")
  static var catalog: any CatalogListing { LayerCatalog() }
  @OptionGroup var choice: CatalogChoice
}

struct Losses: CatalogCommand {
  static let configuration = configuration("losses")
  static var catalog: any CatalogListing { Catalog.losses }
  @OptionGroup var choice: CatalogChoice
}

struct Metrics: CatalogCommand {
  static let configuration = configuration("metrics")
  static var catalog: any CatalogListing { Catalog.metrics }
  @OptionGroup var choice: CatalogChoice
}

struct Optimizers: CatalogCommand {
  static let configuration = configuration("optimizers")
  static var catalog: any CatalogListing { Catalog.optimizers }
  @OptionGroup var choice: CatalogChoice
}

struct Schedules: CatalogCommand {
  static let configuration = configuration("learning-rate schedules")
  static var catalog: any CatalogListing { Catalog.schedules }
  @OptionGroup var choice: CatalogChoice
}

struct Callbacks: CatalogCommand {
  static let configuration = configuration("callbacks")
  static var catalog: any CatalogListing {
    Catalog<any Callback>.callbacks(in: URL(fileURLWithPath: ".", isDirectory: true))
  }
  @OptionGroup var choice: CatalogChoice
}

struct Initializers: CatalogCommand {
  static let configuration = configuration("initializers")
  static var catalog: any CatalogListing { Catalog.initializers }
  @OptionGroup var choice: CatalogChoice
}

struct Regularizers: CatalogCommand {
  static let configuration = configuration("regularizers")
  static var catalog: any CatalogListing { Catalog.regularizers }
  @OptionGroup var choice: CatalogChoice
}

struct Constraints: CatalogCommand {
  static let configuration = configuration("constraints of weights")
  static var catalog: any CatalogListing { Catalog.constraints }
  @OptionGroup var choice: CatalogChoice
}

struct Activations: CatalogCommand {
  static let configuration = configuration("activation functions")
  static var catalog: any CatalogListing { Catalog.activations }
  @OptionGroup var choice: CatalogChoice
}
