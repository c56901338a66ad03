// What does not fit into memory is kept in a file that is written like memory, in any order and by several threads. The file
// gets its name when it is complete, so that whoever finds it finds all of it.

import Foundation

/// Memory of a fixed size: the system's, or a file's.
///
/// Unchecked because it is a pointer: those who share it agree on who writes where.
package final class MappedStore: @unchecked Sendable {
  /// The bytes, zero at first. Those of a file that was complete before must not be written.
  package let bytes: UnsafeMutableRawBufferPointer
  /// Whether the file was complete before.
  package let wasComplete: Bool
  private var descriptor: Int32 = -1
  private var temporary: String?
  private let destination: String

  /// Takes memory, of which the system provides what is written to.
  /// - Throws: `FormatError` when the system has no room for it.
  package init(byteCount: Int) throws {
    (destination, wasComplete) = ("memory", false)
    bytes = try Self.map(byteCount, MAP_PRIVATE | MAP_ANON, -1, name: "memory")
  }

  /// Opens a file that is complete, or begins a new one, whose room on the disk is reserved.
  /// - Throws: `FormatError` when the file cannot be written or the disk has no room for it.
  package init(_ url: URL, byteCount: Int) throws {
    destination = url.path
    let known = open(destination, O_RDONLY | O_CLOEXEC)
    if known >= 0 {
      defer { close(known) }
      var status = stat()
      if fstat(known, &status) == 0, status.st_mode & S_IFMT == S_IFREG, Int(status.st_size) == byteCount {
        bytes = try Self.map(byteCount, MAP_SHARED, known, name: destination, writes: false)
        wasComplete = true
        return
      }
    }
    wasComplete = false
    try makeDirectory(at: url.deletingLastPathComponent())
    removeAbandoned(besides: destination)
    let partial = partialName(besides: destination)
    let descriptor = open(partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw FormatError.system("write the file", file: destination) }
    do {
      flock(descriptor, LOCK_EX | LOCK_NB)
      try Self.reserve(byteCount, descriptor, name: destination)
      bytes = try Self.map(byteCount, MAP_SHARED, descriptor, name: destination)
    } catch {
      close(descriptor)
      unlink(partial)
      throw error
    }
    (self.descriptor, temporary) = (descriptor, partial)
  }

  deinit {
    munmap(bytes.baseAddress, bytes.count)
    if let temporary { unlink(temporary) }
    if descriptor >= 0 { close(descriptor) }
  }

  /// Gives a file its name: all of it has been written. Without effect on memory. Call it once.
  /// - Throws: `FormatError` when the system cannot write it.
  package func complete() throws {
    guard let temporary else { return }
    guard msync(bytes.baseAddress, bytes.count, MS_SYNC) == 0, fsync(descriptor) == 0,
      rename(temporary, destination) == 0
    else { throw FormatError.system("write the file", file: destination) }
    self.temporary = nil
    synchronize(parentDirectory(of: destination))
  }

  /// Writing to a mapped file for which the disk has no room would stop the process.
  private static func reserve(_ byteCount: Int, _ descriptor: Int32, name: String) throws {
    #if os(macOS)
      let status = ftruncate(descriptor, off_t(byteCount)) == 0 ? 0 : errno
    #else
      let status = posix_fallocate(descriptor, 0, byteCount)
    #endif
    guard status == 0 else {
      throw FormatError.system("reserve \(byteCount) bytes for the file", file: name, code: status)
    }
  }

  private static func map(
    _ byteCount: Int, _ flags: Int32, _ descriptor: Int32, name: String, writes: Bool = true
  ) throws -> UnsafeMutableRawBufferPointer {
    guard byteCount > 0,
      let address = mmap(nil, byteCount, writes ? PROT_READ | PROT_WRITE : PROT_READ, flags, descriptor, 0),
      address != MAP_FAILED
    else { throw FormatError.system("map \(byteCount) bytes", file: name, code: byteCount > 0 ? errno : EINVAL) }
    return UnsafeMutableRawBufferPointer(start: address, count: byteCount)
  }
}
