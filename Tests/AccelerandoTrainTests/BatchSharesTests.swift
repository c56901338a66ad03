import Testing

@testable import AccelerandoTrain

@Suite struct BatchSharesTests {
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
