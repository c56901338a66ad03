// Commands that only print: the layers of a model, and the built-in recipes.

import Accelerando
import AccelerandoRecipes
import ArgumentParser
import Foundation

struct Summary: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Shows the layers of a recipe's or a trained model.")

  @Argument(help: "A built-in recipe's name, the path of a YAML file, or a directory that 'train --output' wrote.")
  var model: String

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var dataOptions: DataOptions

  func run() throws {
    let summary = try loadModel(backend: CPUBackend(threads: 1)).describe()
    if json { try printJSON(summary) } else { print(summary) }
  }

  private func loadModel(backend: any Backend) throws -> Model {
    if RunDirectory.isDirectory(model) { return try RunDirectory(opening: model).loadModel(backend: backend) }
    let recipe = try Recipe(model)
    // The shapes of the known datasets, and those that recipes declare, are known without the data.
    let inputs = try recipe.knownInputs ?? dataOptions.load(recipe).inputs
    return try recipe.makeModel(for: inputs, backend: backend)
  }
}

struct Recipes: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the built-in recipes, or prints one.",
    discussion: "'accelerando recipes mlp > mine.yaml' copies a recipe for you to change.")

  @Argument(help: "The recipe to print.")
  var name: String?

  @Flag(help: "Print the reference of recipes in Markdown: every key, every layer, loss, callback, ….")
  var reference = false

  func validate() throws {
    if reference, name != nil { throw ValidationError("--reference prints one page and takes no recipe.") }
  }

  func run() throws {
    if reference {
      print(try RecipeReference.markdown(), terminator: "")
      return
    }
    guard let name else {
      let width = BuiltInRecipe.all.map(\.name.count).max() ?? 0
      for recipe in BuiltInRecipe.all {
        print("\(recipe.name)\(String(repeating: " ", count: width - recipe.name.count + 2))\(recipe.summary)")
      }
      return
    }
    guard let recipe = BuiltInRecipe.named(name) else {
      let names = BuiltInRecipe.all.map(\.name).joined(separator: ", ")
      let nearest = suggestion(for: name, among: BuiltInRecipe.all.map(\.name))
      throw ValidationError("there is no built-in recipe '\(name)'.\(nearest) Known: \(names).")
    }
    print(recipe.yaml, terminator: "")
  }
}
