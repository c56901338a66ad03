// What the models get right and wrong, on data whose answers are known.

import Foundation

enum EvaluationSections {
  static func make(_ runs: [RunReport]) -> [ReportPage.Section] {
    [
      .perRun("confusion", "Which class is taken for which", runs) { run in
        outputs(run) { output in
          guard case .classes(let classes) = output.findings else { return [] }
          return confusion(classes)
        }
      },
      .perRun("classes", "Scores of each class", runs) { run in
        outputs(run) { output in
          switch output.findings {
          case .classes(let classes):
            let scores = classes.confusion.scores
            return [
              table(
                "Precision, recall and F1 of each class", classes.names, scores,
                [("macro average", scores.macroAverage), ("weighted average", scores.weightedAverage)]
              ).markup()
            ]
          case .labels(let labels):
            let scores = labels.counts.scores
            return [
              .element("p", "\(percent(labels.counts.exactMatch)) of the samples have all labels right."),
              table(
                "Precision, recall and F1 of each label", labels.names, scores,
                [("micro average", labels.counts.microAverage), ("macro average", scores.macroAverage)]
              ).markup(),
            ]
          case .quantities: return []
          }
        }
      },
      .perRun("calibration", "Calibration", runs) { run in
        outputs(run) { output in
          switch output.findings {
          case .classes(let classes): calibration(classes.calibration)
          case .labels(let labels): calibration(labels.calibration)
          case .quantities: []
          }
        }
      },
      .perRun("residuals", "Residuals", runs) { run in
        outputs(run) { output in
          guard case .quantities(let quantities) = output.findings else { return [] }
          return residuals(quantities)
        }
      },
      .perRun("worst", "The samples with the largest losses", runs) { run in
        run.evaluation.map { WorstSection.content($0.worst) } ?? []
      },
    ].compactMap { $0 }
  }

  /// What a section shows of each output, under its name where it has one.
  private static func outputs(_ run: RunReport, _ content: (Evaluation.Output) -> [Markup]) -> [Markup] {
    (run.evaluation?.outputs ?? []).flatMap { output in
      let content = content(output)
      guard let name = output.name, !content.isEmpty else { return content }
      return [Markup.element("h4", "Output \(name)")] + content
    }
  }

  private static func confusion(_ classes: Evaluation.Classes) -> [Markup] {
    let matrix = classes.confusion
    guard matrix.total > 0 else { return [] }
    var content: [Markup] = []
    let ignored = classes.ignored > 0 ? " \(classes.ignored) places without a class are left out." : ""
    content.append(
      .element("p", "\(percent(matrix.accuracy)) of \(matrix.total) answers are right.\(ignored)"))
    if classes.names.count <= Evaluation.largestMatrix {
      let rows = matrix.rows
      let cells = rows.enumerated().map { truth, row in
        let total = max(row.reduce(0, +), 1)
        return [Table.Cell(classes.names[truth], isHeader: true)]
          + row.map { Table.Cell("\($0)", shade: Double($0) / Double(total)) }
      }
      content.append(
        Table(
          caption: "Confusion matrix: samples of each class by the class that was predicted",
          header: ["True class"] + classes.names, cells: cells, group: "Predicted class"
        ).markup())
    }
    let commonest = matrix.commonest(10)
    if classes.names.count > 2, !commonest.isEmpty {
      let scores = matrix.scores
      content.append(
        Table(
          caption: "The most frequent mistakes", header: ["True class", "Taken for", "Samples", "Part of the class"],
          rows: commonest.map {
            [
              classes.names[$0.truth], classes.names[$0.prediction], "\($0.count)",
              percent(Double($0.count) / Double(max(scores[$0.truth].support, 1))),
            ]
          }, textColumns: 2
        ).markup())
    }
    return content
  }

  private static func table(
    _ caption: String, _ names: [String], _ scores: [ConfusionCounts.Scores],
    _ averages: [(String, ConfusionCounts.Scores)]
  ) -> Table {
    func row(_ name: String, _ scores: ConfusionCounts.Scores) -> [String] {
      [name] + [scores.precision, scores.recall, scores.f1].map { String(format: "%.3f", $0) } + ["\(scores.support)"]
    }
    return Table(
      caption: caption, header: ["Class", "Precision", "Recall", "F1", "Samples"],
      rows: zip(names, scores).map(row) + averages.map(row))
  }

  private static func calibration(_ calibration: Calibration) -> [Markup] {
    guard calibration.total > 0 else { return [] }
    let bins = calibration.bins.filter { $0.count > 0 }
    let unit = Axis([0, 1], includesZero: true)
    let chart = LineChart(
      title: "Calibration", xTitle: "probability that the model gives",
      series: [
        Series(
          name: "part that is right", points: bins.map { Series.Point($0.confidence, $0.frequency) }, color: 0)
      ], hasWholeX: false, xAxis: unit, yAxis: unit, hasDiagonal: true)
    return [
      .element(
        "p",
        "Expected calibration error: \(String(format: "%.4f", calibration.expectedError)). On the dotted line "
          + "probabilities are as large as the part of the answers that is right; below it the model is too sure."),
      .element(
        "div", ["class": "charts"],
        [.element("figure", [.element("figcaption", "Part that is right, by probability"), chart.markup()])]),
      .element(
        "details",
        [
          .element("summary", "Calibration as a table"),
          Table(
            caption: "Answers by their probability", header: ["Probability", "Answers", "Mean probability", "Right"],
            rows: bins.map {
              [
                "\(readable($0.range.lowerBound)) to \(readable($0.range.upperBound))", "\($0.count)",
                readable($0.confidence), readable($0.frequency),
              ]
            }
          ).markup(),
        ]),
    ]
  }

  private static func residuals(_ quantities: [Evaluation.Quantity]) -> [Markup] {
    let counted = quantities.filter { $0.residuals.count > 0 }
    guard !counted.isEmpty else { return [] }
    let parts = Evaluation.quantiles
    let table = Table(
      caption: "Errors, prediction minus target, and their quantiles",
      header: ["Quantity", "Values", "MAE", "RMSE", "R²", "Mean"] + parts.map { "\(Int($0 * 100)) %" },
      rows: counted.map { quantity in
        let errors = quantity.residuals
        return [
          quantity.name, "\(errors.count)", readable(errors.meanAbsoluteError), readable(errors.rootMeanSquaredError),
          readable(errors.r2), readable(errors.mean),
        ] + errors.quantiles(parts).map(readable)
      })
    let charts = counted.prefix(24).map { quantity in
      HistogramChart(title: "Residuals of \(quantity.name)", histogram: quantity.residuals.histogram).figure(
        caption: quantity.name)
    }
    return [table.markup(), .element("div", ["class": "charts small"], Array(charts))]
  }

  private static func percent(_ part: Double) -> String { String(format: "%.1f %%", 100 * part) }
}
