// What the TPU's library wants to know of its machine. It asks Google's cloud for it, and on a machine that is not there it
// waits for minutes for an answer; it reads environment variables first, so that the answers are given there.

import Foundation

enum TPUHost {
  /// Whether this machine has a TPU chip that programs may use.
  static var hasChip: Bool {
    #if os(Linux)
      let devices = (try? FileManager.default.contentsOfDirectory(atPath: "/dev")) ?? []
      let groups = (try? FileManager.default.contentsOfDirectory(atPath: "/dev/vfio")) ?? []
      return devices.contains { $0.hasPrefix("accel") } || groups.contains { Int($0) != nil }
    #else
      return false
    #endif
  }

  /// Prepares a machine without chips for the library, which then only compiles. Where there are chips, and where a user has
  /// said something, nothing is changed.
  static func prepareEnvironment(for path: String) {
    guard URL(fileURLWithPath: path).lastPathComponent.hasPrefix("libtpu"), !hasChip else { return }
    let answers = [
      // Ask nobody in the cloud.
      "TPU_SKIP_MDS_QUERY": "1",
      "TPU_ACCELERATOR_TYPE": "v5litepod-4",
      "TPU_WORKER_HOSTNAMES": "localhost",
      "TPU_WORKER_ID": "0",
      // The library lets one process in at a time, for the sake of chips that are not here.
      "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
      "TPU_MIN_LOG_LEVEL": "2",
    ]
    for (name, value) in answers { setenv(name, value, 0) }
  }
}
