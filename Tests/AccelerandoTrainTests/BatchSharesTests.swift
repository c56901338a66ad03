import Foundation
import Testing

@testable import AccelerandoTrain

/// How TensorFlow's MirroredStrategy divides a data set: the samples of each replica, step by step.
private struct MirroredCase: Decodable {
  let workers: Int
  let samples: Int
  let batch: Int
  let steps: [[[Int]]]
}

@Suite struct BatchSharesTests {
  @Test func batchesAreDividedInOrderAsByMirroredStrategyButMoreEvenly() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Goldens/data/mirrored_shares.json")
    let cases = try JSONDecoder().decode([MirroredCase].self, from: Data(contentsOf: file))
    #expect(cases.count == 21)
    for golden in cases {
      var first = 0
      for step in golden.steps {
        // Batches of the global size, the last one ragged, in the order of the replicas.
        let count = min(golden.batch, golden.samples - first)
        #expect(step.flatMap { $0 } == Array(first..<first + count))
        let shares = BatchShares(of: count, workers: golden.workers)
        // The replica with the most samples has as many here; the last ones are not left with what remains.
        #expect(shares.rows == step.map(\.count).max())
        #expect((0..<golden.workers).map { shares[$0].count }.min() ?? 0 >= step.map(\.count).min() ?? 0)
        if count % golden.workers == 0 {
          #expect((0..<golden.workers).map { shares[$0].map { first + $0 } } == step)
        }
        first += count
      }
      #expect(first == golden.samples)
    }
  }

  @Test func partsFollowEachOtherAndDifferByAtMostOneSample() {
    for count in 0...40 {
      for workers in 1...9 {
        let shares = BatchShares(of: count, workers: workers)
        let parts = (0..<workers).map { shares[$0] }
        #expect(parts.flatMap { Array($0) } == Array(0..<count))
        let sizes = parts.map(\.count)
        #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
        #expect(shares.rows == sizes.max())
        #expect(shares.isPadded == (Set(sizes).count > 1))
        guard count > 0 else { continue }
        let samples = shares.samples
        #expect(samples.count == workers * shares.rows && samples.allSatisfy { (0..<count).contains($0) })
        for (worker, part) in parts.enumerated() {
          #expect(Array(samples[worker * shares.rows..<worker * shares.rows + part.count]) == Array(part))
        }
      }
    }
  }
}
