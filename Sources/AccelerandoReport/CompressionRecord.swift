// What a compression gained, as `prune` measured it and left it in the run's directory.

import AccelerandoFormats
import Foundation

/// A model before and after a compression.
public struct CompressionRecord: Sendable, Hashable {
  /// What was measured, before and after: accuracy, bytes, time.
  public var rows: [Row]
  /// What it means, in sentences.
  public var findings: [String]

  /// One measurement.
  public struct Row: Sendable, Hashable {
    /// What was measured.
    public var name: String
    /// Before the compression.
    public var before: String
    /// After it.
    public var after: String
  }

  /// The file in the directory of a run.
  package static let file = "compression.json"

  /// Reads what `prune` left in a run's directory.
  /// - Returns: nil for a run that has not been pruned.
  /// - Throws: `FormatError` when the file is damaged.
  public static func ofRun(_ directory: String) throws -> CompressionRecord? {
    let url = URL(fileURLWithPath: directory, isDirectory: true).appendingPathComponent(file)
    guard FileManager.default.fileExists(atPath: url.path) else { return nil }
    let verdict = try RecordReader(try RunRecord.json(url), file: url.path).object("verdict")
    let (before, after) = (try verdict.object("before"), try verdict.object("after"))
    var rows: [Row] = []
    let (first, second) = (try before.object("metrics"), try after.object("metrics"))
    for member in try first.members() where try second.has(member.key) {
      rows.append(
        Row(
          name: member.key, before: readable(try first.number(member.key)),
          after: readable(try second.number(member.key))))
    }
    for (key, name) in [
      ("parameters", "parameters"), ("nonzero", "parameters that are not 0"), ("bytes", "bytes of the file"),
      ("gzipBytes", "bytes after gzip"), ("sparseBytes", "bytes of the sparse file"),
      ("sparseGzipBytes", "bytes of the sparse file after gzip"),
    ] {
      rows.append(Row(name: name, before: grouped(try before.int(key)), after: grouped(try after.int(key))))
    }
    func time(_ seconds: Double) -> String { "\(readable(seconds * 1e6)) µs" }
    rows.append(
      Row(
        name: "time of one sample", before: time(try before.number("latency")), after: time(try after.number("latency"))
      ))
    rows.append(
      Row(
        name: "samples a second, in batches", before: readable(try before.number("throughput")),
        after: readable(try after.number("throughput"))))
    return CompressionRecord(rows: rows, findings: try verdict.strings("findings"))
  }
}
