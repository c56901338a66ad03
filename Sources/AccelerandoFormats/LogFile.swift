// A file that grows while a program runs: lines of a log, records of events. Unlike what is written whole, it is opened as any program would
// open it: through links, into pipes and devices.

import Foundation

/// A file that is written at its end.
public final class LogFile {
  /// The path, for messages.
  public let path: String
  /// Whether it is a file with a length, and no pipe or device.
  public let isRegular: Bool
  private let descriptor: Int32

  /// Opens a file.
  /// - Parameters:
  ///   - url: the file; its directory has to be there.
  ///   - continues: whether what is in the file stays.
  ///   - creates: whether it is made if it is not there.
  /// - Throws: `FormatError` when it cannot be written.
  public init(_ url: URL, continues: Bool, creates: Bool = true) throws {
    path = url.path
    let flags = O_WRONLY | O_CLOEXEC | (creates ? O_CREAT : 0) | (continues ? 0 : O_TRUNC)
    descriptor = open(path, flags, 0o666)
    guard descriptor >= 0 else { throw FormatError.system("write the file", file: path) }
    var status = stat()
    isRegular = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    if isRegular { lseek(descriptor, 0, SEEK_END) }
  }

  deinit { close(descriptor) }

  /// Writes a text at the end.
  /// - Throws: `FormatError` when it cannot be written.
  public func write(_ text: String) throws { try write(Array(text.utf8)) }

  /// Writes bytes at the end.
  /// - Throws: `FormatError` when they cannot be written.
  public func write(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try writeAll($0, to: descriptor, file: path) }
  }

  /// The bytes that are in the file; 0 for pipes and devices.
  public func length() throws -> Int {
    guard isRegular else { return 0 }
    let end = lseek(descriptor, 0, SEEK_END)
    guard end >= 0 else { throw FormatError.system("read the length", file: path) }
    return Int(end)
  }

  /// Cuts the file to a length; what is written next comes there. Without effect on pipes and devices.
  public func cut(to length: Int) throws {
    guard isRegular else { return }
    guard ftruncate(descriptor, off_t(length)) == 0 else { throw FormatError.system("shorten the file", file: path) }
    lseek(descriptor, 0, SEEK_END)
  }
}

/// Writes all of the bytes.
/// - Throws: `FormatError` naming the file.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, file: String) throws {
  var rest = bytes[...]
  while !rest.isEmpty {
    let slice = UnsafeRawBufferPointer(rebasing: rest)
    // One call writes at most 2 GiB on Linux; smaller pieces also let Ctrl-C be noticed.
    let written = Foundation.write(descriptor, slice.baseAddress, min(slice.count, 64 << 20))
    if written < 0 {
      if errno == EINTR { continue }
      if errno == EAGAIN {
        // A pipe that takes nothing now: wait until it does.
        var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&poller, 1, -1)
        continue
      }
      throw FormatError.system("write the file", file: file)
    }
    rest = rest.dropFirst(written)
  }
}
