// What is written replaces the earlier file only when all of it is safe on the disk: a full disk, a crash or Ctrl-C
// halfway must never cost somebody the weights they had.

import Foundation

/// A file that is being written beside the one that it will replace.
public final class AtomicFile {
  private let destination: String
  private let temporary: String
  private var descriptor: Int32

  /// Writes a file: `body` is given the new file, and what it wrote takes the place of the earlier file at the end.
  /// - Throws: what `body` throws, or `FormatError` when the file cannot be written; the earlier file is then untouched.
  public static func write(to url: URL, _ body: (AtomicFile) throws -> Void) throws {
    let file = try AtomicFile(url)
    do {
      try body(file)
      try file.commit()
    } catch {
      file.discard()
      throw error
    }
  }

  private init(_ url: URL) throws {
    // A link is written through, as it would be by any program that opens the file.
    let path = url.resolvingSymlinksInPath().path
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      throw FormatError(
        file: path, reason: "is there already and is not a regular file", remedy: "Choose another file name")
    }
    destination = path
    let directory = (path as NSString).deletingLastPathComponent
    let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
    temporary = "\(directory.isEmpty ? "." : directory)/.\((path as NSString).lastPathComponent).\(suffix).partial"
    descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      let code = errno
      guard code == ENOENT else { throw FormatError.system("write the file", file: path, code: code) }
      throw FormatError(
        file: path, reason: "cannot write the file: there is no directory \(directory)", remedy: "Make it first")
    }
  }

  /// Appends bytes.
  /// - Throws: `FormatError` when they cannot be written.
  public func write(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let slice = UnsafeRawBufferPointer(rebasing: rest)
      // One call writes at most 2 GiB on Linux; smaller pieces also let Ctrl-C be noticed.
      let written = Foundation.write(descriptor, slice.baseAddress, min(slice.count, 64 << 20))
      if written < 0 {
        if errno == EINTR { continue }
        throw FormatError.system("write the file", file: destination)
      }
      rest = rest.dropFirst(written)
    }
  }

  /// Appends bytes.
  /// - Throws: `FormatError` when they cannot be written.
  public func write(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try write($0) }
  }

  private func commit() throws {
    guard fsync(descriptor) == 0 else { throw FormatError.system("write the file", file: destination) }
    let closed = close(descriptor)
    descriptor = -1
    guard closed == 0 else { throw FormatError.system("write the file", file: destination) }
    guard rename(temporary, destination) == 0 else {
      throw FormatError.system("put the new file in place", file: destination)
    }
    // The name is safe once the directory is.
    synchronize((temporary as NSString).deletingLastPathComponent)
  }

  private func discard() {
    if descriptor >= 0 {
      close(descriptor)
      descriptor = -1
    }
    unlink(temporary)
  }
}

/// Makes a directory and those around it, as far as they are missing.
/// - Throws: `FormatError` with the system's reason when it cannot be made or a file is in its place.
public func makeDirectory(at url: URL) throws {
  let path = url.standardizedFileURL.path
  if mkdir(path, 0o777) == 0 { return }
  let code = errno
  if code == ENOENT, path != "/" {
    try makeDirectory(at: url.standardizedFileURL.deletingLastPathComponent())
    if mkdir(path, 0o777) == 0 { return }
  }
  var status = stat()
  let isThere = stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  if !isThere { throw FormatError.system("make the directory", file: path, code: code) }
}

/// Gives a finished directory its name, once its files and the names of them are safe on the disk.
/// - Throws: `FormatError` with the system's reason; the directory keeps its old name then.
public func renameDurably(_ directory: URL, to destination: URL) throws {
  synchronize(directory.path)
  guard rename(directory.path, destination.path) == 0 else {
    throw FormatError.system("put the new directory in place", file: destination.path)
  }
  synchronize(destination.deletingLastPathComponent().path)
}

/// Waits until a file's bytes, or the names in a directory, are safe on the disk; some file systems refuse this, and then there
/// is nothing more to do.
public func synchronize(_ path: String) {
  let descriptor = open(path.isEmpty ? "." : path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return }
  _ = fsync(descriptor)
  close(descriptor)
}
