// A file that is being written has another name until it is complete. A killed program leaves such files behind; the
// next writer of the same file removes them. Locks distinguish them from files that are being written now: the system
// releases a lock when its owner ends.

import Foundation

/// A name for what is being written and will be called `path`.
func partialName(besides path: String) -> String {
  let suffix = String(UInt64.random(in: .min ... .max), radix: 36)
  return "\(parentDirectory(of: path))/.\((path as NSString).lastPathComponent).\(suffix).partial"
}

/// The directory of a path; "." where the path names none.
func parentDirectory(of path: String) -> String {
  let parent = (path as NSString).deletingLastPathComponent
  return parent.isEmpty ? "." : parent
}

/// Where a path leads to: through links, also those to files that are not there yet.
/// - Throws: `FormatError` for links that lead in a circle.
func linkTarget(of path: String) throws -> String {
  var path = path
  for _ in 0..<40 {
    if let known = realpath(path, nil) {
      defer { free(known) }
      return String(cString: known)
    }
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return path }
    guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path) else { return path }
    path = target.hasPrefix("/") ? target : "\(parentDirectory(of: path))/\(target)"
  }
  throw FormatError(file: path, reason: "is a link that leads in a circle", remedy: "Choose another file name")
}

/// Removes what programs that were killed have left half written beside a file or a directory.
func removeAbandoned(besides path: String) {
  let directory = parentDirectory(of: path)
  let prefix = ".\((path as NSString).lastPathComponent)."
  for name in (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [] {
    guard name.hasPrefix(prefix), name.hasSuffix(".partial") else { continue }
    let place = "\(directory)/\(name)"
    let descriptor = open(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { continue }
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { try? FileManager.default.removeItem(atPath: place) }
    close(descriptor)
  }
}
