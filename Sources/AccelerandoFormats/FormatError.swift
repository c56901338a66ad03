// Files come from elsewhere, so any of them may be wrong. Errors always say what is wrong with which file, and where.

import Foundation

/// Why a file could not be read or written.
public struct FormatError: Error, Hashable, Sendable, CustomStringConvertible, LocalizedError {
  /// The path of the file, with the entry inside it if there is one: `weights.npz › layers.0.weight.npy`.
  public var file: String
  /// The offset of the error in bytes, from the start of the file (or of the decompressed entry).
  public var offset: Int?
  /// The line of the error in a file of text, from 1; it is told instead of the offset.
  public var line: Int?
  /// What was expected and what was found.
  public var reason: String
  /// What the user can do about it.
  public var remedy: String?

  /// Makes an error about a file.
  public init(file: String, offset: Int? = nil, line: Int? = nil, reason: String, remedy: String? = nil) {
    self.file = file
    self.offset = offset
    self.line = line
    self.reason = reason
    self.remedy = remedy
  }

  public var description: String {
    let place = line.map { "\(file), line \($0)" } ?? offset.map { "\(file), byte \($0)" } ?? file
    return remedy.map { "\(place): \(reason). \($0)." } ?? "\(place): \(reason)."
  }

  public var errorDescription: String? { description }

  /// The error that the last system call on `file` left in `errno`.
  package static func system(_ action: String, file: String, code: Int32 = errno, remedy: String? = nil) -> FormatError
  {
    let advice =
      switch code {
      case ENOENT: "Check the path"
      case EACCES, EPERM, EROFS: "Choose a place that you may write to, or change the permissions"
      case ENOSPC, EDQUOT: "Free some space or choose another disk"
      case EPIPE: "Whoever read it has stopped reading"
      default: remedy
      }
    return FormatError(file: file, reason: "cannot \(action): \(String(cString: strerror(code)))", remedy: advice)
  }
}
