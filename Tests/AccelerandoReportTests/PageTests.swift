import AccelerandoReport
import Foundation
import Testing

/// What a page says is what it was given, whatever characters that has.
@Suite struct PageTests {
  /// A run with a text in every place that has one.
  private func report(_ text: String) -> RunReport {
    let record = RunRecord(
      name: text, recipeName: text, recipe: "\(text)\nlayers:\n", seed: text, digest: text, arguments: ["train", text],
      epochs: [.init(number: 1, steps: 2, seconds: 1, numbers: ["loss": 1, "val_loss": 2, text: 3])])
    var classes = Evaluation.Classes(names: [text, "b", "c"])
    classes.confusion.add(truth: 0, prediction: 1)
    classes.confusion.add(truth: 1, prediction: 1)
    classes.calibration.add(probability: 0.7, isRight: true)
    var labels = Evaluation.Labels(names: [text])
    labels.counts.add(truth: [true], prediction: [false])
    var quantity = Evaluation.Quantity(name: text)
    quantity.residuals.add(prediction: 1, target: 2)
    let evaluation = Evaluation(
      samples: 2, numbers: [(text, 1)],
      outputs: [
        .init(name: text, findings: .classes(classes)), .init(name: text, findings: .labels(labels)),
        .init(name: text, findings: .quantities([quantity])),
      ],
      worst: [.init(id: text, loss: 1, truth: text, answer: text, picture: [1, 2, 3])])
    return RunReport(record: record, evaluation: evaluation, notes: [text])
  }

  /// The tags of a page, and the text between them with its references resolved.
  private func parts(_ html: String) -> (tags: [String], text: String) {
    var (tags, text, tag) = ([String](), "", String?.none)
    for character in html.unicodeScalars {
      switch (character, tag) {
      case ("<", nil): tag = ""
      case (">", let name?):
        tags.append(name.split { $0 == " " || $0 == "\n" }.first.map(String.init) ?? "")
        tag = nil
      case (_, var name?):
        name.unicodeScalars.append(character)
        tag = name
      case (_, nil): text.unicodeScalars.append(character)
      }
    }
    for (reference, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
      text = text.replacingOccurrences(of: reference, with: character)
    }
    return (tags, text)
  }

  @Test func noTextBecomesPartOfThePagesStructure() {
    let plain = parts(ReportPage([report("plain"), report("other")]).html)
    var random = SystemRandomNumberGenerator()
    let pieces = [
      "<script>alert(1)</script>", "\"", "'", "&", "&lt;", "</pre>", "</style>", "<!--", "-->", "]]>", "\\",
      " onload=x",
      "é", "日本", "\u{202E}", "`", "{{", "<", ">", "a", " ", "\r", "\u{0}", "\u{8}",
    ]
    for _ in 0..<200 {
      let text =
        (0..<Int.random(in: 1...6, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }
        .joined() + "x"
      let page = parts(ReportPage([report(text), report("other")]).html)
      #expect(page.tags == plain.tags, "\(text.debugDescription)")
      let shown = String(
        String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 ? "\u{FFFD}" : $0 }))
      #expect(page.text.contains(shown), "\(text.debugDescription)")
    }
  }

  @Test func aPageNeedsNothingFromElsewhere() {
    let html = ReportPage([report("a"), report("b")]).html
    for word in ["http:", "https:", "<script", "<link", "@import", "url("] { #expect(!html.contains(word), "\(word)") }
  }

  @Test func whatARunLacksIsLeftOut() {
    let record = RunRecord(name: "empty", epochs: [])
    let html = ReportPage([RunReport(record: record)]).html
    #expect(!html.contains("id=\"curves\"") && !html.contains("id=\"confusion\"") && html.contains("id=\"overview\""))
    #expect(parts(html).tags.filter { $0 == "section" }.count == 2)
  }

  @Test func everyTableHasACaptionAndEveryChartWords() {
    let (tags, _) = parts(ReportPage([report("a"), report("b")]).html)
    func count(_ tag: String) -> Int { tags.count { $0 == tag } }
    #expect(count("table") == count("caption") && count("table") > 4)
    #expect(count("desc") >= 4 && count("img") == 2)
  }

  @Test func numbersThatAreNotFiniteLeaveGaps() {
    let values = [Double.nan, .infinity, -.infinity, 1e308, -1e308, .leastNonzeroMagnitude, 0]
    for value in values {
      for other in values {
        let record = RunRecord(
          name: "r",
          epochs: [1, 2, 3].map {
            .init(number: $0, steps: 1, seconds: value, numbers: ["loss": $0 == 2 ? value : other])
          })
        let html = ReportPage([RunReport(record: record)]).html
        let paths = html.components(separatedBy: " d=\"").dropFirst().compactMap {
          $0.components(separatedBy: "\"").first
        }
        #expect(paths.allSatisfy { !$0.lowercased().contains("nan") && !$0.contains("inf") })
        #expect(!TerminalPlot().text([record]).isEmpty)
      }
    }
  }
}
