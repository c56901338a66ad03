// Evaluates a model sample by sample: which class is taken for which, how sure the model is, what it is most wrong about.

import Accelerando
import AccelerandoRecipes
import AccelerandoReport
import Foundation

/// Collects what a model says to samples whose answers are known.
struct Evaluator {
  /// How many samples with the largest losses are kept.
  var worstCount = 10
  /// Whether to keep a row for each sample.
  var keepsRows = false
  /// Whether to keep pictures of the worst samples.
  var keepsPictures = false

  private(set) var table = SampleTable()

  /// Goes through data.
  /// - Parameters:
  ///   - ids: what each sample is called; nil for numbers.
  ///   - answers: reads the outputs of the model.
  /// - Returns: what was found, without loss and metrics.
  mutating func evaluate(
    _ model: Model, on data: Dataset, ids: [String]?, answers: Answers, batchSize: Int
  ) throws -> Evaluation {
    var findings = answers.outputs.map(\.emptyFindings)
    var hasTargets = [Bool](repeating: false, count: findings.count)
    var worst = Worst<Evaluation.Sample>(worstCount)
    var count = 0
    let (keepsRows, keepsPictures) = (keepsRows, keepsPictures)
    var rows: [[(name: String, value: JSON)]] = []
    try model.score(data, batchSize: batchSize) { scored in
      let outputs = scored.outputs.map { $0.elements(as: Float.self) }
      let targets = scored.targets.map { $0?.elements(as: Double.self) }
      for index in findings.indices {
        guard let target = targets[index] else { continue }
        hasTargets[index] = true
        answers.outputs[index].add(outputs[index], target, to: &findings[index])
      }
      for sample in 0..<scored.batch.count {
        let id = ids.flatMap { count + sample < $0.count ? $0[count + sample] : nil } ?? "\(count + sample)"
        func row(_ index: Int) -> ArraySlice<Float> {
          let width = answers.outputs[index].count
          return outputs[index][sample * width..<(sample + 1) * width]
        }
        func truth(_ index: Int) -> String? {
          targets[index].map { all in
            let width = all.count / max(scored.batch.count, 1)
            return answers.outputs[index].words(target: all[sample * width..<(sample + 1) * width])
          }
        }
        let loss = scored.losses[sample]
        worst.add(loss: loss) {
          func inWords(_ part: (Int) -> String?) -> String {
            findings.indices.compactMap { index in
              part(index).map { answers.outputs.count > 1 ? "\(answers.outputs[index].name): \($0)" : $0 }
            }.joined(separator: ", ")
          }
          return Evaluation.Sample(
            id: id, loss: loss, truth: inWords(truth), answer: inWords { answers.outputs[$0].words(row($0)) },
            picture: keepsPictures ? scored.batch.features.first.flatMap { Picture.png(of: $0, sample: sample) } : nil)
        }
        guard keepsRows else { continue }
        var members: [(name: String, value: JSON)] = [("id", JSON(.string(id)))]
        for index in findings.indices {
          guard let truth = truth(index) else { continue }
          members.append(
            (answers.outputs.count > 1 ? "truth_\(answers.outputs[index].name)" : "truth", JSON(.string(truth))))
        }
        members += answers.members(findings.indices.map(row))
        members.append(("loss", JSON.number(loss)))
        rows.append(members)
      }
      count += scored.batch.count
    }
    table = SampleTable(rows)
    let named = answers.outputs.count > 1
    return Evaluation(
      samples: count,
      outputs: findings.indices.filter { hasTargets[$0] }.map {
        Evaluation.Output(name: named ? answers.outputs[$0].name : nil, findings: findings[$0])
      }, worst: worst.items.map(\.item))
  }
}

extension Answers.Output {
  /// The most quantities that are looked at one by one.
  private static let mostQuantities = 20

  /// Where nothing has been counted yet.
  var emptyFindings: Evaluation.Findings {
    switch meaning {
    case .classes: return .classes(Evaluation.Classes(names: classNames))
    case .decisions:
      return width == 1
        ? .classes(Evaluation.Classes(names: classNames)) : .labels(Evaluation.Labels(names: classNames))
    case .values:
      let isEach = isPlain && count > 1 && count <= Self.mostQuantities
      return .quantities((0..<(isEach ? count : 1)).map { Evaluation.Quantity(name: isEach ? "\(name) \($0)" : name) })
    }
  }

