// Directories that are complete or do not exist: written under another name, they replace earlier ones in one step. If
// the system cannot exchange two names at once, the earlier one is moved aside, and moved back if the replacement was
// not completed.

import Foundation

/// Writes a directory under another name and replaces the earlier one when it is complete. At any moment the old or the
/// new directory exists, complete; permissions are kept.
/// - Parameters:
///   - directory: the directory.
///   - contents: the names in such a directory. One with other files is never replaced.
///   - body: writes the files into the directory that it is given.
/// - Throws: what `body` throws, or `FormatError`; the earlier directory is then as it was.
public func replaceDirectory(_ directory: URL, contents: Set<String>, _ body: (URL) throws -> Void) throws {
  let path = try linkTarget(of: directory.path)
  recoverDirectory(directory)
  try checkCanReplaceDirectory(directory, contents: contents)
  removeAbandoned(besides: path)
  let (partial, lock) = try makePartialDirectory(besides: path)
  defer { close(lock) }
  do {
    try body(URL(fileURLWithPath: partial, isDirectory: true))
    keepPermissions(of: path, for: partial)
    synchronize(partial)
    try putInPlace(partial, path)
  } catch {
    try? FileManager.default.removeItem(atPath: partial)
    throw error
  }
  synchronize(parentDirectory(of: path))
}

/// Refuses to replace what is no directory of the kind.
/// - Throws: `FormatError` saying what is in the way.
public func checkCanReplaceDirectory(_ directory: URL, contents: Set<String>) throws {
  var status = stat()
  guard stat(directory.path, &status) == 0 else { return }
  guard status.st_mode & S_IFMT == S_IFDIR else {
    throw FormatError(
      file: directory.path, reason: "should become a directory, and a file is in its place",
      remedy: "Move it away, or choose another name")
  }
  let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
  let foreign = names.filter { name in
    !contents.contains(name) && !contents.contains { name.hasPrefix(".\($0).") && name.hasSuffix(".partial") }
  }.sorted()
  guard foreign.isEmpty else {
    let list = foreign.prefix(3).joined(separator: ", ") + (foreign.count > 3 ? ", …" : "")
    throw FormatError(
      file: directory.path,
      reason: "would be replaced, but holds other files, which would be lost: \(list)",
      remedy: "Move them away, or choose another name")
  }
}

/// Puts back the earlier directory where a program was killed while a new one took its place.
public func recoverDirectory(_ directory: URL) {
  var status = stat()
  guard lstat(directory.path, &status) != 0 else { return }
  let parent = parentDirectory(of: directory.path)
  let prefix = ".\((directory.path as NSString).lastPathComponent)."
  let aside = ((try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []).filter {
    $0.hasPrefix(prefix) && $0.hasSuffix(".old")
  }
  guard aside.count == 1 else { return }
  rename("\(parent)/\(aside[0])", directory.path)
}

/// A new directory beside another, locked for as long as it is being written.
private func makePartialDirectory(besides path: String) throws -> (path: String, lock: Int32) {
  try makeDirectory(at: URL(fileURLWithPath: parentDirectory(of: path), isDirectory: true))
  while true {
    let partial = partialName(besides: path)
    guard mkdir(partial, 0o777) == 0 else { throw FormatError.system("make the directory", file: path) }
    let lock = open(partial, O_RDONLY | O_CLOEXEC)
    guard lock >= 0 else { throw FormatError.system("make the directory", file: path) }
    flock(lock, LOCK_EX | LOCK_NB)
    // Another process' cleanup may have removed it before it was locked.
    if access(partial, F_OK) == 0 { return (partial, lock) }
    close(lock)
  }
}

/// Gives a new directory, and the files in it, the permissions of the earlier ones.
private func keepPermissions(of earlier: String, for fresh: String) {
  let names = (try? FileManager.default.contentsOfDirectory(atPath: fresh)) ?? []
  for name in [""] + names {
    var status = stat()
    guard stat("\(earlier)/\(name)", &status) == 0 else { continue }
    chmod("\(fresh)/\(name)", status.st_mode & 0o7777)
  }
}

/// Lets a new directory take the place of an earlier one, which is removed.
private func putInPlace(_ fresh: String, _ path: String) throws {
  func failure() -> FormatError { FormatError.system("put the new directory in place", file: path) }
  // Also where an empty directory is there.
  if rename(fresh, path) == 0 { return }
  guard errno == ENOTEMPTY || errno == EEXIST else { throw failure() }
  if exchange(fresh, path) {
    // The names have been exchanged: this is the earlier one.
    try? FileManager.default.removeItem(atPath: fresh)
    return
  }
  let old = String(fresh.dropLast(".partial".count)) + ".old"
  guard rename(path, old) == 0 else { throw failure() }
  guard rename(fresh, path) == 0 else {
    let error = failure()
    rename(old, path)
    throw error
  }
  try? FileManager.default.removeItem(atPath: old)
}

/// Exchanges two names in one step; false where the system or the file system cannot.
private func exchange(_ a: String, _ b: String) -> Bool {
  #if canImport(Darwin)
    return renamex_np(a, b, UInt32(RENAME_SWAP)) == 0
  #else
    typealias Function = @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32
    // Not among what Swift sees of the C library; RENAME_EXCHANGE is 2.
    guard let symbol = dlsym(nil, "renameat2") else { return false }
    return unsafeBitCast(symbol, to: Function.self)(AT_FDCWD, a, AT_FDCWD, b, 2) == 0
  #endif
}
