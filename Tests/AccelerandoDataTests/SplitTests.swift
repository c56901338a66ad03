import AccelerandoFormats
import AccelerandoTestSupport
import Testing

@testable import AccelerandoData

@Suite struct SplitTests {
  /// Every row is in one part, and parts are in order.
  private func expectParts(_ split: Split, of count: Int) {
    #expect((split.train + split.validation + split.test).sorted() == Array(0..<count))
    for part in [split.train, split.validation, split.test] { #expect(part == part.sorted()) }
  }

  @Test func partsShareNoRowAndHaveTheSizesAskedFor() throws {
    for seed in 0..<20 {
      let split = try Split(count: 103, validation: 0.2, test: 0.1, seed: UInt64(seed))
      expectParts(split, of: 103)
      #expect([split.train.count, split.validation.count, split.test.count] == [72, 21, 10])
    }
  }

  /// The rows are part of what a saved run means: they may never change.
  @Test func theSameSeedGivesTheSameRowsForever() throws {
    #expect(try Split(count: 10, validation: 0.2, test: 0.2, seed: 1).validation == [3, 7])
    #expect(try Split(count: 10, validation: 0.2, test: 0.2, seed: 1).test == [5, 6])
    #expect(try Split(count: 100, validation: 0.2, seed: 1) != Split(count: 100, validation: 0.2, seed: 2))
    #expect(
      try Split(count: 10, validation: 0.3, by: .stratified([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]), seed: 1).validation
        == [2, 4, 7])
    #expect(
      try Split(count: 10, validation: 0.3, by: .grouped([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]), seed: 1).validation == [8, 9])
  }

  @Test func everyRowComesIntoEveryPart() throws {
    var counts = [Int](repeating: 0, count: 20)
    for seed in 0..<2000 {
      for row in try Split(count: 20, validation: 0.25, seed: UInt64(seed)).validation { counts[row] += 1 }
    }
    // 500 expected, with a standard deviation of 19.
    for count in counts { #expect((400...600).contains(count)) }
  }

  @Test func eachClassIsInEachPartInItsProportion() throws {
    var random = RandomSource(seed: 3)
    for round in 0..<50 {
      let classes =
        (0..<random.integer(40...300)).map { _ in random.chance(0.8) ? 0 : random.integer(1...3) }
        + [0, 1, 2, 3].flatMap { [$0, $0, $0] }
      let split = try Split(
        count: classes.count, validation: 0.2, test: 0.15, by: .stratified(classes), seed: UInt64(round))
      expectParts(split, of: classes.count)
      #expect(abs(Double(split.validation.count) - 0.2 * Double(classes.count)) < 4)
      for number in 0..<4 {
        let whole = Double(classes.count { $0 == number })
        for (part, share) in [(split.validation, 0.2), (split.test, 0.15)] {
          let found = Double(part.count { classes[$0] == number })
          #expect(found >= 1)
          #expect(abs(found - share * whole) <= 1.5, "class \(number): \(found) of \(whole)")
        }
      }
    }
  }

  @Test func noGroupIsInTwoParts() throws {
    var random = RandomSource(seed: 4)
    for round in 0..<50 {
      let groups = (0..<200).map { _ in random.integer(0...random.integer(2...40)) }
      let split = try Split(count: 200, validation: 0.2, test: 0.2, by: .grouped(groups), seed: UInt64(round))
      expectParts(split, of: 200)
      let parts = [split.train, split.validation, split.test].map { Set($0.map { groups[$0] }) }
      #expect(parts.allSatisfy { !$0.isEmpty })
      #expect(
        parts[0].isDisjoint(with: parts[1]) && parts[1].isDisjoint(with: parts[2])
          && parts[0].isDisjoint(with: parts[2]))
      let largest = Dictionary(grouping: groups, by: { $0 }).values.map(\.count).max() ?? 0
      #expect(abs(split.validation.count - 40) <= largest)
    }
  }

  @Test func theLastInTimeAreForTesting() throws {
    let times = [5.0, 1, 9, 3, 7, 2, 8, 4, 6, 0]
    let split = try Split(count: 10, validation: 0.2, test: 0.3, by: .time(times))
    #expect(split.test.map { times[$0] }.sorted() == [7, 8, 9])
    #expect(split.validation.map { times[$0] }.sorted() == [5, 6])
    // Rows of one moment stay together.
    let tied = try Split(count: 6, validation: 0.5, by: .time([0, 1, 2, 2, 3, 4]))
    #expect(tied.train == [0, 1, 2, 3])
  }

  private func reason(_ make: () throws -> Split) -> String {
    let error = #expect(throws: FormatError.self) { try make() }
    return error?.description ?? ""
  }

  @Test func splitsThatCannotBeAreRefused() {
    #expect(reason { try Split(count: 3, validation: 0.1) }.contains("the validation part of 3 rows would be empty"))
    #expect(reason { try Split(count: 1, validation: 0.9) }.contains("training part"))
    #expect(reason { try Split(count: 10, validation: 0.5, test: 0.5) }.contains("nothing to train on"))
    #expect(reason { try Split(count: 10, validation: -0.1) }.contains("received -0.1"))
    #expect(reason { try Split(count: 10, validation: .nan) }.contains("received nan"))
    #expect(
      reason {
        try Split(count: 10, validation: 0.2, by: .stratified([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), names: ["a", "rare"])
      }
      .contains("the class 'rare' has 1 row; each of the 2 parts needs one"))
    #expect(reason { try Split(count: 4, validation: 0.25, by: .grouped([1, 1, 1, 1])) }.contains("belong to 1 group"))
    #expect(reason { try Split(count: 4, validation: 0.25, by: .time([1, .nan, 2, 3])) }.contains("row 2 has no time"))
    #expect(reason { try Split(count: 4, validation: 0.25, by: .time([1, 1, 1, 1])) }.contains("same time"))
    #expect(reason { try Split(count: 4, validation: 0.25, by: .stratified([1])) }.contains("has 4 rows"))
  }
}
