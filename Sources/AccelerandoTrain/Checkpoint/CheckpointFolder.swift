// The checkpoints of one run in a directory: which exist, which is the last intact one, which are to be removed.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import Foundation

/// A directory of checkpoints.
struct CheckpointFolder: Sendable {
  let url: URL

  /// A checkpoint that was read, and the errors of newer ones.
  struct Found {
    let name: CheckpointName
    let checkpoint: Checkpoint
    let refused: [(name: CheckpointName, reason: String)]
  }

  /// The checkpoints, oldest first, by their names; none if the directory does not exist.
  func names() -> [CheckpointName] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    return names.compactMap(CheckpointName.init).sorted()
  }

  /// Reads the newest intact checkpoint; nil if there is none at all.
  /// - Throws: `FormatError` when there are some and none of them is intact, with the error of each.
  func newest() throws -> Found? {
    var refused: [(name: CheckpointName, reason: String)] = []
    for name in names().reversed() {
      do {
        return Found(name: name, checkpoint: try CheckpointFiles.read(place(name)), refused: refused)
      } catch {
        refused.append((name, "\(error)"))
      }
    }
    if refused.isEmpty { return nil }
    let list = refused.map { "\n  \($0.name): \($0.reason)" }.joined()
    throw FormatError(
      file: url.path, reason: "none of the \(refused.count) checkpoints can be used:\(list)\nThe run cannot resume",
      remedy: "Begin it anew in another directory")
  }

  /// Writes a checkpoint, and then removes the oldest ones.
  /// - Parameters:
  ///   - number: larger than that of any other.
  ///   - keep: how many to keep.
  ///   - distrusted: checkpoints that could not be read. They are not counted and not removed: their owner may want to look.
  /// - Throws: `FormatError` when the checkpoint cannot be written; the earlier ones are then unchanged.
  func write(_ checkpoint: Checkpoint, number: Int, keep: Int, distrusted: Set<CheckpointName>) throws {
    let name = CheckpointName(number: number, step: checkpoint.iteration)
    let earlier = names().filter { !distrusted.contains($0) }
    do {
      try CheckpointFiles.write(checkpoint, as: name, in: url)
    } catch {
      let reason = (error as? FormatError)?.reason ?? "\(error)"
      let last = earlier.last.map { "; the last good one is \($0)" } ?? ""
      throw FormatError(
        file: place(name).path,
        reason: "the checkpoint of step \(checkpoint.iteration) could not be written: \(reason)\(last)",
        remedy: (error as? FormatError)?.remedy)
    }
    for old in earlier.dropLast(max(keep - 1, 0)) { remove(old) }
  }

  /// Removes what a killed run has left half written or half removed.
  func tidy() {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? [] {
      guard name.hasPrefix(".checkpoint-"), name.hasSuffix(".partial") || name.hasSuffix(".old") else { continue }
      try? FileManager.default.removeItem(at: url.appendingPathComponent(name))
    }
  }

  /// Removes all checkpoints.
  func removeAll() {
    for name in names() { remove(name) }
    tidy()
  }

  /// Removes a checkpoint's name before its files, so that an incomplete one never exists under its name.
  private func remove(_ name: CheckpointName) {
    let doomed = url.appendingPathComponent(".\(name).old", isDirectory: true)
    try? FileManager.default.removeItem(at: doomed)
    guard rename(place(name).path, doomed.path) == 0 else { return }
    try? FileManager.default.removeItem(at: doomed)
  }

  private func place(_ name: CheckpointName) -> URL {
    url.appendingPathComponent(name.description, isDirectory: true)
  }
}
