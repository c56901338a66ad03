// Processes that train one model must have the same model, data and settings. The sums that they exchange would not
// reveal a difference; so everything is compared before the first step, and differences are reported.

import AccelerandoCore
import AccelerandoFormats

extension SharedBackend {
  /// Compares everything that the result depends on.
  /// - Throws: `TrainingError` naming the settings that differ and the workers that have them.
  func agree(on settings: [RunSetting]) throws {
    guard group.size > 1 else { return }
    let own = settings.map { "\($0.name)\u{1f}\($0.value)" }.joined(separator: "\u{1e}")
    let all = try group.gathered(Array(own.utf8)).map { bytes in
      String(decoding: bytes, as: UTF8.self).split(separator: "\u{1e}").map {
        $0.split(separator: "\u{1f}", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      }
    }
    var differences: [String] = []
    for (worker, other) in all.enumerated().dropFirst() {
      for (a, b) in zip(all[0], other) where a != b {
        differences.append(
          "\n  \(a.first ?? ""): \(a.last ?? "") for worker 0, \(b.last ?? "") for worker \(worker)")
      }
      if other.count != all[0].count { differences.append("\n  worker \(worker) has other settings than worker 0") }
    }
    guard differences.isEmpty else {
      throw TrainingError(
        "the workers do not train the same:\(differences.joined())\nGive all of them the same recipe, data and options."
      )
    }
  }

  /// Refuses batches that leave a process without work.
  func checkSize(_ batchSize: Int) throws {
    let parts = Self.parts(of: batchSize)
    guard group.size <= parts else {
      throw TrainingError(
        "\(group.size) workers are more than a batch of \(batchSize) has parts (\(parts)); give --batch-size at least "
          + "\(group.size < 4 ? group.size * 2 : group.size * 16), or start fewer workers.")
    }
  }
}
