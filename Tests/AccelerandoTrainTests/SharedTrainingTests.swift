// Batches that are shared by threads and processes: the same bits whoever computes which part, and the numbers of one worker
// that takes the whole batch.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import AccelerandoTestSupport
import Foundation
import Synchronization
import Testing

@testable import AccelerandoTrain

/// Processes that are threads of the test.
private final class Room: Sendable {
  private struct State {
    var bytes: [UInt8] = []
    var arrived = 0
    var round = 0
    var collected: [UInt8] = []
  }

  let size: Int
  private let state = Mutex(State())

  init(_ size: Int) { self.size = size }

  func exchange(_ bytes: UnsafeMutableRawBufferPointer, own: Range<Int>) {
    let round = state.withLock { state in
      if state.arrived == 0 { state.bytes = [UInt8](repeating: 0, count: bytes.count) }
      state.bytes.replaceSubrange(own, with: bytes[own])
      state.arrived += 1
      let round = state.round
      if state.arrived == size {
        state.collected = state.bytes
        state.arrived = 0
        state.round += 1
      }
      return round
    }
    // Nobody can come a round further before everybody has left this one's meeting.
    while state.withLock({ $0.round == round }) { usleep(20) }
    state.withLock { bytes.copyBytes(from: $0.collected) }
  }
}

private struct Member: WorkerGroup {
  let room: Room
  let rank: Int
  var size: Int { room.size }
  func allGather(_ bytes: UnsafeMutableRawBufferPointer, parts: [Range<Int>]) { room.exchange(bytes, own: parts[rank]) }
}

private func shared(_ threads: Int, _ group: any WorkerGroup = SoleWorker()) -> SharedBackend {
  SharedBackend(
    common: CPUBackend(threads: threads), local: CPUBackend(threads: 1), workers: threads, group: group)
}

/// Batch normalization, dropout, sample weights, gradients that are clipped together.
private func model(_ backend: any Backend, synchronized: Bool = true) throws -> Model {
  let layers = Sequential {
    Conv2D(4, kernelSize: (3, 3), activation: .relu)
    BatchNormalization(isSynchronized: synchronized)
    MaxPooling2D()
    Flatten()
    Dropout(0.3)
    Dense(3, activation: .softmax)
  }
  let model = Model(layers, inputShape: [8, 8, 2], backend: backend, seed: 7)
  try model.compile(
    optimizer: .adam(0.01, clipping: .globalNorm(1)), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy],
    weightedMetrics: [.loss(SparseCategoricalCrossentropy(), name: "weighted")])
  return model
}

private func samples(_ count: Int) throws -> Dataset {
  let key = RandomKey(seed: 4)
  return try Dataset(
    features: [
      NDArray(key.folded("images").bits(count * 128).map { UInt8(truncatingIfNeeded: $0) }, shape: [count, 8, 8, 2])
    ],
    labels: NDArray(key.folded("labels").bits(count).map { Int32($0 % 3) }),
    sampleWeights: NDArray(key.uniform(count, from: 0.5, to: 2)))
}

private struct Outcome: Equatable, Sendable {
  let weights: Store
  let logs: [Logs]
  let prediction: NDArray

  init(_ backend: any Backend, synchronized: Bool = true, samples count: Int, batchSize: Int) throws {
    let model = try model(backend, synchronized: synchronized)
    let data = try samples(count)
    let history = try model.fit(data, epochs: 2, batchSize: batchSize, validation: data, verbose: .silent)
    weights = try model.weights()
    logs = history.epochs.map(\.logs)
    prediction = try model.predict(data, batchSize: batchSize)
  }
}

@Suite struct SharedTrainingTests {
  /// 75 samples: the last batch is uneven, as are its parts.
  @Test(arguments: [(75, 32), (75, 64), (13, 5), (7, 3)])
  func anyNumberOfThreadsComesToTheSameBits(_ count: Int, _ batchSize: Int) throws {
    for synchronized in [true, false] {
      let outcomes = try (1...4).map {
        try Outcome(shared($0), synchronized: synchronized, samples: count, batchSize: batchSize)
      }
      #expect(outcomes.allSatisfy { $0 == outcomes[0] })
    }
  }

