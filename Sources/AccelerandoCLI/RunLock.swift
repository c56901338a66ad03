// Two processes that write one run's directory would mix their checkpoints and their models. A lock keeps the second
// one out; the system releases it when its owner ends, however that happens.

import Accelerando
import Foundation

/// The right to write a run's directory.
final class RunLock {
  private let descriptor: Int32

  /// Takes the right, until the object goes.
  /// - Throws: `FormatError` saying who has it.
  init(_ directory: URL) throws {
    let path = directory.appendingPathComponent(".lock").path
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw FormatError(
        file: directory.path, reason: "cannot write into the directory: \(String(cString: strerror(errno)))",
        remedy: "Choose another one with --output")
    }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
      let owner = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
      close(descriptor)
      throw FormatError(
        file: directory.path,
        reason: "another run is writing into this directory: \(owner.isEmpty ? "an unknown process" : owner)",
        remedy: "Wait until it is over, or choose another directory")
    }
    let process = ProcessInfo.processInfo
    let text = "process \(process.processIdentifier) on \(process.hostName), since \(Date().ISO8601Format())"
    ftruncate(descriptor, 0)
    _ = text.withCString { pwrite(descriptor, $0, strlen($0), 0) }
  }

  deinit { close(descriptor) }
}
