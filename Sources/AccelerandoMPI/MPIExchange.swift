// Memory that the processes of an MPI job exchange repeatedly, while they compute. Open MPI moves data only when it is
// called, so the computing threads call it now and then.

import AccelerandoCore

/// An exchange with `MPI_Iallgatherv`.
final class MPIExchange: WorkerExchange {
  private let library: MPILibrary
  private let base: UnsafeMutableRawPointer
  /// What MPI reads until the exchange has finished: the request, and the counts and offsets of all processes.
  private let request: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  private let counts: UnsafeMutablePointer<Int32>
  private let places: UnsafeMutablePointer<Int32>
  private var isUnderWay = false
  /// The rank, for errors.
  private let name: String

  /// Bytes are exchanged eight at a time: MPI's counts have 32 bits.
  static let unit = 8

  init(
    _ library: MPILibrary, _ base: UnsafeMutableRawPointer, parts: [Range<Int>], name: String
  ) throws {
    self.library = library
    self.base = base
    self.name = name
    let unit = parts.allSatisfy { $0.lowerBound % Self.unit == 0 && $0.upperBound % Self.unit == 0 } ? Self.unit : 1
    type = unit == 1 ? library.byte : library.eightBytes
    guard let last = parts.map(\.upperBound).max(), last / unit <= Int(Int32.max) else {
      throw WorkerError("processes exchange up to 2³¹ numbers of \(unit) bytes at a time. Use smaller layers.")
    }
    request = .allocate(capacity: 1)
    counts = .allocate(capacity: parts.count)
    places = .allocate(capacity: parts.count)
    request.initialize(to: nil)
    for (process, part) in parts.enumerated() {
      (counts + process).initialize(to: Int32(part.count / unit))
      (places + process).initialize(to: Int32(part.lowerBound / unit))
    }
  }

  private let type: UnsafeMutableRawPointer

  deinit {
    request.deallocate()
    counts.deallocate()
    places.deallocate()
  }

  func start() throws {
    // Open MPI's constant for "my part is already in the buffer".
    let inPlace = UnsafeMutableRawPointer(bitPattern: 1)
    try check(library.startAllGather(inPlace, 0, type, base, counts, places, type, library.world, request))
    isUnderWay = true
  }

  func advance() throws {
    guard isUnderWay else { return }
    var isDone: Int32 = 0
    try check(library.test(request, &isDone, nil))
    isUnderWay = isDone == 0
  }

  func finish() throws {
    guard isUnderWay else { return }
    try check(library.wait(request, nil))
    isUnderWay = false
  }

  private func check(_ code: Int32) throws {
    guard code == 0 else { throw WorkerError("\(name) cannot reach the others any more (MPI error \(code)).") }
  }
}
