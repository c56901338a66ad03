// One checkpoint on disk: a directory with the tensors, the rest as text, and a manifest with the length and the
// SHA-256 of both. It is written under another name and renamed when every byte is safe; so a checkpoint with its final
// name is complete, unless it was damaged later, which the manifest reveals.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import Foundation

/// The name of a checkpoint's directory: a number, which orders checkpoints, and the step, for the reader.
struct CheckpointName: Hashable, Comparable, CustomStringConvertible {
  let number: Int
  let step: Int

  init(number: Int, step: Int) {
    self.number = number
    self.step = step
  }

  /// Parses a name; nil if it is not that of a checkpoint.
  init?(_ text: String) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0] == "checkpoint", parts[2] == "step", let number = Int(parts[1]),
      let step = Int(parts[3]), number >= 0, step >= 0
    else { return nil }
    self.init(number: number, step: step)
    guard description == text else { return nil }
  }

  var description: String {
    let digits = String(number)
    return "checkpoint-\(String(repeating: "0", count: max(0, 6 - digits.count)))\(digits)-step-\(step)"
  }

  static func < (a: CheckpointName, b: CheckpointName) -> Bool { (a.number, a.step) < (b.number, b.step) }
}

/// The contents of a checkpoint's directory.
enum CheckpointFiles {
  static let format = "accelerando-checkpoint"
  /// Readers refuse later versions: they cannot know what those mean; and earlier ones, which do not say all that a run depends on.
  static let version = 2
  private static let manifest = "manifest.json"
  private static let run = "run.json"
  private static let tensors = "tensors.safetensors"

  /// Writes a checkpoint, atomically.
  /// - Throws: `FormatError` when the disk is full or fails for another reason.
  static func write(_ checkpoint: Checkpoint, as name: CheckpointName, in directory: URL) throws {
    let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
    let partial = directory.appendingPathComponent(".\(name).\(suffix).partial", isDirectory: true)
    try makeDirectory(at: partial)
    do {
      for file in checkpoint.callbacks.flatMap(\.state.files) { synchronize(file.path) }
      let (text, values) = (Array(checkpoint.config.json.utf8), checkpoint.tensors.entries)
      let files = [
        try entry(run, in: partial) { url, digest in
          try AtomicFile.write(to: url, digest: digest) { try $0.write(text) }
        },
        try entry(tensors, in: partial) { url, digest in
          try Safetensors.write(values.map { (name: $0.0, value: $0.1) }, to: url, digest: digest)
        },
      ]
      let config = Config([
        "format": Config(.string(format)), "version": Config(.int(version)), "files": Config(.array(files)),
      ])
      try AccelerandoTrain.write(config.json, to: partial.appendingPathComponent(manifest))
      try renameDurably(partial, to: directory.appendingPathComponent(name.description, isDirectory: true))
    } catch {
      try? FileManager.default.removeItem(at: partial)
      throw error
    }
  }

  /// Writes a file; returns its entry in the manifest.
  private static func entry(
    _ name: String, in directory: URL, _ write: (URL, SHA256Digest) throws -> Void
  ) throws -> Config {
    let (url, digest) = (directory.appendingPathComponent(name), try SHA256Digest())
    try write(url, digest)
    return Config([
      "name": Config(.string(name)), "bytes": Config(.int(try FileContents(url).count)),
      "sha256": Config(.string(try digest.finish())),
    ])
  }

  /// Reads a checkpoint after verifying every byte of it.
  /// - Throws: `FormatError` or `ConfigError` that names the file, what was expected and what was found.
  static func read(_ directory: URL) throws -> Checkpoint {
    let url = directory.appendingPathComponent(manifest)
    guard FileManager.default.fileExists(atPath: url.path) else {
      throw FormatError(
        file: directory.path, reason: "has no \(manifest): it is no checkpoint, or parts of it are gone")
    }
    let reader = try ConfigReader(try readConfig(url), subject: "the manifest of a checkpoint")
    let found = try reader.string("format", default: "")
    guard found == format else {
      throw FormatError(
        file: url.path, reason: "should say \"format\": \"\(format)\"; it says \"\(found)\"",
        remedy: "It is no checkpoint of Accelerando, or damaged")
    }
    let number = try reader.int("version")
    guard number <= version else {
      throw FormatError(
        file: url.path, reason: "is of version \(number) of the format; this program reads versions up to \(version)",
        remedy: "Use the newer program that wrote it")
    }
    guard number >= 1 else { throw FormatError(file: url.path, reason: "has the impossible version \(number)") }
    guard number == version else {
      throw FormatError(
        file: url.path, reason: "is of version \(number) of the format; this program reads version \(version)",
        remedy: "Use the program that wrote it, or start again in another directory")
    }
    var names: Set<String> = []
    for entry in try reader.array("files") { names.insert(try check(entry, in: directory, manifest: url)) }
    try reader.finish()
    for file in [run, tensors] where !names.contains(file) {
      throw FormatError(file: url.path, reason: "does not list \(file)", remedy: "The checkpoint is damaged")
    }
    return try Checkpoint(
      try readConfig(directory.appendingPathComponent(run)),
      tensors: try readStore(directory.appendingPathComponent(tensors)))
  }

  /// Compares a file with its entry in the manifest; returns its name.
  private static func check(_ entry: Config, in directory: URL, manifest: URL) throws -> String {
    let reader = try ConfigReader(entry, subject: "a file of the manifest")
    let name = try reader.string("name")
    guard [run, tensors].contains(name) else {
      throw FormatError(file: manifest.path, reason: "lists the file '\(name)', which no checkpoint has")
    }
    // Lengths may have more than the 32 bits that settings have.
    guard case .int(let count) = try reader.required("bytes").value else {
      throw FormatError(file: manifest.path, reason: "'bytes' of \(name) should be a whole number")
    }
    let digest = try reader.string("sha256")
    try reader.finish()
    let url = directory.appendingPathComponent(name)
    let contents = try FileContents(url)
    guard contents.count == count else {
      throw FormatError(
        file: url.path, reason: "should have \(count) bytes; it has \(contents.count)",
        remedy: contents.count < count ? "The file is truncated" : "The file is damaged")
    }
    let received = try contents.withUnsafeBytes { bytes in
      let sum = try SHA256Digest()
      try sum.update(bytes)
      return try sum.finish()
    }
    guard received == digest else {
      throw FormatError(
        file: url.path, reason: "should have the SHA-256 \(digest.prefix(16))…; it has \(received.prefix(16))…",
        remedy: "The file is damaged")
    }
    return name
  }
}
