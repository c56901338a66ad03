// Decoding an image takes far longer than a small model's step on it, and every epoch needs it again. So decoded images are
// kept as bytes: in memory while they fit, otherwise in a file that is mapped, of which the system keeps in memory what it has
// room for. Rows are found by their number: the order of an epoch stays free.

import AccelerandoFormats
import Foundation
import Synchronization

/// Decoded images, kept from the first time that they are read.
public final class ImageCache: Sendable {
  /// Where decoded images are kept.
  public enum Storage: Hashable, Sendable {
    /// In memory if all of them take no more than a quarter of the machine's, otherwise in a file among the user's caches.
    case automatic
    /// In memory.
    case memory
    /// In a file, which later runs find: among the user's caches, or in a directory.
    case file(directory: URL? = nil)
    /// Nowhere: every pass decodes.
    case none
  }

  private enum Mark: UInt8 { case missing, beingRead, kept }

  private struct State {
    /// A mark for each row; empty once all are kept.
    var marks: [Mark]
    var keptCount = 0
  }

  private let store: MappedStore
  private let rowBytes: Int
  private let state: Mutex<State>

  /// Prepares to keep images; nil for `Storage.none`.
  /// - Parameters:
  ///   - paths: the files. A file among the caches is found again by their paths, sizes and times, and by `form`.
  ///   - rowBytes: the bytes of an image.
  init?(_ paths: [String], _ form: ImageForm, rowBytes: Int, _ storage: Storage) throws {
    let (total, overflow) = rowBytes.multipliedReportingOverflow(by: paths.count)
    guard storage != .none, total > 0 else { return nil }
    guard !overflow else {
      throw FormatError(file: "images", reason: "\(paths.count) images of \(rowBytes) bytes are too many")
    }
    self.rowBytes = rowBytes
    switch storage {
    case .memory: store = try MappedStore(byteCount: total)
    case .automatic where total <= Int(clamping: ProcessInfo.processInfo.physicalMemory / 4):
      store = try MappedStore(byteCount: total)
    default:
      var directory = userCacheDirectory().appendingPathComponent("images", isDirectory: true)
      if case .file(let given?) = storage { directory = given }
      let key = try Self.key(of: paths, form, rowBytes: rowBytes)
      store = try MappedStore(directory.appendingPathComponent("\(key).pixels"), byteCount: total)
    }
    state = Mutex(State(marks: store.wasComplete ? [] : [Mark](repeating: .missing, count: paths.count)))
  }

  /// Writes rows one after the other.
  /// - Parameter decode: reads the rows at some places of `rows`, each to where the function says that it belongs.
  func read(
    _ rows: [Int], into target: UnsafeMutableRawBufferPointer,
    decode: (_ places: [Int], _ memory: (Int) -> UnsafeMutableRawBufferPointer) throws -> Void
  ) throws {
    var missing: [Int] = []
    // Of several threads that read the same row, one keeps it.
    var mine: [Int] = []
    var kept: [Int] = []
    state.withLock { state in
      for (place, row) in rows.enumerated() {
        guard !state.marks.isEmpty, state.marks[row] != .kept else {
          kept.append(place)
          continue
        }
        missing.append(place)
        if state.marks[row] == .missing {
          state.marks[row] = .beingRead
          mine.append(place)
        }
      }
    }
    func memory(_ place: Int) -> UnsafeMutableRawBufferPointer {
      UnsafeMutableRawBufferPointer(rebasing: target[place * rowBytes..<(place + 1) * rowBytes])
    }
    for place in kept { memory(place).copyMemory(from: UnsafeRawBufferPointer(bytes(of: rows[place]))) }
    guard !missing.isEmpty else { return }
    do {
      try decode(missing, memory)
      for place in mine { bytes(of: rows[place]).copyMemory(from: UnsafeRawBufferPointer(memory(place))) }
    } catch {
      state.withLock { state in for place in mine { state.marks[rows[place]] = .missing } }
      throw error
    }
    let isComplete = state.withLock { state in
      for place in mine { state.marks[rows[place]] = .kept }
      state.keptCount += mine.count
      guard !mine.isEmpty, state.keptCount == state.marks.count else { return false }
      state.marks = []
      return true
    }
    if isComplete { try store.complete() }
  }

  private func bytes(of row: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: store.bytes[row * rowBytes..<(row + 1) * rowBytes])
  }

  /// What the bytes follow from: the files, as far as their sizes and times tell, and what is made of them.
  private static func key(of paths: [String], _ form: ImageForm, rowBytes: Int) throws -> String {
    let digest = try SHA256Digest()
    try digest.update("1 \(rowBytes) \(form)\n")
    for path in paths {
      var status = stat()
      guard stat(path, &status) == 0 else {
        throw FormatError(file: path, reason: "cannot be read: \(String(cString: strerror(errno)))")
      }
      #if os(macOS)
        let time = status.st_mtimespec
      #else
        let time = status.st_mtim
      #endif
      let absolute = URL(fileURLWithPath: path).path
      try digest.update("\(absolute.utf8.count) \(absolute) \(status.st_size) \(time.tv_sec) \(time.tv_nsec)\n")
    }
    return try digest.finish()
  }
}
