// Plugins installed for this library, in a directory of the user's cache. A plugin's directory has the layout of
// Python's packages, since NVIDIA's libraries find each other by relative paths. A directory is complete or does not
// exist: it is filled under another name, tested, and then renamed.

import AccelerandoFormats
import Foundation

/// The installed plugins.
public struct PluginStore: Sendable {
  /// The directory with one directory per plugin.
  public let directory: URL

  /// Makes a store.
  public init(directory: URL) { self.directory = directory }

  /// The user's store.
  public static func current(environment: [String: String] = ProcessInfo.processInfo.environment) -> PluginStore {
    PluginStore(directory: userCacheDirectory(environment).appendingPathComponent("plugins", isDirectory: true))
  }

  /// What is known about an installed plugin.
  struct Record: Codable {
    var name: String
    var platform: String
    /// The library's path within the plugin's directory.
    var library: String
    /// Its origin: a package's name and version, or a path.
    var source: String
  }

  private static let recordName = "plugin.json"

  /// The installed plugins, in the order of their directories' names.
  public func plugins() -> [FoundPlugin] { installed().map(\.plugin) }

  private func installed() -> [(folder: URL, plugin: FoundPlugin)] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
    return names.sorted().filter { !$0.hasPrefix(".") }.compactMap { name in
      let folder = directory.appendingPathComponent(name, isDirectory: true)
      guard let data = try? Data(contentsOf: folder.appendingPathComponent(Self.recordName)),
        let record = try? JSONDecoder().decode(Record.self, from: data)
      else { return nil }
      let library = folder.appendingPathComponent(record.library)
      let plugin = FoundPlugin(
        name: record.name, platform: record.platform, path: library.path, origin: "installed from \(record.source)")
      return (folder, plugin)
    }
  }

  /// Downloads a plugin and everything it needs with pip.
  /// - Parameters:
  ///   - kind: the kind of plugin.
  ///   - compileOnly: omits packages that are needed to run programs but not to compile them.
  ///   - progress: is told what is being done.
  /// - Throws: `FormatError` when something cannot be downloaded or written, `DeviceError` when the library does not
  ///   load; an earlier installation is then unchanged.
  @discardableResult
  public func install(
    _ kind: PluginKind, compileOnly: Bool = false, progress: (String) -> Void = { _ in }
  ) throws -> FoundPlugin {
    try install(name: kind.rawValue) { folder in
      let companions = compileOnly ? kind.compilerCompanions : kind.companions
      var failure: (any Error)?
      for (package, path) in kind.libraries {
        let others = companions.isEmpty ? "" : companions.count == 1 ? " and 1 more" : " and \(companions.count) more"
        progress("Fetching \(package)\(others) …")
        do {
          try pip([package] + companions, into: folder, progress)
        } catch {
          failure = failure ?? error
          continue
        }
        let version = Self.version(of: package, in: folder)
        let source = (version.map { "\(package) \($0)" } ?? package) + (compileOnly ? ", to compile only" : "")
        return Record(name: kind.rawValue, platform: kind.platform, library: path, source: source)
      }
      throw failure ?? FormatError(file: kind.rawValue, reason: "there is no package to install it from")
    }
  }

  /// Installs a plugin from a wheel or a library on this machine.
  @discardableResult
  public func install(file: URL, progress: (String) -> Void = { _ in }) throws -> FoundPlugin {
    let stem = file.deletingPathExtension().lastPathComponent
    let isWheel = file.pathExtension == "whl"
    let name = String((isWheel ? stem.prefix { $0 != "-" } : stem[...]).map { $0.isLetter || $0.isNumber ? $0 : "_" })
    guard FileManager.default.fileExists(atPath: file.path) else {
      throw FormatError(file: file.path, reason: "there is no such file", remedy: "Check the path")
    }
    return try install(name: name) { folder in
      if isWheel {
        progress("Unpacking \(file.lastPathComponent) …")
        try pip([file.path], into: folder, progress)
        let known = PluginKind.allCases.first { kind in
          kind.libraries.contains { access(folder.appendingPathComponent($0.path).path, R_OK) == 0 }
        }
        let library = known?.libraries.map(\.path).first {
          access(folder.appendingPathComponent($0).path, R_OK) == 0
        }
        guard let library = library ?? Self.onlyLibrary(in: folder) else {
          throw FormatError(file: file.path, reason: "the package has no library with a plugin in it")
        }
        return Record(
          name: known?.rawValue ?? name, platform: known?.platform ?? name, library: library, source: file.path)
      }
      // Checked before a large file is copied: whether it is a plugin at all.
      _ = try Plugin.load(file.path)
      try FileManager.default.copyItem(
        at: file.resolvingSymlinksInPath(), to: folder.appendingPathComponent(file.lastPathComponent))
      let known = PluginKind.allCases.first { kind in
        kind.libraries.contains { $0.path.hasSuffix("/\(file.lastPathComponent)") }
      }
      return Record(
        name: name, platform: known?.platform ?? name, library: file.lastPathComponent, source: file.path)
    }
  }

  /// Removes an installed plugin.
  /// - Returns: the removed plugin.
  /// - Throws: `FormatError` when there is none with the name or it cannot be removed.
  @discardableResult
  public func remove(_ name: String) throws -> FoundPlugin {
    let installed = installed()
    guard let (folder, plugin) = installed.first(where: { $0.plugin.name == name }) else {
      let names = installed.map(\.plugin.name).joined(separator: ", ")
      throw FormatError(
        file: directory.path, reason: "no plugin '\(name)' is installed",
        remedy: names.isEmpty ? "Nothing is installed here" : "Installed here: \(names)")
    }
    // Renamed first, so that it is gone completely even if deleting is interrupted.
    let old = directory.appendingPathComponent(".\(folder.lastPathComponent).\(UUID().uuidString).old")
    try FileManager.default.moveItem(at: folder, to: old)
    try? FileManager.default.removeItem(at: old)
    return plugin
  }

  private func install(name: String, _ fill: (URL) throws -> Record) throws -> FoundPlugin {
    try makeDirectory(at: directory)
    let suffix = UUID().uuidString
    let fresh = directory.appendingPathComponent(".\(name).\(suffix).partial", isDirectory: true)
    let place = directory.appendingPathComponent(name, isDirectory: true)
    let old = directory.appendingPathComponent(".\(name).\(suffix).old", isDirectory: true)
    try makeDirectory(at: fresh)
    defer {
      try? FileManager.default.removeItem(at: fresh)
      try? FileManager.default.removeItem(at: old)
    }
    let record = try fill(fresh)
    let library = fresh.appendingPathComponent(record.library)
    guard FileManager.default.fileExists(atPath: library.path) else {
      throw FormatError(
        file: record.source, reason: "the package has no \(record.library)",
        remedy: "Use another version of the package")
    }
    _ = try Plugin.load(library.path)
    let data = try JSONEncoder().encode(record)
    try AtomicFile.write(to: fresh.appendingPathComponent(Self.recordName)) { try $0.write([UInt8](data)) }
    let exists = FileManager.default.fileExists(atPath: place.path)
    if exists { try FileManager.default.moveItem(at: place, to: old) }
    do {
      try FileManager.default.moveItem(at: fresh, to: place)
    } catch {
      if exists { try? FileManager.default.moveItem(at: old, to: place) }
      throw error
    }
    return FoundPlugin(
      name: record.name, platform: record.platform, path: place.appendingPathComponent(record.library).path,
      origin: "installed from \(record.source)")
  }

  private func pip(_ packages: [String], into folder: URL, _ progress: (String) -> Void) throws {
    let arguments = ["install", "--quiet", "--no-deps", "--only-binary", ":all:", "--target", folder.path] + packages
    // Some packages are gigabytes; a message every few seconds shows progress.
    let start = ContinuousClock.now
    var told = 0
    func poll() {
      let seconds = Int((ContinuousClock.now - start).components.seconds)
      guard seconds / 15 > told else { return }
      told = seconds / 15
      progress("… \(seconds) s")
    }
    for python in ["python3", "python"] where Command.find(python) != nil {
      try Command(name: python, arguments: ["-m", "pip"] + arguments, directory: folder).run(poll: poll)
      return
    }
    guard Command.find("pip3") != nil else {
      throw FormatError(
        file: "pip", reason: "plugins are fetched with Python's pip, which is not on this machine",
        remedy:
          "Install python3-pip, or download the plugin elsewhere and name its path. Python is not needed to run it")
    }
    try Command(name: "pip3", arguments: arguments, directory: folder).run(poll: poll)
  }

  private static func version(of package: String, in folder: URL) -> String? {
    let prefix = package.replacingOccurrences(of: "-", with: "_") + "-"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.first { $0.hasPrefix(prefix) && $0.hasSuffix(".dist-info") }
      .map { String($0.dropFirst(prefix.count).dropLast(".dist-info".count)) }
  }

  /// The only shared library of a package that looks like a plugin.
  private static func onlyLibrary(in folder: URL) -> String? {
    let names = (FileManager.default.enumerator(atPath: folder.path)?.allObjects ?? []).compactMap { $0 as? String }
    let libraries = names.filter { $0.hasSuffix(".so") || $0.hasSuffix(".dylib") }
    let likely = libraries.filter { $0.lowercased().contains("pjrt") || $0.lowercased().contains("plugin") }
    return likely.count == 1 ? likely[0] : libraries.count == 1 ? libraries[0] : nil
  }
}
