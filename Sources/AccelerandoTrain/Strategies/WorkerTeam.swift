// Threads that take parts of batches. Steps follow each other within microseconds while a model trains, so the threads look for
// the next one for a while before they go to sleep: waking a thread takes longer than a small step.

import Foundation
import Synchronization

/// Threads that run one piece of work together, again and again.
final class WorkerTeam: Sendable {
  /// The members, the caller among them.
  let count: Int
  private let shared: Shared

  private final class Shared: Sendable {
    let round = Atomic<Int>(0)
    let pending = Atomic<Int>(0)
    let sleepers = Atomic<Int>(0)
    let isBusy = Atomic<Bool>(false)
    let isOver = Atomic<Bool>(false)
    let work = Mutex<(@Sendable (Int) -> Void)?>(nil)
    let bell = NSCondition()

    func wake() {
      bell.lock()
      bell.broadcast()
      bell.unlock()
    }

    func member(_ number: Int) {
      var seen = 0
      while true {
        var turns = 0
        while round.load(ordering: .sequentiallyConsistent) == seen {
          turns += 1
          if turns > 1000 { sched_yield() }
          if turns > 4000 { sleep(seen) }
        }
        if isOver.load(ordering: .acquiring) { return }
        seen += 1
        work.withLock { $0 }?(number)
        pending.subtract(1, ordering: .acquiringAndReleasing)
      }
    }

    private func sleep(_ seen: Int) {
      sleepers.add(1, ordering: .sequentiallyConsistent)
      bell.lock()
      while round.load(ordering: .sequentiallyConsistent) == seen { bell.wait() }
      bell.unlock()
      sleepers.subtract(1, ordering: .sequentiallyConsistent)
    }
  }

  /// Makes a team.
  init(_ count: Int) {
    self.count = max(count, 1)
    let shared = Shared()
    self.shared = shared
    for number in 1..<max(self.count, 1) {
      let thread = Thread { shared.member(number) }
      thread.stackSize = 1 << 20
      thread.start()
    }
  }

  deinit {
    shared.isOver.store(true, ordering: .releasing)
    shared.round.add(1, ordering: .sequentiallyConsistent)
    shared.wake()
  }

  /// Calls `work` once for each member, each on a thread of its own; on the caller's alone while the team is at work for
  /// somebody else.
  func run(_ work: @escaping @Sendable (Int) -> Void) {
    guard count > 1, shared.isBusy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
    else {
      for number in 0..<count { work(number) }
      return
    }
    shared.work.withLock { $0 = work }
    shared.pending.store(count - 1, ordering: .releasing)
    shared.round.add(1, ordering: .sequentiallyConsistent)
    if shared.sleepers.load(ordering: .sequentiallyConsistent) > 0 { shared.wake() }
    work(0)
    var turns = 0
    while shared.pending.load(ordering: .acquiring) > 0 {
      turns += 1
      if turns > 4000 { sched_yield() }
    }
    shared.isBusy.store(false, ordering: .releasing)
  }
}
