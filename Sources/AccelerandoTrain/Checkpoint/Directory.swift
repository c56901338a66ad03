// Directories that are there whole or not at all.

import AccelerandoFormats
import AccelerandoNN
import Foundation

/// Writes a directory under another name and lets it take the place of the earlier one when it is complete.
/// - Parameter marker: a file that earlier directories of the kind have; others are never replaced.
/// - Throws: what `body` throws, or a system error; the earlier directory is then as it was.
func replaceDirectory(_ directory: URL, marker: String, _ body: (URL) throws -> Void) throws {
  let manager = FileManager.default
  let parent = directory.deletingLastPathComponent()
  let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
  let fresh = parent.appendingPathComponent(".\(directory.lastPathComponent).\(suffix).partial")
  let old = parent.appendingPathComponent(".\(directory.lastPathComponent).\(suffix).old")
  let exists = manager.fileExists(atPath: directory.path)
  if exists, !manager.fileExists(atPath: directory.appendingPathComponent(marker).path) {
    throw TrainingError(
      "\(directory.path) is there already and is no saved model (it has no \(marker)); choose another name.")
  }
  try manager.createDirectory(at: fresh, withIntermediateDirectories: true)
  do {
    try body(fresh)
    if exists { try manager.moveItem(at: directory, to: old) }
    do {
      try manager.moveItem(at: fresh, to: directory)
    } catch {
      if exists { try manager.moveItem(at: old, to: directory) }
      throw error
    }
  } catch {
    try? manager.removeItem(at: fresh)
    throw error
  }
  if exists { try? manager.removeItem(at: old) }
}

/// Reads a file of JSON.
/// - Throws: `ConfigError` naming the file, and the line where the text is wrong.
func readConfig(_ url: URL) throws -> Config {
  guard let data = FileManager.default.contents(atPath: url.path) else {
    throw ConfigError("cannot read \(url.path). A saved model is a directory with the file \(url.lastPathComponent).")
  }
  guard let text = String(data: data, encoding: .utf8) else { throw ConfigError("\(url.path) is not UTF-8 text.") }
  return try Config(json: text, file: url.path)
}

func write(_ text: String, to url: URL) throws {
  try AtomicFile.write(to: url) { try $0.write(Array(text.utf8)) }
}
