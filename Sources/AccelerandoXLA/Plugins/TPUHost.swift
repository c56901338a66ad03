// The TPU library asks Google Cloud's metadata server about its machine, and where there is none it waits for minutes.
// It reads environment variables first, so the answers are given there.

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

  /// Prepares a machine without chips for the library, which then only compiles. If there are chips, or variables that
  /// the user has set, nothing is changed.
  static func prepareEnvironment(for path: String) {
    guard URL(fileURLWithPath: path).lastPathComponent.hasPrefix("libtpu"), !hasChip else { return }
    let answers = [
      // Do not ask the metadata server.
      "TPU_SKIP_MDS_QUERY": "1",
      "TPU_ACCELERATOR_TYPE": "v5litepod-4",
      "TPU_WORKER_HOSTNAMES": "localhost",
      "TPU_WORKER_ID": "0",
      // The library allows one process at a time, to protect chips that do not exist here.
      "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
      "TPU_MIN_LOG_LEVEL": "2",
    ]
    for (name, value) in answers { setenv(name, value, 0) }
  }
}
