// Pipes are read to their end, so that what another program makes can be used without a file: `accelerando train <(…)`.

import Foundation

/// Reads a pipe that was opened without waiting.
struct PipeReader {
  private let descriptor: Int32
  private let name: String

  /// How long a pipe may have no writer before reading it is given up, in milliseconds.
  private static let patience = 3000

  init(_ descriptor: Int32, name: String) {
    self.descriptor = descriptor
    self.name = name
  }

  /// All bytes until every writer has closed the pipe, in memory that the caller deallocates.
  /// - Throws: `FormatError` when there is no writer, the pipe cannot be read, or memory could not hold it.
  func readToEnd() throws -> UnsafeMutableRawBufferPointer {
    let limit = Int(clamping: ProcessInfo.processInfo.physicalMemory / 2)
    var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
    var filled = 0
    var waited = 0
    do {
      while true {
        if filled == buffer.count {
          guard filled < limit else {
            throw FormatError(
              file: name, offset: filled, reason: "the pipe gives more than the \(limit) bytes that memory can hold",
              remedy: "Write it to a file")
          }
          let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * buffer.count, alignment: 64)
          larger.copyMemory(from: UnsafeRawBufferPointer(buffer))
          buffer.deallocate()
          buffer = larger
        }
        let received = read(descriptor, buffer.baseAddress.map { $0 + filled }, buffer.count - filled)
        if received > 0 {
          filled += received
        } else if received == 0, filled > 0 {
          break
        } else if received == 0 {
          // There is no writer yet; or there was one, and it wrote nothing, which is not a file either.
          guard waited < Self.patience else {
            throw FormatError(
              file: name, reason: "no program writes into the pipe", remedy: "Start the program that does, first")
          }
          usleep(50_000)
          waited += 50
        } else if errno == EAGAIN {
          var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
          _ = poll(&waiting, 1, -1)
        } else if errno != EINTR {
          throw FormatError.system("read the pipe", file: name)
        }
      }
    } catch {
      buffer.deallocate()
      throw error
    }
    return UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: filled)
  }
}
