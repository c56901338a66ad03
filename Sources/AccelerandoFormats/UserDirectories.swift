// The user's caches: data sets, plugins, compiled programs. Everything in them can be restored.

import Foundation

/// Our directory among the user's caches; it need not exist.
public func userCacheDirectory(
  _ environment: [String: String] = ProcessInfo.processInfo.environment
) -> URL {
  func directory(_ variable: String) -> URL? {
    guard let path = environment[variable], !path.isEmpty else { return nil }
    return URL(fileURLWithPath: path, isDirectory: true)
  }
  let home = directory("HOME") ?? FileManager.default.homeDirectoryForCurrentUser
  #if os(macOS)
    let caches = home.appendingPathComponent("Library/Caches", isDirectory: true)
  #else
    let caches = directory("XDG_CACHE_HOME") ?? home.appendingPathComponent(".cache", isDirectory: true)
  #endif
  return caches.appendingPathComponent("accelerando", isDirectory: true)
}