  @Test func anyNumberOfProcessesComesToTheSameBits() throws {
    let alone = try Outcome(shared(1), samples: 75, batchSize: 32)
    for size in 2...4 {
      let room = Room(size)
      let outcomes = Mutex<[Outcome]>([])
      let errors = Mutex<[String]>([])
      let threads = (0..<size).map { rank in
        Thread {
          do {
            let outcome = try Outcome(shared(1, Member(room: room, rank: rank)), samples: 75, batchSize: 32)
            outcomes.withLock { $0.append(outcome) }
          } catch {
            errors.withLock { $0.append("\(error)") }
          }
        }
      }
      for thread in threads {
        thread.stackSize = 8 << 20
        thread.start()
      }
      while !threads.allSatisfy(\.isFinished) { usleep(1000) }
      #expect(errors.withLock { $0 } == [])
      #expect(outcomes.withLock { $0.count == size && $0.allSatisfy { $0 == alone } })
    }
  }

  @Test(arguments: [(75, 32), (13, 5)])
  func theResultIsThatOfOneWorkerWithTheWholeBatch(_ count: Int, _ batchSize: Int) throws {
    let parts = try Outcome(shared(2), samples: count, batchSize: batchSize)
    let whole = try Outcome(testBackend, samples: count, batchSize: batchSize)
    for (a, b) in zip(parts.weights.entries, whole.weights.entries) {
      let differences = zip(a.1.elements(as: Double.self), b.1.elements(as: Double.self)).map { abs($0 - $1) }
      #expect((differences.max() ?? 0) < 2e-4, "\(a.0)")
    }
    for (a, b) in zip(parts.logs, whole.logs) {
      #expect(a.keys == b.keys && a.allSatisfy { abs($0.value - (b[$0.key] ?? .nan)) < 1e-4 }, "\(a) \(b)")
    }
  }

  @Test func partsFollowFromTheBatchAlone() {
    #expect(
      [1, 2, 3, 4, 31, 32, 63, 64, 127, 128, 4096].map(SharedBackend.parts) == [1, 2, 2, 4, 4, 4, 4, 8, 8, 16, 16])
  }

  @Test func workersWithOtherSettingsAreNamed() throws {
    let room = Room(2)
    let messages = Mutex<[String]>([])
    let threads = (0..<2).map { rank in
      Thread {
        let text = message {
          let model = try model(shared(1, Member(room: room, rank: rank)))
          try model.fit(try samples(rank == 0 ? 64 : 60), batchSize: 32, verbose: .silent)
        }
        messages.withLock { $0.append(text) }
      }
    }
    for thread in threads { thread.start() }
    while !threads.allSatisfy(\.isFinished) { usleep(1000) }
    for text in messages.withLock({ $0 }) {
      #expect(text.contains("samples: 64 for worker 0, 60 for worker 1"), "\(text)")
    }
  }

  @Test func moreWorkersThanPartsAreRefused() throws {
    let model = try model(shared(1, Member(room: Room(5), rank: 0)))
    #expect(message { try model.fit(try samples(32), verbose: .silent) }.contains("5 workers are more than"))
  }

  @Test func sumsOverSubtreesMeetInTheSameTree() {
    for parts in [1, 2, 4, 8, 16] {
      for size in 1...min(parts, 9) {
        let shares = BatchShares(of: parts, workers: size)
        let subtrees = (0..<size).flatMap { SharedMeeting.subtrees(of: shares[$0], in: 0..<parts) }
        // In order, without gaps, each a half of a half of … the whole.
        #expect(subtrees.flatMap { Array($0) } == Array(0..<parts))
        #expect(subtrees.allSatisfy { $0.count & ($0.count - 1) == 0 && $0.lowerBound % $0.count == 0 })
      }
    }
  }
}
