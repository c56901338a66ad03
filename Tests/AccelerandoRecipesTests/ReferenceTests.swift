// The page of all that a recipe may say is written by the readers of recipes, and so is what is kept of it in Docs.

import AccelerandoCore
import AccelerandoNN
import AccelerandoRecipes
import AccelerandoTrain
import Foundation
import Testing

@Suite struct ReferenceTests {
  @Test func thePageInDocsIsWhatTheProgramWrites() throws {
    let url = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Docs/Recipes.md").standardized
    let page = try String(contentsOf: url, encoding: .utf8)
    #expect(
      page == (try RecipeReference.markdown()),
      "write it again: accelerando recipes --reference > Docs/Recipes.md")
  }

  @Test func everyKeyAndEveryKindIsOnThePage() throws {
    let page = try RecipeReference.markdown()
    let keys = [
      "data", "layers", "compile", "fit", "callbacks", "name", "npz", "inputs", "targets", "validation_inputs",
      "validation_targets", "optimizer", "loss", "metrics", "precision", "epochs", "batch_size", "validation_split",
      "shuffle", "seed", "steps_per_epoch", "validation_freq",
    ]
    for key in keys { #expect(page.contains("| `\(key)` |"), "\(key)") }
    let directory = FileManager.default.temporaryDirectory
    let catalogs: [any CatalogListing] = [
      LayerCatalog(), Catalog.losses, Catalog.metrics, Catalog.optimizers, Catalog.schedules,
      Catalog<any Callback>.callbacks(in: directory), Catalog.initializers, Catalog.activations,
    ]
    for name in catalogs.flatMap(\.names) { #expect(page.contains("### \(name)\n"), "\(name)") }
    #expect(page.contains("| `units` | a whole number of at least 1 | required |"))
    #expect(page.contains("| `patience` | a whole number of at least 0 | 0 |"))
  }

  @Test func everyCallbackSaysWhatItIsAndWhatItsSettingsNeed() throws {
    let catalog = Catalog<any Callback>.callbacks(in: FileManager.default.temporaryDirectory)
    for name in catalog.names {
      let entry = try catalog.entry(name)
      #expect(entry.summary.hasSuffix("."), "\(name)")
      for setting in entry.settings { #expect(!setting.kind.isEmpty, "\(name).\(setting.key)") }
    }
    #expect(try catalog.entry("ModelCheckpoint").settings.map(\.key).contains("save_best_only"))
  }

  @Test func aSourceOfDataThatIsNotKnownIsNamedWithThoseThatAre() {
    func problem(_ data: String) -> String {
      let text = RecipeTests.small.replacing("name: fashion-mnist-sample", with: data)
      do {
        _ = try Recipe(yaml: text, name: "r", file: "r.yaml", directory: FileManager.default.temporaryDirectory)
      } catch { return "\(error)" }
      return "no error"
    }
    let unknown = problem("parquet: table.parquet")
    #expect(unknown.hasPrefix("r.yaml:2: data: the source 'parquet' is not known. Known: 'name',"), "\(unknown)")
    #expect(problem("nam: fashion-mnist").contains("the source 'nam' is not known. Did you mean 'name'?"))
    #expect(problem("{}").contains("data needs a source. Known:"))
    #expect(problem("{npz: a.npz, name: fashion-mnist}").contains("needs one source; received 'name' and 'npz'"))
    #expect(problem("{npz: a.npz, targets: b.npy}").contains("'targets' does not go with 'npz'"))
    #expect(problem("{inputs: a.npy}").contains("needs the setting 'targets'"))
    #expect(problem("{inputs: a.npy, targets: b.npy, validation_inputs: c.npy}").contains("together"))
    #expect(problem("{npz: a.npz, shuffle: true}").contains("has no setting 'shuffle'"))
  }

  @Test func adviceForARecipeIsInTheWordsOfRecipes() throws {
    let recipe = try Recipe(
      yaml: RecipeTests.small.replacing("Flatten", with: "Conv2D: {filters: 2, kernel_size: 3}"), name: "r",
      file: "r.yaml", directory: FileManager.default.temporaryDirectory)
    do {
      _ = try Outline(of: recipe.model, inputs: [.init(.float32, [1, 8, 8])])
      Issue.record("a convolution of no image was accepted")
    } catch {
      #expect("\(error)".contains("Add a channel axis: a Reshape to [8, 8, 1] before it."))
    }
  }
}
