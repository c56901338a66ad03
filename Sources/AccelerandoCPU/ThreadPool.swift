// The cores. Workers spin for a short while between two pieces of work, since the next one comes within microseconds
// during a training step, and then sleep. Work is cut by the caller; which thread does which piece never shows in results.

import CKernels
import Foundation
import Synchronization

/// A team of threads that run the tasks of one kernel at a time. The calling thread is one of the team.
final class ThreadPool: Sendable {
  /// One piece of work: `tasks` independent calls.
  struct Job {
    let tasks: Int
    /// Runs a range of the tasks on the team member with the given number.
    let run: (_ tasks: Range<Int>, _ member: Int) -> Void
  }

  /// The number of threads, the caller's included.
  let threads: Int
  private let generation = Atomic<Int>(0)
  private let pending = Atomic<Int>(0)
  private let job = Atomic<UInt>(0)
  private let busy = Atomic<Bool>(false)
  private let sleepers = Atomic<Int>(0)
  private let stopping = Atomic<Bool>(false)
  private let bell = NSCondition()

  /// The pool with `threads` threads; nil asks for one per core. Pools are kept, one for each size that was asked for:
  /// two that spin on the same cores would slow each other down.
  static func shared(threads: Int?) -> ThreadPool {
    let count = max(1, min(threads ?? ProcessInfo.processInfo.activeProcessorCount, 256))
    return pools.withLock { pools in
      if let pool = pools[count] { return pool }
      let pool = ThreadPool(threads: count)
      pools[count] = pool
      return pool
    }
  }

  private static let pools = Mutex<[Int: ThreadPool]>([:])

  private init(threads: Int) {
    self.threads = threads
    for member in 1..<max(threads, 1) {
      let thread = Thread { [self] in work(as: member) }
      thread.stackSize = 1 << 20
      thread.start()
    }
  }

  /// Takes the team for one run of a program; false when another thread has it, which then works alone.
  func tryAcquire() -> Bool {
    threads > 1 && busy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
  }

  /// Gives the team back.
  func release() { busy.store(false, ordering: .releasing) }

  /// Runs all tasks of a job on the team and returns when they are done. Only between `tryAcquire` and `release`.
  func run(_ job: Job) {
    withUnsafePointer(to: job) { pointer in
      self.job.store(UInt(bitPattern: pointer), ordering: .relaxed)
      pending.store(threads - 1, ordering: .relaxed)
      generation.add(1, ordering: .sequentiallyConsistent)
      if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
        bell.lock()
        bell.broadcast()
        bell.unlock()
      }
      pointer.pointee.run(share(of: 0, pointer.pointee.tasks), 0)
      while pending.load(ordering: .acquiring) > 0 { acc_spin_hint() }
    }
  }

  private func share(of member: Int, _ tasks: Int) -> Range<Int> {
    tasks * member / threads..<tasks * (member + 1) / threads
  }

  private func work(as member: Int) {
    // Numbers too small for the normal format make arithmetic ten times slower and matter to no result.
    _ = acc_set_flush_denormals(true)
    var seen = 0
    while true {
      seen = awaitWork(after: seen)
      if let pointer = UnsafePointer<Job>(bitPattern: job.load(ordering: .relaxed)) {
        let range = share(of: member, pointer.pointee.tasks)
        if !range.isEmpty { pointer.pointee.run(range, member) }
      }
      pending.subtract(1, ordering: .releasing)
    }
  }

  private func awaitWork(after seen: Int) -> Int {
    for _ in 0..<spins {
      let now = generation.load(ordering: .acquiring)
      if now != seen { return now }
      acc_spin_hint()
    }
    bell.lock()
    defer { bell.unlock() }
    sleepers.add(1, ordering: .sequentiallyConsistent)
    defer { sleepers.subtract(1, ordering: .sequentiallyConsistent) }
    while true {
      let now = generation.load(ordering: .sequentiallyConsistent)
      if now != seen { return now }
      bell.wait()
    }
  }

  /// About a millisecond of waiting.
  private let spins = 20_000
}
