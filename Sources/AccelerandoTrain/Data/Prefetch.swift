// Batches prepared on another thread while the device computes. The queue is bounded: a fast producer waits, and a
// consumer that is released early stops the producer.

import AccelerandoCore
import Foundation
import Synchronization

/// Runs the batches of `make` on a separate thread, up to `depth` ahead.
func prefetching(_ make: @escaping Dataset.MakeBatches, depth: Int) -> BatchIterator {
  let consumer = PrefetchConsumer(BatchQueue(depth: depth))
  let queue = consumer.queue
  let thread = Thread {
    do {
      let batches = try make()
      while let batch = try batches.next() {
        guard queue.push(.success(batch)) else { return }
      }
      _ = queue.push(.success(nil))
    } catch {
      _ = queue.push(.failure(error))
    }
  }
  thread.name = "accelerando prefetch"
  thread.start()
  return BatchIterator { try consumer.next() }
}

/// The consumer's end; releasing it stops the producer.
private final class PrefetchConsumer {
  let queue: BatchQueue
  /// The producer's last message: it has ended.
  private var end: Result<Batch?, any Error>?

  init(_ queue: BatchQueue) { self.queue = queue }

  func next() throws -> Batch? {
    if let end { return try end.get() }
    let item = queue.pop()
    switch item {
    case .success(.some(let batch)): return batch
    case .success(.none), .failure:
      end = item
      return try item.get()
    }
  }

  deinit { queue.close() }
}

/// A bounded queue between two threads. The semaphores count free and filled places.
private final class BatchQueue: Sendable {
  private struct State {
    var items: [Result<Batch?, any Error>] = []
    var isClosed = false
  }

  private let state = Mutex(State())
  // Dispatch traps when a semaphore is released whose count is below its initial value: so both begin at zero.
  private let free = DispatchSemaphore(value: 0)
  private let filled = DispatchSemaphore(value: 0)

  init(depth: Int) {
    for _ in 0..<depth { free.signal() }
  }

  /// Waits for a free slot; false when the consumer is gone.
  func push(_ item: Result<Batch?, any Error>) -> Bool {
    free.wait()
    let isOpen = state.withLock { state in
      if !state.isClosed { state.items.append(item) }
      return !state.isClosed
    }
    filled.signal()
    return isOpen
  }

  func pop() -> Result<Batch?, any Error> {
    filled.wait()
    let item = state.withLock { state in state.items.isEmpty ? .success(nil) : state.items.removeFirst() }
    free.signal()
    return item
  }

  func close() {
    state.withLock { $0.isClosed = true }
    free.signal()
  }
}
