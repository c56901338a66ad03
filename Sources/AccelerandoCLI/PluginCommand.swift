// Installs, lists and removes plugins for accelerators.

import Accelerando
import ArgumentParser
import Foundation

struct PluginCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plugin", abstract: "Installs and lists plugins for accelerators.",
    discussion: """
      A plugin is a shared library with XLA's compiler for a kind of device. Those of JAX, where it is installed, and those \
      in the environment variable PJRT_NAMES_AND_LIBRARY_PATHS (name:path,name:path) are found too.
      """,
    subcommands: [Install.self, List.self, Remove.self])

  /// A plugin as it is printed.
  private struct Entry: Encodable {
    let name: String
    let platform: String
    let path: String
    let origin: String

    init(_ plugin: FoundPlugin) {
      name = plugin.name
      platform = plugin.platform
      path = plugin.path
      origin = plugin.origin
    }
  }

  struct Install: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Downloads a plugin with pip, or installs one from a file.",
      discussion: "Python is needed to download a plugin, not to use it.")

    @Argument(
      help:
        "\(PluginKind.allCases.map(\.rawValue).joined(separator: ", ")), or the path of a wheel or a shared library.")
    var plugin: String

    @Flag(
      help: "Omit the libraries that are needed to run programs on a GPU; 'accelerando plan' does not need them.")
    var compileOnly = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
      let store = PluginStore.current()
      let installed: FoundPlugin
      if let kind = PluginKind(rawValue: plugin) {
        installed = try store.install(kind, compileOnly: compileOnly, progress: tell)
      } else {
        guard plugin.contains("/") || plugin.contains(".") else {
          let nearest = suggestion(for: plugin, among: PluginKind.allCases.map(\.rawValue))
          throw ValidationError(
            "there is no plugin '\(plugin)'.\(nearest) Known: \(PluginKind.allCases.map(\.rawValue).joined(separator: ", ")); "
              + "or name a file.")
        }
        installed = try store.install(file: URL(fileURLWithPath: plugin), progress: tell)
      }
      if json { return try printJSON(Entry(installed)) }
      print("\(installed.name) is installed: \(installed.path)")
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists the plugins of this machine, preferred ones first.")

    @Flag(help: "Print a JSON array.")
    var json = false

    func run() throws {
      let plugins = PluginSearch.current().plugins()
      if json { return try printJSON(plugins.map(Entry.init)) }
      if plugins.isEmpty { tell("No plugins are found. 'accelerando plugin install cpu' is a beginning.") }
      for plugin in plugins { print("\(plugin.name)\t\(plugin.path)\t\(plugin.origin)") }
    }
  }

  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Removes a plugin that was installed with 'plugin install'.")

    @Argument(help: "The plugin's name.")
    var name: String

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
      let removed = try PluginStore.current().remove(name)
      if json { return try printJSON(Entry(removed)) }
      print("\(name) is removed.")
    }
  }
}
