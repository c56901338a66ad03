import AccelerandoReport
import Testing

@Suite struct TextDifferenceTests {
  /// The second text, made of the first and the difference.
  private func patched(_ text: String, _ difference: TextDifference) -> [String] {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if lines.last == "" { lines.removeLast() }
    for hunk in difference.hunks.reversed() {
      #expect(Array(lines[hunk.first]) == hunk.lines.filter { $0.kind != .added }.map(\.text))
      lines.replaceSubrange(hunk.first, with: hunk.lines.filter { $0.kind != .removed }.map(\.text))
    }
    return lines
  }

  @Test func aDifferenceTurnsTheFirstTextIntoTheSecond() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<500 {
      func text() -> String {
        (0..<Int.random(in: 0...20, using: &random)).map { _ in "\(Int.random(in: 0...4, using: &random))\n" }.joined()
      }
      let (first, second) = (text(), text())
      let difference = TextDifference(first, second, context: Int.random(in: 0...4, using: &random))
      #expect(patched(first, difference) == second.split(separator: "\n").map(String.init))
      #expect(difference.hunks.isEmpty == (first == second))
    }
  }

  @Test func placesAreWrittenAsByDiff() {
    let difference = TextDifference("a\nb\nc\nd\ne\n", "a\nb\nX\nd\ne\n", context: 1)
    #expect(difference.hunks.map(\.header) == ["@@ -2,3 +2,3 @@"])
    #expect(difference.hunks[0].lines.map(\.text) == ["b", "c", "X", "d"])
    #expect(TextDifference("", "a\n").hunks.map(\.header) == ["@@ -0,0 +1 @@"])
  }

  @Test func lettersOfOtherBytesAreOtherLetters() {
    #expect(!TextDifference("é\n", "e\u{301}\n").hunks.isEmpty)
  }
}
