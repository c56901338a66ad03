// An evaluation for the terminal: tables of plain characters, no wider than they need to be.

import AccelerandoFormats
import Foundation

extension Evaluation {
  /// Confusion matrices, scores, calibration, residuals and the worst samples, as far as they are known.
  public var text: String {
    let parts = outputs.flatMap { output in
      (output.name.map { ["Output \($0)"] } ?? []) + output.findings.text
    }
    return (parts + worstText).joined(separator: "\n\n")
  }

  private var worstText: [String] {
    guard !worst.isEmpty else { return [] }
    let rows = worst.map { [$0.id, $0.truth, $0.answer, readable($0.loss)] }
    return ["The samples with the largest losses\n" + textTable(["sample", "truth", "answer", "loss"], rows, left: 3)]
  }
}

extension Evaluation.Findings {
  /// The most classes whose matrix fits into a terminal.
  private static let widestMatrix = 20
  /// The most classes that each get a line.
  private static let longestTable = 100

  fileprivate var text: [String] {
    switch self {
    case .classes(let classes):
      guard classes.confusion.total > 0 else { return [] }
      let scores = classes.confusion.scores
      return matrix(classes)
        + [
          table(
            classes.names, scores,
            [("macro average", scores.macroAverage), ("weighted average", scores.weightedAverage)])
        ] + text(classes.calibration)
    case .labels(let labels):
      guard labels.counts.total > 0 else { return [] }
      let scores = labels.counts.scores
      return [
        "All labels right: \(percent(labels.counts.exactMatch)) of the samples",
        table(
          labels.names, scores, [("micro average", labels.counts.microAverage), ("macro average", scores.macroAverage)]),
      ] + text(labels.calibration)
    case .quantities(let quantities):
      let parts = Evaluation.quantiles
      let rows = quantities.filter { $0.residuals.count > 0 }.map { quantity in
        let errors = quantity.residuals
        return [
          quantity.name, readable(errors.meanAbsoluteError), readable(errors.rootMeanSquaredError), readable(errors.r2),
        ] + errors.quantiles(parts).map(readable)
      }
      guard !rows.isEmpty else { return [] }
      let header = ["", "MAE", "RMSE", "R²"] + parts.map { "\(Int($0 * 100)) %" }
      return ["Errors, prediction minus target, with their quantiles\n" + textTable(header, rows, left: 1)]
    }
  }

  private func matrix(_ classes: Evaluation.Classes) -> [String] {
    guard classes.names.count > Self.widestMatrix else {
      // Names of columns are short: the rows have them in full.
      let header = ["true ╲ predicted"] + classes.names.map { $0.count > 7 ? String($0.prefix(6)) + "…" : $0 }
      let rows = zip(classes.names, classes.confusion.rows).map { name, row in
        [name] + row.map { $0 == 0 ? "·" : "\($0)" }
      }
      return ["Confusion matrix\n" + textTable(header, rows, left: 1)]
    }
    let rows = classes.confusion.commonest(10).map {
      [classes.names[$0.truth], classes.names[$0.prediction], "\($0.count)"]
    }
    return rows.isEmpty
      ? [] : ["The most frequent mistakes\n" + textTable(["class", "taken for", "samples"], rows, left: 2)]
  }

  private func table(
    _ names: [String], _ scores: [ConfusionCounts.Scores], _ averages: [(String, ConfusionCounts.Scores)]
  ) -> String {
    func row(_ name: String, _ scores: ConfusionCounts.Scores) -> [String] {
      [name] + [scores.precision, scores.recall, scores.f1].map { String(format: "%.3f", $0) } + [
        grouped(scores.support)
      ]
    }
    let classes = Array(zip(names, scores))
    let shown =
      classes.count <= Self.longestTable
      ? classes : Array(classes.filter { $0.1.support > 0 }.sorted { $0.1.f1 < $1.1.f1 }.prefix(Self.longestTable))
    let title =
      shown.count == classes.count ? "" : "The \(shown.count) of \(classes.count) classes with the lowest F1\n"
    return title
      + textTable(
        ["", "precision", "recall", "F1", "samples"], shown.map { row($0.0, $0.1) } + averages.map { row($0.0, $0.1) },
        left: 1)
  }

  private func text(_ calibration: Calibration) -> [String] {
    guard calibration.total > 0 else { return [] }
    let rows = calibration.bins.filter { $0.count > 0 }.map { bin in
      [
        "\(String(format: "%.1f", bin.range.lowerBound)) to \(String(format: "%.1f", bin.range.upperBound))",
        grouped(bin.count), String(format: "%.3f", bin.confidence), String(format: "%.3f", bin.frequency),
      ]
    }
    return [
      "Calibration: expected calibration error \(String(format: "%.4f", calibration.expectedError))\n"
        + textTable(["probability", "answers", "mean", "right"], rows, left: 1)
    ]
  }
}
