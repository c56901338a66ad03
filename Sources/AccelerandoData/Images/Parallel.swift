// Files are independent of each other, so that all cores can read them at the same time.

import Foundation

/// What a function gives for each of the numbers `0..<count`, worked out on all cores in any order.
func inParallel<Value: Sendable>(
  _ count: Int, _ body: @Sendable (Int) throws -> Value
) -> [Result<Value, any Error>] {
  if count <= 1 { return (0..<count).map { number in Result { try body(number) } } }
  return [Result<Value, any Error>](unsafeUninitializedCapacity: count) { results, made in
    // Every number has a place of its own.
    nonisolated(unsafe) let places = results.baseAddress
    DispatchQueue.concurrentPerform(iterations: count) { number in
      places.map { ($0 + number).initialize(to: Result { try body(number) }) }
    }
    made = count
  }
}
