// The threads, one per core. Workers spin for a short while between two pieces of work, since the next one comes within
// microseconds during a training step, and then sleep. The caller splits the work; which thread runs which piece never
// affects results.

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

    /// Runs the tasks of one bundle on the thread with the given index.
    func run(_ number: Int, on member: Int) {
      for task in number * bundle..<min((number + 1) * bundle, tasks) { work.run(task, on: member) }
    }
  }

  /// The number of threads, including the caller.
  let threads: Int
  /// The remaining bundles: the number of the job, the first bundle and the one after the last, in 32, 16 and 16 bits. The
  /// caller takes bundles from the front and the others from the back, so that on two cores each gets the same data in
  /// kernel after kernel; a late thread finds nothing left, and nobody waits for a thread that does not run.
  private let left = Atomic<UInt64>(0)
  private let done = Atomic<Int>(0)
  private let job = Atomic<UInt>(0)
  private let busy = Atomic<Bool>(false)
  /// The cores that the team may use.
  private let allowed: AccCores
  /// Whether there are more threads than cores: a spinning thread then holds up one that has work.
  private let isCrowded: Bool
  private let sleepers = Atomic<Int>(0)
  /// Whether no more work will come for a while.
  private let isResting = Atomic<Bool>(false)
  private let bell = NSCondition()
  /// The threads beside the caller.
  private let workers: [Worker]

  /// The state of one of the other threads.
  private final class Worker: Sendable {
    let thread = Atomic<Int>(0)
    /// The core on which it last took a task.
    let core = Atomic<Int>(-1)
    /// The core that it must avoid.
    let avoids = Atomic<Int>(-1)
  }

  /// The pool with `threads` threads; nil for one per core. Pools are kept, one for each requested size: two pools
  /// spinning on the same cores would slow each other down.
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

  /// Acquires the team for one run of a program; false if another thread is using it, and this one should work alone.
  func tryAcquire() -> Bool {
    guard threads > 1, busy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else {
      return false
    }
    isResting.store(false, ordering: .relaxed)
    return true
  }

  /// Lets the others sleep instead of waiting for work.
  func rest() { isResting.store(true, ordering: .relaxed) }

  /// Releases the team.
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

  /// Ensures that no worker wakes up on a core, the caller's.
  private func keepOff(_ core: Int) {
    if isCrowded { return }
    for worker in workers where worker.avoids.load(ordering: .relaxed) != core { move(worker, off: core) }
  }

  /// Moves workers off the caller's core: two threads waiting for each other on one core would only alternate.
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
    // Denormal numbers make arithmetic ten times slower and matter to no result.
    _ = acc_set_flush_denormals(true)
    var preemptions = acc_preemptions()
    let worker = workers[member - 1]
    worker.thread.store(acc_current_thread(), ordering: .relaxed)
    while true {
      awaitWork(&preemptions)
      worker.core.store(acc_current_core(), ordering: .relaxed)
      while let task = takeTask(fromFront: false) {
        // A claimed task keeps the job alive until it is counted as done.
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

  /// Whether work arrives within this many iterations. On a crowded machine other threads run on the core meanwhile.
  private func spin(_ turns: Int) -> Bool {
    for _ in 0..<turns {
      if hasWork { return true }
      if isResting.load(ordering: .relaxed) { return false }
      if isCrowded { sched_yield() } else { acc_spin_hint() }
    }
    return false
  }

  /// Spins for a while, then sleeps. On a quiet machine a sleeping thread wakes up slowly, and may wake up on the core
  /// of its caller. On a busy one, a spinning thread uses up the time slice that it will need for work: so a thread
  /// that was preempted recently spins for a short while only.
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

  /// About 30 to 100 µs of waiting, longer than the host needs between two steps; and about 5 ms, longer than one
  /// thread lags behind another in a phase of a large model.
  private let shortSpins = 2_000
  private let longSpins = 200_000
  private let yields = 1_000
}
