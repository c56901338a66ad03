// A new file replaces the earlier one only when all of it is safe on the disk: a full disk, a crash or Ctrl-C halfway
// must never cost the weights that were there.

import Foundation

/// A file that is being written beside the one that it will replace.
public final class AtomicFile {
  private let destination: String
  /// The name until all is written; nil for a pipe or a device, which has no content to replace and is written to.
  private let temporary: String?
  private var descriptor: Int32
  private var digest: SHA256Digest?

  /// Writes a file: `body` is given the new file, and what it wrote takes the place of the earlier file at the end. A
  /// link is followed, and the permissions of the earlier file are kept.
  /// - Parameters:
  ///   - url: the file.
  ///   - digest: is given all bytes of the file on their way to it.
  ///   - body: writes the bytes.
  /// - Throws: what `body` throws, or `FormatError` when the file cannot be written; the earlier file is then
  ///   untouched.
  public static func write(
    to url: URL, digest: SHA256Digest? = nil, _ body: (AtomicFile) throws -> Void
  ) throws {
    let file = try AtomicFile(url)
    file.digest = digest
    do {
      try body(file)
      try file.commit()
    } catch {
      file.discard()
      throw error
    }
  }

  private init(_ url: URL) throws {
    let path = url.path
    var status = stat()
    let isThere = stat(path, &status) == 0
    let kind = status.st_mode & S_IFMT
    if isThere, kind == S_IFDIR {
      throw FormatError(file: path, reason: "is there already and is a directory", remedy: "Choose another file name")
    }
    if isThere, kind != S_IFREG {
      (destination, temporary) = (path, nil)
      descriptor = open(path, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw FormatError.system("write the file", file: path) }
      return
    }
    // A link is written through, as it would be by any program that opens the file.
    destination = try linkTarget(of: path)
    removeAbandoned(besides: destination)
    let made = try Self.makePartial(besides: destination)
    (temporary, descriptor) = (made.path, made.descriptor)
    if isThere {
      // Who may read the file does not change by its being written again.
      if status.st_uid != getuid() || status.st_gid != getgid() {
        _ = fchown(descriptor, status.st_uid, status.st_gid)
      }
      _ = fchmod(descriptor, status.st_mode & 0o7777)
    }
  }

  /// A new file beside another, locked for as long as it is being written.
  private static func makePartial(besides path: String) throws -> (path: String, descriptor: Int32) {
    while true {
      let partial = partialName(besides: path)
      let descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      guard descriptor >= 0 else {
        let code = errno
        guard code == ENOENT else { throw FormatError.system("write the file", file: path, code: code) }
        throw FormatError(
          file: path, reason: "cannot write the file: there is no directory \(parentDirectory(of: path))",
          remedy: "Make it first")
      }
      flock(descriptor, LOCK_EX | LOCK_NB)
      // Another process' cleanup may have removed it before it was locked.
      var status = stat()
      if fstat(descriptor, &status) == 0, status.st_nlink > 0 { return (partial, descriptor) }
      close(descriptor)
    }
  }

  /// Appends bytes.
  /// - Throws: `FormatError` when they cannot be written.
  public func write(_ bytes: UnsafeRawBufferPointer) throws {
    guard let digest else { return try writeAll(bytes, to: descriptor, file: destination) }
    // What has just been looked at is in the cache when it is written.
    for start in stride(from: 0, to: bytes.count, by: 1 << 18) {
      let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + 1 << 18, bytes.count)])
      try digest.update(piece)
      try writeAll(piece, to: descriptor, file: destination)
    }
  }

  /// Appends bytes.
  /// - Throws: `FormatError` when they cannot be written.
  public func write(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try write($0) }
  }

  private func commit() throws {
    guard let temporary else {
      let closed = close(descriptor)
      descriptor = -1
      guard closed == 0 else { throw FormatError.system("write the file", file: destination) }
      return
    }
    guard fsync(descriptor) == 0 else { throw FormatError.system("write the file", file: destination) }
    guard rename(temporary, destination) == 0 else {
      throw FormatError.system("put the new file in place", file: destination)
    }
    let closed = close(descriptor)
    descriptor = -1
    guard closed == 0 else { throw FormatError.system("write the file", file: destination) }
    // The name is safe once the directory is.
    synchronize(parentDirectory(of: destination))
  }

  private func discard() {
    if descriptor >= 0 {
      close(descriptor)
      descriptor = -1
    }
    if let temporary { unlink(temporary) }
  }
}

/// Makes a directory and those around it, as far as they are missing.
/// - Throws: `FormatError` with the system's reason when it cannot be made or a file is in its place.
public func makeDirectory(at url: URL) throws { try makeDirectory(atPath: url.path) }

private func makeDirectory(atPath path: String) throws {
  if mkdir(path, 0o777) == 0 { return }
  var code = errno
  if code == ENOENT, path != "/" {
    let parent = parentDirectory(of: path)
    // What '..' is follows from the directory before it, so that has to be there already.
    guard (parent as NSString).lastPathComponent != ".." else {
      throw FormatError(
        file: path, reason: "cannot make the directory: there is no \(parentDirectory(of: parent))",
        remedy: "Check the path")
    }
    try makeDirectory(atPath: parent)
    if mkdir(path, 0o777) == 0 { return }
    code = errno
  }
  var status = stat()
  let isThere = stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  if !isThere { throw FormatError.system("make the directory", file: path, code: code) }
}

/// Refuses a directory that nothing can be put into.
/// - Throws: `FormatError` with the system's reason.
public func checkIsWritable(_ directory: URL) throws {
  let path = directory.path
  guard access(path, W_OK | X_OK) == 0 else { throw FormatError.system("write into the directory", file: path) }
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

/// Waits until a file's bytes, or the names in a directory, are safe on the disk; some file systems refuse this, and
/// then there is nothing more to do.
public func synchronize(_ path: String) {
  let descriptor = open(path.isEmpty ? "." : path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return }
  _ = fsync(descriptor)
  close(descriptor)
}