  /// Counts the answers of a batch.
  func add(_ outputs: [Float], _ targets: [Double], to findings: inout Evaluation.Findings) {
    switch findings {
    case .classes(var classes):
      // Freed for a moment, so that what is counted is not copied.
      findings = .quantities([])
      defer { findings = .classes(classes) }
      let places = outputs.count / max(width, 1)
      // Targets are numbers of classes, or a one among zeros.
      let isIndexed = targets.count == places
      guard isIndexed || targets.count == outputs.count else { return }
      for place in 0..<places {
        let scores = outputs[place * width..<(place + 1) * width]
        guard let probabilities = probabilities(scores) else {
          classes.ignored += 1
          continue
        }
        let target =
          isIndexed
          ? Int(exactly: targets[place].rounded()) ?? -1
          : targets[place * width..<(place + 1) * width].enumerated().max { $0.element < $1.element }?.offset ?? -1
        let answer = width == 1 ? (probabilities[0] >= 0.5 ? 1 : 0) : Self.best(probabilities)
        guard classes.confusion.add(truth: target, prediction: answer) else {
          classes.ignored += 1
          continue
        }
        // Of one decision it is the probability of yes that is looked at; of several classes, that of the answer.
        classes.calibration.add(
          probability: Double(probabilities[width == 1 ? 0 : answer]), isRight: target == (width == 1 ? 1 : answer))
      }
    case .labels(var labels):
      findings = .quantities([])
      defer { findings = .labels(labels) }
      guard targets.count == outputs.count, width > 0 else { return }
      for start in stride(from: 0, through: outputs.count - width, by: width) {
        guard let probabilities = probabilities(outputs[start..<start + width]) else { continue }
        let truth = targets[start..<start + width].map { $0 >= 0.5 }
        labels.counts.add(truth: truth, prediction: probabilities.map { $0 >= 0.5 })
        for (probability, isRight) in zip(probabilities, truth) {
          labels.calibration.add(probability: Double(probability), isRight: isRight)
        }
      }
    case .quantities(var quantities):
      findings = .quantities([])
      defer { findings = .quantities(quantities) }
      guard targets.count == outputs.count, !quantities.isEmpty else { return }
      for index in outputs.indices {
        quantities[index % quantities.count].residuals.add(prediction: Double(outputs[index]), target: targets[index])
      }
    }
  }

  /// What a model says to one sample, in a few words.
  func words(_ row: ArraySlice<Float>) -> String {
    guard isPlain else { return "\(row.count) values" }
    guard meaning != .values, let probabilities = probabilities(row) else { return short(row.map(Double.init)) }
    if case .decisions = meaning, row.count > 1 {
      return list(zip(classNames, probabilities).filter { $1 >= 0.5 }.map(\.0))
    }
    let both = row.count == 1 ? [1 - probabilities[0], probabilities[0]] : probabilities
    let best = row.count == 1 ? (probabilities[0] >= 0.5 ? 1 : 0) : Self.best(both)
    return "\(classNames[best]) (\(String(format: "%.1f", 100 * both[best])) %)"
  }

  /// What would be right for one sample, in a few words.
  func words(target: ArraySlice<Double>) -> String {
    guard isPlain else { return "\(target.count) values" }
    guard meaning != .values else { return short(Array(target)) }
    if target.count == 1, let number = target.first.flatMap({ Int(exactly: $0.rounded()) }) {
      return classNames.indices.contains(number) ? classNames[number] : "\(number)"
    }
    guard target.count == classNames.count else { return short(Array(target)) }
    if case .decisions = meaning { return list(zip(classNames, target).filter { $1 >= 0.5 }.map(\.0)) }
    return zip(classNames, target).max { $0.1 < $1.1 }?.0 ?? ""
  }

  private func list(_ names: [String]) -> String { names.isEmpty ? "none" : names.joined(separator: " ") }

  private func short(_ values: [Double]) -> String {
    values.prefix(6).map { String(format: "%.4g", $0) }.joined(separator: " ") + (values.count > 6 ? " …" : "")
  }
}
