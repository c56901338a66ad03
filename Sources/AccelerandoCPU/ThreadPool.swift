// The cores. Workers spin for a short while between two pieces of work, since the next one comes within microseconds
// during a training step, and then sleep. Work is cut by the caller; which thread does which piece never shows in results.

import AccelerandoCore
import CKernels
import Foundation
import Synchronization

/// A team of threads that run the tasks of one phase at a time. The calling thread is one of the team.
final class ThreadPool: ThreadTeam {
  /// One phase to run. A plain value and no closure: making one must not allocate.
  struct Job {
    let work: any TeamWork
    let tasks: Int
    /// What threads claim at a time: one task, or more where there are more tasks than can be counted in 16 bits.
    let bundle: Int
    let bundles: Int

    init(work: any TeamWork, tasks: Int) {
      self.work = work
      self.tasks = tasks
      bundle = max(1, (tasks + 0xfffe) / 0xffff)
      bundles = (tasks + bundle - 1) / bundle
    }

    /// Runs the tasks of one bundle on the team member with the given number.
    func run(_ number: Int, on member: Int) {
      for task in number * bundle..<min((number + 1) * bundle, tasks) { work.run(task, on: member) }
    }
  }

  /// The number of threads, the caller's included.
  let threads: Int
  /// Which bundles are left: the number of the job, the first bundle and the one after the last, in 32, 16 and 16 bits.
  /// The caller takes tasks from the front and the others from the back, so that on two cores each meets the same data
  /// in kernel after kernel; whoever is late finds nothing left, and nobody waits for a thread that does not run.
  private let left = Atomic<UInt64>(0)
  private let done = Atomic<Int>(0)
  private let job = Atomic<UInt>(0)
  private let busy = Atomic<Bool>(false)
  /// The cores that the team may use.
  private let allowed: AccCores
  /// Whether there are more threads than cores: whoever waits then holds up somebody who has work.
  private let isCrowded: Bool
  private let sleepers = Atomic<Int>(0)
  /// Whether no work is to come for a while.
  private let isResting = Atomic<Bool>(false)
  private let bell = NSCondition()
  /// The threads beside the caller.
  private let workers: [Worker]

