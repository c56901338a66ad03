// The team does every task once, however many there are, and comes back.

import AccelerandoCore
import Foundation
import Synchronization
import Testing

@testable import AccelerandoCPU

@Suite struct ThreadPoolTests {
  /// Counts how often each task is done.
  private final class Counter: TeamWork, Sendable {
    let counts: [Atomic8]
    init(_ count: Int) { counts = (0..<count).map { _ in Atomic8() } }
    func run(_ task: Int, on member: Int) { counts[task].value.add(1, ordering: .relaxed) }
  }

  private final class Atomic8: Sendable {
    let value = Atomic<Int>(0)
  }

  /// More than can be counted in sixteen bits, and the numbers beside that.
  @Test(arguments: [0, 1, 2, 3, 65_534, 65_535, 65_536, 65_537, 131_071, 200_000])
  func everyTaskIsDoneOnce(_ tasks: Int) throws {
    let work = Counter(tasks)
    let finished = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      let pool = ThreadPool.shared(threads: 3)
      // Directly, as an execution does; and by the door for others, which may find the team taken.
      if tasks > 0, pool.tryAcquire() {
        pool.run(ThreadPool.Job(work: work, tasks: tasks))
        pool.release()
      } else {
        pool.run(work, tasks: tasks)
      }
      pool.run(work, tasks: tasks)
      finished.signal()
    }
    try #require(finished.wait(timeout: .now() + 120) == .success, "the team did not come back")
    #expect(work.counts.allSatisfy { $0.value.load(ordering: .relaxed) == 2 })
  }
}
