// Compiling takes seconds to minutes, and every run compiles the same program. Compiled programs are kept as files; a
// file is used only for the same program, options, plugin and kind of device. Losing one costs only time, so that
// nothing here is an error: what cannot be read or written is compiled again.

import AccelerandoCore
import AccelerandoFormats
import Foundation

/// Compiled programs on the disk.
public struct CompileCache: Sendable {
  /// The directory with the files.
  public let directory: URL
  /// The limit of all files together, in bytes; the least recently used are removed first.
  public let limit: Int

  /// Makes a cache.
  public init(directory: URL, limit: Int = 2 << 30) {
    self.directory = directory
    self.limit = limit
  }

  /// The user's cache.
  public static func current(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> CompileCache {
    CompileCache(directory: userCacheDirectory(environment).appendingPathComponent("compiled", isDirectory: true))
  }

  /// The beginning of every file; the number changes with the format.
  private static let magic = "accelerando compiled program 1\n"
  private static let headerLength = magic.utf8.count + 64

  /// The name of a program's file.
  func key(text: String, options: CompileOptions, client: Client, device: PluginDevice) throws -> String {
    let digest = try SHA256Digest()
    let plugin = client.plugin
    var status = stat()
    stat(plugin.path, &status)
    #if os(Linux)
      let changed = "\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
    #else
      let changed = "\(status.st_mtimespec.tv_sec).\(status.st_mtimespec.tv_nsec)"
    #endif
    let attributes = try plugin.attributes().sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    var parts = [
      plugin.path, "\(status.st_size)", changed, "\(plugin.version.major).\(plugin.version.minor)", client.platform,
      client.platformVersion, device.kind, "\(client.devices.count)",
    ]
    parts += attributes
    // Code for a processor may use all of its features, and home directories are shared between machines.
    if client.isHostMemory { parts.append(processor) }
    for part in parts { try digest.update("\(part.utf8.count):\(part)") }
    try options.bytes.withUnsafeBytes { try digest.update($0) }
    try digest.update(text)
    return try digest.finish()
  }

  private var processor: String {
    guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return "" }
    let lines = text.split(separator: "\n")
    return lines.first { $0.hasPrefix("flags") || $0.hasPrefix("Features") }.map(String.init) ?? ""
  }

  private func file(_ key: String) -> URL { directory.appendingPathComponent("\(key).xla") }

  /// A compiled program, if it is present and intact.
  func load(_ key: String, on client: Client) -> LoadedProgram? {
    let url = file(key)
    guard access(url.path, R_OK) == 0 else { return nil }
    do {
      let loaded = try FileContents(url).withUnsafeBytes { bytes -> LoadedProgram? in
        guard bytes.count > Self.headerLength else { return nil }
        let payload = UnsafeRawBufferPointer(rebasing: bytes[Self.headerLength...])
        // Plugins do not check what they load; a damaged file must not get there.
        guard bytes.prefix(Self.headerLength).elementsEqual(try header(payload)) else { return nil }
        return try LoadedProgram(serialized: payload, on: client)
      }
      if let loaded {
        utimes(url.path, nil)
        return loaded
      }
    } catch {}
    unlink(url.path)
    return nil
  }

  private func header(_ payload: UnsafeRawBufferPointer) throws -> [UInt8] {
    let digest = try SHA256Digest()
    try digest.update(payload)
    return Array((Self.magic + (try digest.finish())).utf8)
  }

  /// Keeps a compiled program, if the plugin can serialize it.
  func store(_ loaded: LoadedProgram, _ key: String) {
    do {
      let payload = try loaded.serialized()
      guard payload.count <= limit / 2 else { return }
      try makeDirectory(at: directory)
      try AtomicFile.write(to: file(key)) { file in
        try file.write(try payload.withUnsafeBytes { try header($0) })
        try file.write(payload)
      }
      evict()
    } catch {}
  }

  /// Removes the least recently used files until the rest fits, and what killed writers left behind.
  private func evict() {
    let keys: Set<URLResourceKey> = [.contentModificationDateKey, .fileSizeKey]
    let urls =
      (try? FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: Array(keys))) ?? []
    var files: [(url: URL, size: Int, used: Date)] = []
    for url in urls {
      guard let values = try? url.resourceValues(forKeys: keys), let size = values.fileSize,
        let used = values.contentModificationDate
      else { continue }
      if url.pathExtension == "partial", used.timeIntervalSinceNow < -3600 {
        unlink(url.path)
      } else if url.pathExtension == "xla" {
        files.append((url, size, used))
      }
    }
    var total = files.reduce(0) { $0 + $1.size }
    for file in files.sorted(by: { $0.used < $1.used }) where total > limit {
      unlink(file.url.path)
      total -= file.size
    }
  }
}
