// Folders of texts, as they are looked at before training.

import AccelerandoFormats
import Foundation

/// Texts in a folder or a file for each class.
enum TextInspection: InspectableData {
  static func isAt(_ url: URL) -> Bool {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isDirectory), isDirectory.boolValue,
      let files = FileManager.default.enumerator(atPath: url.path)
    else { return false }
    for (number, file) in files.enumerated() {
      if let path = file as? String, LabelledTexts.endings.contains((path as NSString).pathExtension.lowercased()) {
        return true
      }
      if number > 10_000 { return false }
    }
    return false
  }

  static func summary(of url: URL, _ settings: InspectionSettings) throws -> DataSummary {
    let texts = try LabelledTexts(url)
    var summary = DataSummary(source: url.path, kind: "texts by class", count: texts.count, things: "texts")
    let words = texts.texts.map { $0.split(whereSeparator: \.isWhitespace).count }.sorted()
    if let least = words.first, let most = words.last {
      summary.facts.append(("words in a text", "\(least) to \(most), median \(words[words.count / 2])"))
    }
    if !texts.classNames.isEmpty {
      var counts = Dictionary(texts.classNames.map { ($0, 0) }, uniquingKeysWith: { first, _ in first })
      for label in texts.labels { counts[texts.classNames[label], default: 0] += 1 }
      summary.balances = [ClassBalance(name: "class", counts: counts)]
    }
    if let first = texts.emptyTexts.first {
      summary.suspicions.append("\(texts.emptyTexts.count) texts are empty; the first is \(texts.origins[first])")
    }
    var known: [String: Int] = [:]
    var repeated: [Int] = []
    for (place, text) in texts.texts.enumerated() {
      if known[text] == nil { known[text] = place } else { repeated.append(place) }
    }
    if let first = repeated.first {
      let original = known[texts.texts[first]].map { texts.origins[$0] } ?? ""
      summary.suspicions.append(
        "\(repeated.count) of the texts occurred before, word for word; the first is \(texts.origins[first]), as \(original)"
      )
    }
    let ambiguous = repeated.filter { place in
      known[texts.texts[place]].map { texts.labels[$0] != texts.labels[place] } ?? false
    }
    if !texts.classNames.isEmpty, let first = ambiguous.first {
      summary.suspicions.append("\(ambiguous.count) texts are in two classes; one is \(texts.origins[first])")
    }
    if let other = settings.validation {
      let others = Set(try LabelledTexts(other).texts)
      let shared = texts.texts.indices.filter { others.contains(texts.texts[$0]) }
      if let first = shared.first {
        summary.suspicions.append(
          "\(shared.count) texts are in \(other.path) too, so that a model is tested on what it has seen; one is "
            + texts.origins[first])
      }
    }
    return summary
  }
}
