// Plugins are searched for where this library installs them, where the environment names them, and in Python's
// packages: a machine that runs JAX has them already.

import AccelerandoFormats
import Foundation

/// A plugin on this machine.
public struct FoundPlugin: Hashable, Sendable {
  /// Its name: a `PluginKind`'s name, or the name that it was installed or listed under.
  public let name: String
  /// The name of its devices: `cpu`, `cuda`, `tpu`, or the plugin's name.
  public let platform: String
  /// The library's path.
  public let path: String
  /// Where it was found, in words.
  public let origin: String
}

/// The places where plugins are searched for.
public struct PluginSearch: Sendable {
  /// Plugins installed for this library.
  public var store: PluginStore
  /// `name:path` pairs separated by commas, as in `PJRT_NAMES_AND_LIBRARY_PATHS`.
  public var namesAndPaths: String
  /// Folders with Python's packages.
  public var siteFolders: [URL]

  /// Makes a search.
  public init(store: PluginStore, namesAndPaths: String = "", siteFolders: [URL] = []) {
    self.store = store
    self.namesAndPaths = namesAndPaths
    self.siteFolders = siteFolders
  }

  /// The places for this user on this machine.
  public static func current(environment: [String: String] = ProcessInfo.processInfo.environment) -> PluginSearch {
    PluginSearch(
      store: .current(environment: environment),
      namesAndPaths: environment["PJRT_NAMES_AND_LIBRARY_PATHS"] ?? "",
      siteFolders: siteFolders(environment))
  }

  /// All plugins, preferred ones first; no library twice.
  public func plugins() -> [FoundPlugin] {
    var found = listed() + store.plugins()
    for site in siteFolders { found += plugins(in: site) }
    var seen: Set<String> = []
    return found.filter { seen.insert(URL(fileURLWithPath: $0.path).resolvingSymlinksInPath().path).inserted }
  }

  /// The plugins with a platform or a name.
  public func plugins(for platform: String) -> [FoundPlugin] {
    plugins().filter { $0.platform == platform || $0.name == platform }
  }

  private func listed() -> [FoundPlugin] {
    namesAndPaths.split(separator: ",").compactMap { entry in
      guard let colon = entry.firstIndex(of: ":") else { return nil }
      let name = entry[..<colon].trimmingCharacters(in: .whitespaces)
      let path = entry[entry.index(after: colon)...].trimmingCharacters(in: .whitespaces)
      guard !name.isEmpty, !path.isEmpty else { return nil }
      let platform = PluginKind(rawValue: name)?.platform ?? name
      return FoundPlugin(name: name, platform: platform, path: path, origin: "PJRT_NAMES_AND_LIBRARY_PATHS")
    }
  }

  private func plugins(in site: URL) -> [FoundPlugin] {
    PluginKind.allCases.flatMap { kind in
      kind.libraries.compactMap { _, path in
        let library = site.appendingPathComponent(path).path
        guard access(library, R_OK) == 0 else { return nil }
        return FoundPlugin(name: kind.rawValue, platform: kind.platform, path: library, origin: site.path)
      }
    }
  }

  private static func siteFolders(_ environment: [String: String]) -> [URL] {
    var roots: [String] = []
    if let active = environment["VIRTUAL_ENV"], !active.isEmpty { roots.append(active) }
    if let conda = environment["CONDA_PREFIX"], !conda.isEmpty { roots.append(conda) }
    if let home = environment["HOME"], !home.isEmpty { roots.append("\(home)/.local") }
    roots += ["/usr/local", "/usr"]
    let manager = FileManager.default
    var folders: [URL] = []
    for root in roots {
      let library = URL(fileURLWithPath: root).appendingPathComponent("lib")
      let versions = ((try? manager.contentsOfDirectory(atPath: library.path)) ?? [])
        .filter { $0.hasPrefix("python3") }.sorted().reversed()
      for version in versions {
        for name in ["site-packages", "dist-packages"] {
          let folder = library.appendingPathComponent(version).appendingPathComponent(name)
          if manager.fileExists(atPath: folder.path) { folders.append(folder) }
        }
      }
    }
    return folders
  }
}
