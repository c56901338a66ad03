// The page of all that a recipe may say, written by the readers and catalogs that read recipes: `Docs/Recipes.md`.

import AccelerandoData
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
    text += "\n## data\n\nOne of these keys says where the data come from; its settings stand beside it.\n"
    for source in RecipeData.sources {
      text += "\n### data: \(source.key)\n\n\(source.about)\n\n" + table(RecipeData.settings(of: source))
    }
    settings("compile", "compile") { _ = try CompileSettings($0) }
    settings("weights", "weights") { _ = try WeightSource($0) }
    settings("fit", "fit") { _ = try FitSettings($0) }
    let directory = URL(fileURLWithPath: ".", isDirectory: true)
    let catalogs: [(title: String, catalog: any CatalogListing)] = [
      ("Layers", LayerCatalog()),
      ("Layers that read text", Catalog<any TextEncoder>.textEncoders(in: directory)),
      ("Losses", Catalog.losses), ("Metrics", Catalog.metrics),
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

    ## Graphs of layers

    Each layer reads the one before; the first reads the input. Any layer may have a `name`, and say in `from` what it reads
    instead: a layer or an input by name, or a list of them. A layer may read one that stands below it, but not in a circle. `name`,
    `from` and `repeat` stand in a layer's settings, or beside it: `- Add: {from: [stem, shortcut]}`, `- {Flatten: , from: stem}`.

    ```yaml
    inputs: {image: [28, 28, 1], age: [1]} # or [image, age], with the shapes of the data; {shape: [1], dtype: int32} says both

    layers:
      - Conv2D: {filters: 8, kernel_size: 3, name: stem, from: image}
      - Flatten: {name: seen}
      - Dense: {units: 8, name: told, from: age}
      - Concatenate: {name: both, from: [seen, told]}
      - Dense: {units: 10, activation: softmax, name: digit}
      - Dense: {units: 1, activation: sigmoid, name: even, from: both}

    outputs: [digit, even] # or {digit: digit, even: even}; without it, the last layer is the output

    compile:
      losses: {digit: sparse_categorical_crossentropy, even: binary_crossentropy}
      loss_weights: {even: 0.5}
      metrics: {digit: [accuracy]}
    ```

    Without `inputs` there is one, called `input`. A layer with several outputs is read by their names: `from: encoder.state_0`; an
    error lists them. Every input and every layer has to lead to an output.

    `repeat: 3` puts three such layers one after the other, each with its own weights. With the name `step` they are `step_1` to
    `step_3`, and `from: step` reads the last. Of several inputs, each repetition reads the one before in place of the first.

    A block is a part of the model with a name, used like a layer:

    ```yaml
    blocks:
      residual:
        parameters: {filters: 64, rate: } # 'rate' has to be given; [filters, rate] declares both without a value
        layers:
          - Conv2D: {filters: $filters, kernel_size: 3, padding: same, activation: relu}
          - Dropout: {rate: $rate, name: change}
          - Add: {from: [input, change]}

    layers:
      - residual: {filters: 8, rate: 0.1, repeat: 2, name: first}
    ```

    Inside a block, `$filters` stands for the parameter's value; names are the block's own, and layers read its inputs, not the
    layers around it. `inputs: [x, skip]` gives a block several inputs, which a use lists in `from`; `outputs` gives it several
    outputs. Blocks may use other blocks. Parameters of the model are called by this path: `first_1.conv2d.weight`. The layer
    `Functional` with `layers`, `inputs` and `outputs` is a block that is used once.

    The arrays of an NPZ file are called `x_train` and `y_train` and, for validation, `x_test` and `y_test`; for several inputs
    or outputs with their names behind: `x_train_image`, `y_train_digit`. For training, `x_image` and `y_digit` are found too.
    `predict` reads the inputs from an NPZ file with `x_image` (or `image`, or `x_test_image`), and writes several outputs to an
    NPZ file by name.

    """
}
