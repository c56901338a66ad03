// The page of all that a recipe may say, written by the readers and catalogs that read recipes: `Docs/Recipes.md`.

import AccelerandoNN
import AccelerandoTrain
import Foundation

/// Every key of a recipe, as a page of Markdown.
public enum RecipeReference {
  /// The page.
  public static func markdown() throws -> String {
    var text = introduction
    func settings(_ title: String, _ subject: String, _ read: (ConfigReader) throws -> Void) {
      let reader = ConfigReader(describing: subject)
      // Made-up settings need not make sense together; what was asked for is known by then.
      try? read(reader)
      text += "\n## \(title)\n\n" + table(reader.settings)
    }
    settings("The file", "a recipe") { _ = try RecipeParts($0) }
    settings("data", "data") { _ = try RecipeData($0) }
    text += "\nOne of `name`, `npz` and `inputs` says where the data come from.\n"
    settings("compile", "compile") { _ = try CompileSettings($0) }
    settings("weights", "weights") { _ = try WeightSource($0) }
    settings("fit", "fit") { _ = try FitSettings($0) }
    let directory = URL(fileURLWithPath: ".", isDirectory: true)
    let catalogs: [(title: String, catalog: any CatalogListing)] = [
      ("Layers", LayerCatalog()), ("Losses", Catalog.losses), ("Metrics", Catalog.metrics),
      ("Optimizers", Catalog.optimizers), ("Learning-rate schedules", Catalog.schedules),
      ("Callbacks", Catalog<any Callback>.callbacks(in: directory)), ("Initializers", Catalog.initializers),
      ("Regularizers", Catalog.regularizers), ("Constraints", Catalog.constraints),
      ("Activations", Catalog.activations),
    ]
    for (title, catalog) in catalogs {
      text += "\n## \(title)\n"
      for entry in try catalog.names.map(catalog.entry) { text += "\n" + section(entry) }
    }
    return text
  }

  private static func section(_ entry: CatalogEntry) -> String {
    let aliases = entry.aliases.isEmpty ? "" : " Also called \(entry.aliases.joined(separator: ", "))."
    let settings = entry.settings.isEmpty ? "" : "\n" + table(entry.settings)
    return "### \(entry.name)\n\n\(escaped(entry.summary))\(aliases)\n" + settings
  }

  private static func table(_ settings: [Setting]) -> String {
    let rows = settings.map { setting in
      "| `\(setting.key)` | \(setting.cells.dropFirst().map(escaped).joined(separator: " | ")) |"
    }
    return (["| setting | needs | default |", "|---|---|---|"] + rows).joined(separator: "\n") + "\n"
  }

  /// A bar would end a cell, a star would slant it.
  private static func escaped(_ text: String) -> String {
    text.replacing("|", with: "\\|").replacing("*", with: "\\*").replacing("<", with: "&lt;")
  }

  private static let introduction = """
    # Recipes

    <!-- Written by `accelerando recipes --reference`; do not edit. -->

    A recipe is a YAML file with a model, its data and its training. `accelerando recipes mlp > mine.yaml` copies one to begin
    with, `accelerando train mine.yaml` trains it. This page lists every key, as the program reads it; `accelerando layers`,
    `losses`, `metrics`, `optimizers`, `schedules`, `callbacks`, `initializers`, `regularizers`, `constraints` and `activations` show the same on the command
    line, with a name the settings of one, with `--json` for programs.

    Where something has settings, it is written `name`, `{name: {settings}}` or, but for layers, `{name: name, settings}`.
    Names are understood in any spelling: `MeanSquaredError` is `mean_squared_error`. A mistake is answered with its line.

    A layer that stands in several places, with the same weights, is written out in the first, with an `id` beside its name; the
    other places refer to it: `- {Dense: {units: 8}, id: tied}` and later `- shares: tied`.

    """
}
