// The numbers of every epoch in a file that spreadsheets read.

import AccelerandoNN
import Foundation

/// Writes a line for every epoch: the epoch and the numbers in alphabetical order.
public final class CSVLogger: Callback {
  private let url: URL
  private let separator: String
  private let appends: Bool
  private var file: FileHandle?
  private var columns: [String]?

  /// Makes the callback.
  /// - Parameters:
  ///   - url: the file.
  ///   - separator: what stands between two numbers.
  ///   - appends: whether an earlier file is continued.
  public init(_ url: URL, separator: String = ",", appends: Bool = false) {
    self.url = url
    self.separator = separator
    self.appends = appends
  }

  public var isForOneWorker: Bool { true }

  public func onTrainBegin(_ run: TrainingRun) throws {
    columns = nil
    let manager = FileManager.default
    let state = run.restoredState(of: self)
    let length = try state.map { UInt64(clamping: try ConfigReader($0.settings, subject: "CSVLogger").int("length")) }
    if let length {
      // Lines after the checkpoint will be written again.
      try shortenFile(url, to: length, for: "CSVLogger", run)
    }
    if appends || length != nil, let text = try? String(contentsOf: url, encoding: .utf8),
      let header = text.split(separator: "\n").first
    {
      columns = header.split(separator: separator, omittingEmptySubsequences: false).dropFirst().map(String.init)
    } else if !manager.createFile(atPath: url.path, contents: nil) {
      throw TrainingError("CSVLogger cannot write \(url.path).")
    }
    file = try FileHandle(forWritingTo: url)
    try file?.seekToEnd()
  }

  public func checkpointState(_ run: TrainingRun) throws -> CallbackState? {
    guard let file else { return nil }
    return CallbackState(Config(["length": Config(.int(Int(clamping: try file.offset())))]), files: [url])
  }

  public func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) throws {
    let names = columns ?? logs.keys.sorted()
    if columns == nil {
      columns = names
      try write(["epoch"] + names)
    }
    try write([String(epoch)] + names.map { name in logs[name].map { "\($0)" } ?? "NA" })
  }

  public func onTrainEnd(_ run: TrainingRun) throws {
    try file?.close()
    file = nil
  }

  private func write(_ fields: [String]) throws {
    try file?.write(contentsOf: Data((fields.joined(separator: separator) + "\n").utf8))
  }
}

/// Cuts a file to the length that it had when a checkpoint was taken. If it is gone or shorter, people are told.
func shortenFile(_ url: URL, to length: UInt64, for user: String, _ run: TrainingRun) throws {
  guard let file = try? FileHandle(forUpdating: url) else {
    run.say("\(user): \(url.path) is gone; it begins anew where the run goes on.")
    return
  }
  defer { try? file.close() }
  let found = try file.seekToEnd()
  if found < length {
    run.say("\(user): \(url.path) has \(found) bytes and had \(length) when the checkpoint was taken: lines are lost.")
  } else {
    try file.truncate(atOffset: length)
  }
}