  /// Where one of the other threads is.
  private final class Worker: Sendable {
    let thread = Atomic<Int>(0)
    /// The core on which it last took a task.
    let core = Atomic<Int>(-1)
    /// The core that it is kept off.
    let avoids = Atomic<Int>(-1)
  }

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
    allowed = acc_allowed_cores()
    isCrowded = threads > ProcessInfo.processInfo.activeProcessorCount
    workers = (1..<max(threads, 1)).map { _ in Worker() }
    for member in 1..<max(threads, 1) {
      let thread = Thread { [self] in work(as: member) }
      thread.stackSize = 1 << 20
      thread.start()
    }
  }

  /// Takes the team for one run of a program; false when another thread has it, which then works alone.
  func tryAcquire() -> Bool {
    guard threads > 1, busy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else {
      return false
    }
    isResting.store(false, ordering: .relaxed)
    return true
  }

  /// Lets the others sleep rather than wait for work.
  func rest() { isResting.store(true, ordering: .relaxed) }

  /// Gives the team back.
  func release() { busy.store(false, ordering: .releasing) }

  func run(_ work: any TeamWork, tasks: Int) {
    guard tasks > 1, tryAcquire() else {
      for task in 0..<max(tasks, 0) { work.run(task, on: 0) }
      return
    }
    defer { release() }
    run(Job(work: work, tasks: tasks))
  }

  /// Runs all tasks of a job on the team and returns when they are done. Only between `tryAcquire` and `release`.
  func run(_ job: Job) {
    withUnsafePointer(to: job) { pointer in
      self.job.store(UInt(bitPattern: pointer), ordering: .relaxed)
      done.store(0, ordering: .relaxed)
      let number = (left.load(ordering: .relaxed) >> 32) &+ 1
      left.store(number << 32 | UInt64(job.bundles), ordering: .sequentiallyConsistent)
      if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
        keepOff(acc_current_core())
        bell.lock()
        bell.broadcast()
        bell.unlock()
      }
      while let task = takeTask(fromFront: true) {
        pointer.pointee.run(task, on: 0)
        done.add(1, ordering: .relaxed)
      }
      var spins = 0
      while done.load(ordering: .acquiring) < job.bundles {
        acc_spin_hint()
        spins += 1
        if spins % 512 == 0 { separate() }
        if isCrowded || spins > 2_000 { sched_yield() }
      }
    }
  }

  /// Sees to it that no worker wakes up on a core, the caller's.
  private func keepOff(_ core: Int) {
    if isCrowded { return }
    for worker in workers where worker.avoids.load(ordering: .relaxed) != core { move(worker, off: core) }
  }

  /// Moves workers off the caller's core: two that wait for each other would only take turns there.
  private func separate() {
    if isCrowded { return }
    let core = acc_current_core()
    for worker in workers where worker.core.load(ordering: .relaxed) == core { move(worker, off: core) }
  }

  private func move(_ worker: Worker, off core: Int) {
    var cores = allowed
    let thread = worker.thread.load(ordering: .relaxed)
    guard thread != 0, acc_remove_core(&cores, core) else { return }
    worker.avoids.store(core, ordering: .relaxed)
    worker.core.store(-1, ordering: .relaxed)
    acc_restrict_thread(thread, cores)
  }

  private func takeTask(fromFront: Bool) -> Int? {
    var state = left.load(ordering: .acquiring)
    while true {
      let (first, end) = (state >> 16 & 0xffff, state & 0xffff)
      if first >= end { return nil }
      let next = fromFront ? state + 1 << 16 : state - 1
      let (taken, now) = left.weakCompareExchange(
        expected: state, desired: next, ordering: .acquiringAndReleasing)
      if taken { return Int(fromFront ? first : end - 1) }
      state = now
    }
  }

  private func work(as member: Int) {
    // Numbers too small for the normal format make arithmetic ten times slower and matter to no result.
    _ = acc_set_flush_denormals(true)
    var preemptions = acc_preemptions()
    let worker = workers[member - 1]
    worker.thread.store(acc_current_thread(), ordering: .relaxed)
    while true {
      awaitWork(&preemptions)
      worker.core.store(acc_current_core(), ordering: .relaxed)
      while let task = takeTask(fromFront: false) {
        // A task that was taken keeps the job alive until it is counted as done.
        if let pointer = UnsafePointer<Job>(bitPattern: job.load(ordering: .relaxed)) {
          pointer.pointee.run(task, on: member)
        }
        done.add(1, ordering: .releasing)
      }
    }
  }

  private var hasWork: Bool {
    let state = left.load(ordering: .sequentiallyConsistent)
    return state >> 16 & 0xffff < state & 0xffff
  }

  /// Whether work comes within so many turns. On a crowded machine others have theirs on the core meanwhile.
  private func spin(_ turns: Int) -> Bool {
    for _ in 0..<turns {
      if hasWork { return true }
      if isResting.load(ordering: .relaxed) { return false }
      if isCrowded { sched_yield() } else { acc_spin_hint() }
    }
    return false
  }

  /// Spins for a while, then sleeps. On a quiet machine a sleeping thread is slow to come back, and may come back on the
  /// core of the one that called it. On a busy one, a thread that spins uses up the time that it will want for work:
  /// whoever had to leave its core to others lately spins for a short while only.
  private func awaitWork(_ preemptions: inout Int) {
    if spin(isCrowded ? yields : shortSpins) { return }
    let now = acc_preemptions()
    if !isCrowded, now == preemptions, spin(longSpins) { return }
    preemptions = now
    bell.lock()
    defer { bell.unlock() }
    sleepers.add(1, ordering: .sequentiallyConsistent)
    defer { sleepers.subtract(1, ordering: .sequentiallyConsistent) }
    while !hasWork { bell.wait() }
  }

  /// Some 30 to 100 µs of waiting, longer than the host needs between two steps; and some 5 ms, longer than one thread is
  /// behind another in a phase of a large model.
  private let shortSpins = 2_000
  private let longSpins = 200_000
  private let yields = 1_000
}
