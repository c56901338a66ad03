import AccelerandoTestSupport
import Foundation
import Testing

@testable import AccelerandoFormats

@Suite struct DecimalNumberTests {
  /// What is read from the whole of a text; nil where that is no number.
  private func read(_ text: String, separator: String = ".") -> Double? {
    let number = DecimalNumber(separator: Array(separator.utf8)[0])
    return Array(text.utf8).withUnsafeBufferPointer { bytes in
      guard let start = bytes.baseAddress, let result = number.read(start, start + bytes.count),
        result.end == start + bytes.count
      else { return nil }
      return result.value
    }
  }

  private func expectNearest(_ text: String) {
    let expected = strtod(text, nil)
    #expect(read(text)?.bitPattern == expected.bitPattern, "\(text)")
  }

  @Test func shortestFormsAreReadBackToTheBit() {
    var random = RandomSource(seed: 1)
    for _ in 0..<20_000 {
      let value = Double(bitPattern: random.next())
      if value.isFinite { expectNearest("\(value)") }
    }
  }

  @Test func numbersOfAnyLengthAreTheNearestAsByTheCLibrary() {
    var random = RandomSource(seed: 2)
    for round in 0..<20_000 {
      var text = (0..<random.integer(1...30)).map { _ in String(random.integer(0...9)) }.joined()
      text.insert(".", at: text.index(text.startIndex, offsetBy: random.integer(0...text.count)))
      if round % 2 == 0 { text += "e\(random.integer(-345...310))" }
      if round % 3 == 0 { text = (round % 2 == 0 ? "-" : "+") + text }
      expectNearest(text)
      expectNearest(String(random.next()))
      expectNearest(String(format: "%.\(random.integer(0...20))f", random.real(-1000...1000)))
    }
  }

  @Test func numbersHalfwayBetweenTwoGoToTheEvenOne() {
    var random = RandomSource(seed: 3)
    for _ in 0..<3000 {
      let value = Double(bitPattern: random.next())
      guard value.isFinite, value.magnitude < 1e300, value.magnitude > 1e-200 else { continue }
      // Exactly halfway, a little above, a little below.
      let middle = String(format: "%.800e", value / 2 + value.nextUp / 2)
      expectNearest(middle)
      let parts = middle.split(separator: "e")
      expectNearest("\(parts[0])1e\(parts[1])")
      // Doubles of small integers have halves that 64 bits hold.
      let whole = random.next() >> 10 | 1 << 53
      expectNearest(String(whole | 1))
      expectNearest("\(whole >> 1).5")
    }
  }

  @Test(arguments: [
    "0", "-0", "0.0", "5.", ".5", "1e400", "-1e400", "1e-400", "9007199254740993", "2.2250738585072011e-308",
    "4.9e-324",
    "2.4703282292062327e-324", "2.4703282292062328e-324", "1.7976931348623159e308", "1e99999999999999999999",
    "1e-99999999999999999999", "0.000000000000000000000000000000000000000000012345678901234567890123456789",
    "00000000000000000000000000000000000000001", "18446744073709551615", "18446744073709551616",
    "99999999999999999999999999999999999999e-38",
  ])
  func edgesAreReadAsByTheCLibrary(_ text: String) { expectNearest(text) }

  @Test(arguments: ["", "-", "+", ".", "e5", "1e", "1e+", "--1", "1..2", "1.2.3", "0x10", "1_000", "abc", "１"])
  func whatIsNoNumberIsRefused(_ text: String) { #expect(read(text) == nil) }

  @Test func aCommaMaySeparateTheFraction() {
    #expect(read("-1234,5", separator: ",") == -1234.5)
    #expect(read("0,12345678901234567890123", separator: ",") == 0.12345678901234567890123)
    #expect(read("1.5", separator: ",") == nil)
  }
}
