// The samples with the largest losses, with pictures where the inputs are pictures: one look often tells a wrong label from a hard
// case.

import Foundation

enum WorstSection {
  static func content(_ samples: [Evaluation.Sample]) -> [Markup] {
    guard !samples.isEmpty else { return [] }
    guard samples.contains(where: { $0.picture != nil }) else {
      return [
        Table(
          caption: "The samples with the largest losses", header: ["Sample", "Truth", "Answer", "Loss"],
          rows: samples.map { [$0.id, $0.truth, $0.answer, readable($0.loss)] }, textColumns: 3
        ).markup()
      ]
    }
    return [
      .element(
        "ol", ["class": "samples"],
        samples.map { sample in
          var parts: [Markup] = []
          if let picture = sample.picture {
            parts.append(
              .empty(
                "img",
                [
                  "src": "data:image/png;base64,\(Data(picture).base64EncodedString())",
                  "alt": "Input of sample \(sample.id)",
                ]))
          }
          parts += [
            .element("b", "\(sample.truth)"),
            .text("taken for \(sample.answer.replacingOccurrences(of: " %", with: "\u{A0}%"))"), .empty("br", [:]),
            .element("small", "sample \(sample.id), loss \(readable(sample.loss))"),
          ]
          return .element("li", parts)
        })
    ]
  }
}
