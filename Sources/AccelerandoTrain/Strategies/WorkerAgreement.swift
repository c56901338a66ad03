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
      String(decoding: bytes, as: UTF8.self).split(separator: "\u{1e}").map { text in
        let parts = text.split(separator: "\u{1f}", maxSplits: 1, omittingEmptySubsequences: false)
        return RunSetting(String(parts.first ?? ""), String(parts.last ?? ""))
      }
    }
    let differences = all.enumerated().dropFirst().map { worker, other in
      RunSetting.differences(all[0], "for worker 0", other, "for worker \(worker)")
    }.joined()
    guard differences.isEmpty else {
      throw TrainingError(
        "the workers do not train the same:\(differences)\nGive all of them the same recipe, data and options."
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
