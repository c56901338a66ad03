// Memory for tensors. A step walks through hundreds of megabytes; in pages of 4 KiB the processor would often have to look
// up where a page lies before it can read it. So large pieces are asked for in huge pages, where the system has them.

import Foundation

/// A piece of memory, zero at first and aligned to at least 64 bytes, until it is released.
///
/// Unchecked because a pointer is not Sendable by itself: who uses the memory says when.
final class Pages: @unchecked Sendable {
  /// The memory.
  let bytes: UnsafeMutableRawBufferPointer
  private let isMapped: Bool

  private static let hugePage = 2 << 20

  /// Takes memory; nil where the system has none.
  /// - Parameter count: the bytes, at least 0.
  init?(_ count: Int) {
    isMapped = count >= Self.hugePage
    if isMapped {
      guard let start = Self.map(count) else { return nil }
      bytes = UnsafeMutableRawBufferPointer(start: start, count: count)
    } else {
      var taken: UnsafeMutableRawPointer?
      let size = max(count, 64)
      guard posix_memalign(&taken, 64, size) == 0, let taken else { return nil }
      memset(taken, 0, size)
      bytes = UnsafeMutableRawBufferPointer(start: taken, count: count)
    }
  }

  /// Fresh pages that begin where a huge one may.
  private static func map(_ count: Int) -> UnsafeMutableRawPointer? {
    let (wanted, overflow) = count.addingReportingOverflow(hugePage)
    guard !overflow, let mapped = mmap(nil, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      mapped != MAP_FAILED
    else { return nil }
    let ahead = (hugePage - Int(bitPattern: mapped) % hugePage) % hugePage
    let start = mapped + ahead
    if ahead > 0 { munmap(mapped, ahead) }
    let end = (count + pageSize - 1) / pageSize * pageSize
    if ahead + end < wanted { munmap(start + end, wanted - ahead - end) }
    #if os(Linux)
      madvise(start, end, MADV_HUGEPAGE)
    #endif
    return start
  }

  private static let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))

  deinit {
    if isMapped { munmap(bytes.baseAddress, bytes.count) } else { free(bytes.baseAddress) }
  }
}
