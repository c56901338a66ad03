// An evaluation as JSON, with names that say what each number is.

import AccelerandoFormats

extension Evaluation {
  /// The members of a JSON object: `outputs` and `worst_samples`.
  package var members: [(String, JSON)] {
    [
      ("outputs", JSON(.array(outputs.map(\.json)))),
      ("worst_samples", JSON(.array(worst.map(\.json)))),
    ]
  }
}

extension Evaluation.Output {
  private var nameMembers: [(String, JSON)] { name.map { [("name", JSON(.string($0)))] } ?? [] }

  fileprivate var json: JSON {
    switch findings {
    case .classes(let classes):
      var members = nameMembers + [("kind", JSON(.string("classes")))]
      members.append(("classes", texts(classes.names)))
      members.append(("accuracy", JSON.number(classes.confusion.accuracy)))
      // A table of more classes is too large to be of use.
      if classes.names.count <= Evaluation.largestMatrix {
        members.append(
          ("confusion_matrix", JSON(.array(classes.confusion.rows.map { JSON(.array($0.map { JSON(.int($0)) })) }))))
      }
      let scores = classes.confusion.scores
      members += self.scores(classes.names, scores)
      members.append(("macro_average", scores.macroAverage.json(name: nil)))
      members.append(("weighted_average", scores.weightedAverage.json(name: nil)))
      if classes.ignored > 0 { members.append(("ignored", JSON(.int(classes.ignored)))) }
      members.append(("calibration", classes.calibration.json))
      return JSON(members)
    case .labels(let labels):
      var members = nameMembers + [("kind", JSON(.string("labels")))]
      members.append(("exact_match", JSON.number(labels.counts.exactMatch)))
      members += scores(labels.names, labels.counts.scores)
      members.append(("micro_average", labels.counts.microAverage.json(name: nil)))
      members.append(("macro_average", labels.counts.scores.macroAverage.json(name: nil)))
      members.append(("calibration", labels.calibration.json))
      return JSON(members)
    case .quantities(let quantities):
      return JSON(
        nameMembers + [
          ("kind", JSON(.string("quantities"))), ("quantities", JSON(.array(quantities.map(\.json)))),
        ])
    }
  }

  private func scores(_ names: [String], _ scores: [ConfusionCounts.Scores]) -> [(String, JSON)] {
    [("per_class", JSON(.array(zip(names, scores).map { $1.json(name: $0) })))]
  }
}

extension Evaluation {
  /// The most classes of which all pairs are shown.
  static let largestMatrix = 50
  /// The quantiles of residuals that are shown.
  static let quantiles = [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]
}

private func texts(_ texts: [String]) -> JSON { JSON(.array(texts.map { JSON(.string($0)) })) }

extension ConfusionCounts.Scores {
  fileprivate func json(name: String?) -> JSON {
    JSON(
      (name.map { [("class", JSON(.string($0)))] } ?? []) + [
        ("precision", JSON.number(precision)), ("recall", JSON.number(recall)), ("f1", JSON.number(f1)),
        ("support", JSON(.int(support))),
      ])
  }
}

extension Calibration {
  fileprivate var json: JSON {
    JSON([
      ("expected_calibration_error", JSON.number(expectedError)),
      (
        "bins",
        JSON(
          .array(
            bins.map { bin in
              JSON([
                ("from", JSON.number(bin.range.lowerBound)), ("to", JSON.number(bin.range.upperBound)),
                ("count", JSON(.int(bin.count))), ("confidence", JSON.number(bin.confidence)),
                ("frequency", JSON.number(bin.frequency)),
              ])
            }))
      ),
    ])
  }
}

extension Evaluation.Quantity {
  fileprivate var json: JSON {
    let parts = Evaluation.quantiles
    return JSON([
      ("name", JSON(.string(name))), ("count", JSON(.int(residuals.count))),
      ("mean_absolute_error", JSON.number(residuals.meanAbsoluteError)),
      ("root_mean_squared_error", JSON.number(residuals.rootMeanSquaredError)), ("r2", JSON.number(residuals.r2)),
      ("mean_residual", JSON.number(residuals.mean)),
      (
        "residual_quantiles",
        JSON(zip(parts, residuals.quantiles(parts)).map { ("\($0)", JSON.number($1)) })
      ),
    ])
  }
}

extension Evaluation.Sample {
  fileprivate var json: JSON {
    JSON([
      ("id", JSON(.string(id))), ("loss", JSON.number(loss)), ("truth", JSON(.string(truth))),
      ("answer", JSON(.string(answer))),
    ])
  }
}
