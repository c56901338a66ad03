// The numbers of every epoch in a file that spreadsheets read.

import AccelerandoFormats
import AccelerandoNN
import Foundation

/// Writes a line for every epoch: the epoch and the numbers in alphabetical order, `NA` for those that the epoch does
/// not have, as `val_loss` where validation comes every few epochs.
public final class CSVLogger: Callback {
  private let url: URL
  private let separator: String
  private let appends: Bool
  private var file: LogFile?
  private var columns: [String]?
  private var expected: ExpectedLogs?
  private var hasComplained = false

  /// Makes the callback.
  /// - Parameters:
  ///   - url: the file; links are followed, and pipes and devices are written to. Directories around it are made.
  ///   - separator: what stands between two numbers.
  ///   - appends: whether an earlier file is continued.
  public init(_ url: URL, separator: String = ",", appends: Bool = false) {
    self.url = url
    self.separator = separator
    self.appends = appends
  }

  public var isForOneWorker: Bool { true }

  public var addedLogs: [String]? { [] }

  public func check(_ run: TrainingRun) throws {
    guard !separator.isEmpty else { throw TrainingError("CSVLogger needs a separator; received an empty text.") }
    try makeDirectory(at: url.deletingLastPathComponent())
    try checkCanReplace(url, isDirectory: false)
    expected = run.expectedLogs
  }

  public func onTrainBegin(_ run: TrainingRun) throws {
    columns = nil
    hasComplained = false
    let state = run.restoredState(of: self)
    let length = try state.map { UInt64(clamping: try ConfigReader($0.settings, subject: "CSVLogger").int("length")) }
    if let length {
      // Lines after the checkpoint will be written again.
      try shortenFile(url, to: length, for: "CSVLogger", run)
    }
    let continues = appends || length != nil
    let file = try LogFile(url, continues: continues)
    self.file = file
    if continues, file.isRegular, try file.length() > 0, let text = try? String(contentsOf: url, encoding: .utf8),
      let header = text.split(whereSeparator: \.isNewline).first
    {
      columns = Array(fields(of: String(header)).dropFirst())
    }
  }

  public func checkpointState(_ run: TrainingRun) throws -> CallbackState? {
    guard let file, file.isRegular else { return nil }
    return CallbackState(Config(["length": Config(.int(try file.length()))]), files: [url])
  }

  public func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws {
    let names = columns ?? Set(Array(logs.keys) + (expected?.names ?? [])).sorted()
    if columns == nil {
      columns = names
      try write(["epoch"] + names)
    }
    let lost = logs.keys.filter { !names.contains($0) }.sorted()
    if !lost.isEmpty, !hasComplained {
      hasComplained = true
      run.say("CSVLogger: \(url.path) has no column for \(lost.joined(separator: ", ")).")
    }
    try write([String(epoch)] + names.map { name in logs[name].map { $0.isNaN ? "nan" : "\($0)" } ?? "NA" })
  }

  public func onTrainEnd(_ run: TrainingRun) throws { file = nil }

  private func write(_ fields: [String]) throws {
    try file?.write((fields.map(quoted).joined(separator: separator) + "\n"))
  }

  /// A field as RFC 4180 writes it: in quotes where it could be taken for two.
  private func quoted(_ field: String) -> String {
    guard field.contains(separator) || field.contains(where: { $0 == "\"" || $0.isNewline }) else { return field }
    return "\"" + field.replacingOccurrences(of: "\"", with: "\"\"") + "\""
  }

  /// The fields of a line.
  private func fields(of line: String) -> [String] {
    var result: [String] = []
    var field = ""
    var isQuoted = false
    var rest = line[...]
    while !rest.isEmpty {
      if rest.first == "\"" {
        rest.removeFirst()
        // A quote within quotes is written twice.
        if isQuoted, rest.first == "\"" { field.append(rest.removeFirst()) } else { isQuoted.toggle() }
      } else if !isQuoted, rest.hasPrefix(separator) {
        rest.removeFirst(separator.count)
        result.append(field)
        field = ""
      } else {
        field.append(rest.removeFirst())
      }
    }
    return result + [field]
  }
}

/// Cuts a file to the length that it had when a checkpoint was taken. If it is missing or shorter, a message says so.
func shortenFile(_ url: URL, to length: UInt64, for user: String, _ run: TrainingRun) throws {
  guard let file = try? LogFile(url, continues: true, creates: false) else {
    run.say("\(user): \(url.path) is gone; a new one starts where the run resumes.")
    return
  }
  guard file.isRegular else { return }
  let found = try file.length()
  if found < length {
    run.say("\(user): \(url.path) has \(found) bytes and had \(length) when the checkpoint was taken: lines are lost.")
  } else {
    try file.cut(to: Int(clamping: length))
  }
}
