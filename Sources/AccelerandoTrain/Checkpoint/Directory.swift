// Files of JSON, and what may be in the way of files that are to be written.

import AccelerandoFormats
import AccelerandoNN
import Foundation

/// Refuses, before training, a file or a model's directory that could not be written after it.
/// - Throws: `FormatError` saying what is in the way.
func checkCanReplace(_ url: URL, isDirectory: Bool) throws {
  if isDirectory { return try Model.checkCanSave(to: url) }
  var status = stat()
  guard stat(url.path, &status) == 0 else { return try checkIsWritable(url.deletingLastPathComponent()) }
  guard status.st_mode & S_IFMT != S_IFDIR else {
    throw FormatError(
      file: url.path, reason: "should become a file, and a directory is in its place", remedy: "Choose another name")
  }
  guard access(url.path, W_OK) == 0 else {
    throw FormatError(
      file: url.path, reason: "cannot be written: \(String(cString: strerror(errno)))",
      remedy: "Change its permissions, or choose another name")
  }
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
