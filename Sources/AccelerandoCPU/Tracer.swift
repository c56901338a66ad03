// The timeline of a step: which kernel ran when on which thread. Costs nothing unless it is requested.

import Foundation

/// Records when pieces of work began and ended, in preallocated memory.
final class Tracer {
  /// One call of a kernel.
  struct Event {
    /// Phase, part and kernel, as `PhaseRunner` numbers them.
    var phase: Int32
    var part: Int32
    var kernel: Int32
    var member: Int32
    /// Nanoseconds of the monotonic clock.
    var start: UInt64
    var end: UInt64
  }

  private let events: UnsafeMutableBufferPointer<Event>
  private let counts: UnsafeMutablePointer<Int>
  private let capacity: Int
  private let members: Int

  /// - Parameters:
  ///   - members: the number of threads.
  ///   - capacity: the number of events to keep for each thread; later ones are dropped.
  init(members: Int, capacity: Int) {
    self.members = members
    self.capacity = capacity
    events = .allocate(capacity: members * capacity)
    events.initialize(repeating: Event(phase: 0, part: 0, kernel: 0, member: 0, start: 0, end: 0))
    counts = .allocate(capacity: members)
    counts.initialize(repeating: 0, count: members)
  }

  deinit {
    events.deallocate()
    counts.deallocate()
  }

  /// The time, in nanoseconds.
  static func now() -> UInt64 { monotonicNanoseconds() }

  func add(_ phase: Int, _ part: Int, _ kernel: Int, on member: Int, from start: UInt64) {
    let count = counts[member]
    guard count < capacity else { return }
    events[member * capacity + count] = Event(
      phase: Int32(truncatingIfNeeded: phase), part: Int32(truncatingIfNeeded: part),
      kernel: Int32(truncatingIfNeeded: kernel), member: Int32(truncatingIfNeeded: member), start: start,
      end: Self.now())
    counts[member] = count + 1
  }

  /// Removes all events.
  func clear() { counts.update(repeating: 0, count: members) }

  /// The events of all threads.
  var all: [Event] { (0..<members).flatMap { events[$0 * capacity..<$0 * capacity + counts[$0]] } }
}

private func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}
