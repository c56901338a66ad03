import Foundation
import Testing

import AccelerandoFormats

@Suite struct JSONTests {
  /// Texts that break writers that quote by hand.
  static let hostile = [
    "\"", "\\", "a\"b\\c\n\t\r\u{0}\u{1f}\u{7f}", "{\"a\": 1}", "\u{2028}\u{2029}", "é", "e\u{301}", "👩‍👩‍👧", "", " ", "%s",
    "</script>",
    "null", "\u{10ffff}",
  ]

  @Test func whatIsWrittenIsReadByFoundationInEveryLayout() throws {
    let members = Self.hostile.map {
      ($0, JSON([("name", JSON(.string($0))), ("list", JSON(.array([JSON(.string($0))])))]))
    }
    let value = JSON(members + [("numbers", JSON(.array([1e-5, -0.0, 1e300, 0.1].map { JSON(.double($0)) })))])
    for layout in [JSON.Layout.indented, .line, .compact] {
      let text = value.text(layout)
      let read = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
      for name in Self.hostile where name != "é" && name != "e\u{301}" {
        let member = read[name] as? [String: Any]
        #expect(member?["name"] as? String == name)
        #expect((member?["list"] as? [String])?.first == name)
      }
      #expect((read["numbers"] as? [Double]) == [1e-5, 0, 1e300, 0.1])
      #expect(try JSON(parsing: Array(text.utf8)).text(layout) == text)
    }
  }

  @Test func numbersThatJSONDoesNotHaveBecomeNull() throws {
    struct Report: Encodable {
      let a = Double.nan
      let b = [Float.infinity, 1.5]
      let someName = "nan"
    }
    #expect(
      try JSON(encoding: Report(), snakeCase: true).text() == #"{"a": null, "b": [null, 1.5], "some_name": "nan"}"#)
    #expect(JSON([("x", JSON.number(-.infinity)), ("y", JSON(.double(.nan)))]).text() == #"{"x": null, "y": null}"#)
  }

  @Test func onlyTheGrammarOfJSONIsRead() {
    let wrong = [
      "", "[1,]", "{\"a\":1,}", "[01]", "[1.]", "[.5]", "[+1]", "[1e]", "[1e+]", "[-]", "[0x1]", "[NaN]", "[1e999]",
      "nul", "[1] 2",
      "'a'", "{a:1}", "{\"a\" 1}", "\"\n\"", "\"\\x\"", "\"\\u12g4\"", "\"\\u+123\"", "\"\\ud800\"",
      "\"\\ud800\\u0041\"", "/*x*/1",
      "{\"a\":1,\"a\":1}", String(repeating: "[", count: 100_000), "\u{feff}1",
    ]
    for text in wrong { #expect(throws: JSONError.self, "\(text.prefix(40))") { try JSON(parsing: Array(text.utf8)) } }
    for text in ["1", "-0", "1E+2", "\"\\ud83d\\ude00\"", " [ ] ", "{\"\u{e9}\":1,\"e\u{301}\":2}", "-0.0e-0"] {
      #expect(throws: Never.self, "\(text)") { try JSON(parsing: Array(text.utf8)) }
    }
    let place = #expect(throws: JSONError.self) { try JSON(parsing: Array("{\n \"a\": x}".utf8)) }
    #expect(place?.line == 2 && place?.offset == 8)
  }
}
