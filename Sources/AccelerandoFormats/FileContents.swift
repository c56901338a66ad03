// The bytes that readers read. Large files are mapped instead of read, so that a dataset or a set of weights is ready
// at once and its pages are shared between processes; arrays made from them borrow the mapping and keep it alive.

import AccelerandoCore
import Foundation

/// The bytes of a file, in memory or mapped, that never change.
///
/// A mapped file must not be changed or shortened in place while it is in use: changed bytes are seen, and reading
/// beyond a new end stops the process (SIGBUS). Write another file and rename it over the old one, as everything in
/// this library writes files: that is safe. Files of less than 256 KiB and pipes are read into memory and may change
/// afterwards.
///
/// Unchecked because a pointer is not Sendable by itself: nothing writes to these bytes after `init`.
public final class FileContents: @unchecked Sendable {
  /// The path, or another name, that errors begin with.
  public let name: String
  private let bytes: UnsafeRawBufferPointer
  private let memory: Memory

  /// The owner of the bytes.
  private enum Memory {
    case mapped, allocated
    case part(of: FileContents)
  }

  /// Whether arrays may borrow the bytes: only a mapping is worth keeping alive for one array of many.
  private var isMapped: Bool {
    switch memory {
    case .mapped: true
    case .allocated: false
    case .part(let whole): whole.isMapped
    }
  }

  /// Files smaller than this are read: below it, a mapping costs more than it saves.
  static let smallestMapping = 256 << 10

  /// The number of bytes.
  public var count: Int { bytes.count }

  /// Opens a regular file, or reads a pipe to its end.
  /// - Throws: `FormatError` when the file is not there, is a directory or a device, or cannot be read.
  public init(_ url: URL) throws {
    let path = url.path
    name = path
    // A pipe is opened without waiting for a writer; see `PipeReader`.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw FormatError.system("open the file", file: path) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FormatError.system("inspect the file", file: path) }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFIFO:
      bytes = UnsafeRawBufferPointer(try PipeReader(descriptor, name: path).readToEnd())
      memory = .allocated
      return
    case S_IFDIR: throw FormatError(file: path, reason: "is a directory, not a file", remedy: "Name a file")
    default: throw FormatError(file: path, reason: "is a device or a socket", remedy: "Name a file or a pipe")
    }
    let size = Int(status.st_size)
    if size >= Self.smallestMapping, let address = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0),
      address != MAP_FAILED
    {
      bytes = UnsafeRawBufferPointer(start: address, count: size)
      memory = .mapped
      return
    }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(size, 1), alignment: 64)
    var filled = 0
    while filled < size {
      let received = read(descriptor, buffer.baseAddress.map { $0 + filled }, size - filled)
      if received < 0 && errno == EINTR { continue }
      if received <= 0 {
        let code = errno
        buffer.deallocate()
        if received < 0 { throw FormatError.system("read the file", file: path, code: code) }
        throw FormatError(file: path, offset: filled, reason: "the file became shorter while it was read")
      }
      filled += received
    }
    bytes = UnsafeRawBufferPointer(start: buffer.baseAddress, count: size)
    memory = .allocated
  }

  /// Takes a copy of bytes that are already in memory.
  public init(_ source: [UInt8], name: String) {
    self.name = name
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(source.count, 1), alignment: 64)
    source.withUnsafeBytes { buffer.copyMemory(from: $0) }
    bytes = UnsafeRawBufferPointer(start: buffer.baseAddress, count: source.count)
    memory = .allocated
  }

  /// Makes new memory of `count` bytes, to be filled by `body`.
  init(name: String, count: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
    self.name = name
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 1), alignment: 64)
    do {
      try body(UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: count))
    } catch {
      buffer.deallocate()
      throw error
    }
    bytes = UnsafeRawBufferPointer(start: buffer.baseAddress, count: count)
    memory = .allocated
  }

  /// A part of a file, as a file of its own.
  /// - Throws: `FormatError` when the file does not have that part.
  init(part range: Range<Int>, of whole: FileContents, name: String) throws {
    self.name = name
    bytes = try whole.withUnsafeBytes(range) { $0 }
    memory = .part(of: whole)
  }

  deinit {
    switch memory {
    case .mapped: munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    case .allocated: bytes.deallocate()
    case .part: break
    }
  }

  /// Lets the system reclaim the memory of a mapped part that is no longer needed. Reading it again maps it again.
  func release(_ range: Range<Int>) {
    guard case .mapped = memory, let start = bytes.baseAddress else { return }
    let page = Int(getpagesize())
    let (first, last) = ((range.lowerBound + page - 1) / page * page, range.upperBound / page * page)
    if first < last, last <= count {
      madvise(UnsafeMutableRawPointer(mutating: start + first), last - first, MADV_DONTNEED)
    }
  }

  /// Calls `body` with all the bytes.
  public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try body(bytes)
  }

  /// Calls `body` with the bytes `range`.
  /// - Throws: `FormatError` when the file does not have them.
  func withUnsafeBytes<Result>(_ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result
  {
    guard range.lowerBound >= 0, range.upperBound <= count else {
      throw FormatError(
        file: name, offset: Swift.min(max(range.lowerBound, 0), count),
        reason: "the file ends at byte \(count), but bytes \(range.lowerBound) to \(range.upperBound) are needed",
        remedy: "The file is truncated or damaged; get it again")
    }
    return try body(UnsafeRawBufferPointer(rebasing: bytes[range]))
  }

  /// The elements of a row-major, little-endian tensor that starts at `offset`: borrowed from a mapping where their
  /// alignment allows, copied otherwise.
  /// - Throws: `FormatError` when the file does not have that many bytes.
  func array(at offset: Int, type: TensorType) throws -> NDArray {
    let (end, overflow) = offset.addingReportingOverflow(type.byteCount)
    guard !overflow, offset >= 0, type.shape.allSatisfy({ $0 >= 0 }) else {
      throw FormatError(file: name, offset: offset, reason: "a tensor \(type) is larger than any file")
    }
    return try withUnsafeBytes(offset..<end) { slice in
      let isAligned = slice.baseAddress.map { UInt(bitPattern: $0) % UInt(type.dtype.byteCount) == 0 } ?? false
      if isMapped, isAligned, type.dtype != .bool { return try NDArray(borrowing: slice, type: type, owner: self) }
      return try NDArray(bytes: slice, type: type).withTruthNormalized()
    }
  }
}

extension NDArray {
  /// The same array, with every byte of a `bool` one either 0 or 1: files may hold other bytes for true, Swift may not.
  func withTruthNormalized() -> NDArray {
    guard dtype == .bool else { return self }
    var result = self
    result.withUnsafeMutableBytes { bytes in
      for index in bytes.indices where bytes[index] > 1 { bytes[index] = 1 }
    }
    return result
  }
}
