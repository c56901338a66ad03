import AccelerandoCore
import AccelerandoFormats
import AccelerandoReport
import Foundation
import Testing

/// Scores, calibration and residuals are those of scikit-learn and NumPy (Tests/Goldens/goldens/scores.py).
@Suite struct StatisticsTests {
  private struct Case: Decodable {
    let name: String
    let kind: String
    let tensors: [String: String]
  }

  /// The cases of one kind, with their tensors by role.
  private static func cases(_ kind: String) throws -> [(name: String, tensors: [String: NDArray])] {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Goldens/data/scores.safetensors")
    let (tensors, metadata) = try Safetensors.read(url)
    let values = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.value) })
    let cases = try JSONDecoder().decode([Case].self, from: Data((metadata["cases"] ?? "").utf8))
    return cases.filter { $0.kind == kind }.map { ($0.name, $0.tensors.compactMapValues { values[$0] }) }
  }

  private func numbers(_ scores: [ConfusionCounts.Scores]) -> [Double] {
    scores.flatMap { [$0.precision, $0.recall, $0.f1] }
  }

  private func expectClose(_ found: [Double], _ array: NDArray?, _ name: String) {
    let expected = array?.elements(as: Double.self) ?? []
    #expect(found.count == expected.count && !found.isEmpty, "\(name)")
    for (found, expected) in zip(found, expected) {
      #expect(abs(found - expected) <= 1e-6 * max(1, abs(expected)), "\(name): \(found), expected \(expected)")
    }
  }

  @Test func confusionsAndScoresOfClasses() throws {
    let cases = try Self.cases("classes")
    #expect(cases.count == 3)
    for (name, tensors) in cases {
      let truth = tensors["truth"]?.elements(as: Int32.self) ?? []
      let prediction = tensors["prediction"]?.elements(as: Int32.self) ?? []
      var counts = ConfusionCounts(classCount: tensors["support"]?.elementCount ?? 0)
      for (truth, prediction) in zip(truth, prediction) { counts.add(truth: Int(truth), prediction: Int(prediction)) }
      expectClose(counts.rows.flatMap { $0.map(Double.init) }, tensors["confusion"], name)
      expectClose(numbers(counts.scores), tensors["scores"], name)
      expectClose(counts.scores.map { Double($0.support) }, tensors["support"], name)
      expectClose(numbers([counts.scores.macroAverage, counts.scores.weightedAverage]), tensors["averages"], name)
      expectClose([counts.accuracy], tensors["accuracy"], name)
    }
  }

  @Test func scoresOfLabels() throws {
    for (name, tensors) in try Self.cases("labels") {
      let width = tensors["truth"]?.shape.last ?? 1
      func rows(_ role: String) -> [[Bool]] {
        let flat = (tensors[role]?.elements(as: Int32.self) ?? []).map { $0 == 1 }
        return stride(from: 0, to: flat.count, by: width).map { Array(flat[$0..<$0 + width]) }
      }
      var counts = LabelCounts(labelCount: width)
      for (truth, prediction) in zip(rows("truth"), rows("prediction")) {
        counts.add(truth: truth, prediction: prediction)
      }
      expectClose(numbers(counts.scores), tensors["scores"], name)
      expectClose(numbers([counts.microAverage, counts.scores.macroAverage]), tensors["averages"], name)
      expectClose([counts.exactMatch], tensors["exact"], name)
    }
  }

  @Test func calibration() throws {
    for (name, tensors) in try Self.cases("calibration") {
      var calibration = Calibration()
      for (truth, probability) in zip(
        tensors["truth"]?.elements(as: Int32.self) ?? [], tensors["probability"]?.elements(as: Double.self) ?? [])
      {
        calibration.add(probability: probability, isRight: truth == 1)
      }
      let bins = calibration.bins.filter { $0.count > 0 }
      expectClose(bins.map { Double($0.count) }, tensors["counts"], name)
      expectClose(bins.map(\.frequency), tensors["right"], name)
      expectClose(bins.map(\.confidence), tensors["mean"], name)
      expectClose([calibration.expectedError], tensors["error"], name)
    }
  }

  @Test func residuals() throws {
    for (name, tensors) in try Self.cases("residuals") {
      var residuals = Residuals()
      for (prediction, target) in zip(
        tensors["prediction"]?.elements(as: Double.self) ?? [], tensors["target"]?.elements(as: Double.self) ?? [])
      {
        residuals.add(prediction: prediction, target: target)
      }
      expectClose(
        [residuals.meanAbsoluteError, residuals.rootMeanSquaredError, residuals.r2, residuals.mean], tensors["numbers"],
        name)
      // The file holds 0.05 as float32.
      let parts = (tensors["parts"]?.elements(as: Double.self) ?? []).map { ($0 * 100).rounded() / 100 }
      expectClose(residuals.quantiles(parts), tensors["quantiles"], name)
    }
  }

  @Test func quantilesOfMoreValuesThanAreKeptAreNearTheExactOnes() {
    var residuals = Residuals()
    for index in 0..<5_000_000 { residuals.add(prediction: Double((index &* 7_919) % 1_000_003), target: 0) }
    #expect(abs(residuals.quantile(0.5) / 1_000_003 - 0.5) < 0.01)
    #expect(residuals.count == 5_000_000)
  }

  @Test func theWorstSamplesAreTheLargestLossesInOrder() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<100 {
      let losses = (0..<50).map { _ in
        Int.random(in: 0...9, using: &random) == 0 ? Double.nan : Double(Int.random(in: 0...20, using: &random))
      }
      var worst = Worst<Int>(7)
      for (index, loss) in losses.enumerated() { worst.add(loss: loss) { index } }
      func key(_ index: Int) -> Double { losses[index].isNaN ? .infinity : losses[index] }
      let expected = losses.indices.sorted { (key($1), $0) < (key($0), $1) }.prefix(7)
      #expect(worst.items.map(\.item) == Array(expected))
    }
  }

  @Test func histogramsCountEveryFiniteNumberOnce() {
    for values: [Float] in [
      [], [0, 0, 0], [1], [-1, 0, 1, 2, .nan, .infinity], [.greatestFiniteMagnitude, -.greatestFiniteMagnitude],
      [.leastNonzeroMagnitude, 0], (0..<1000).map { Float($0) },
    ] {
      let histogram = Histogram(values)
      #expect(histogram.total == values.count { $0.isFinite } && histogram.zeros == values.count { $0 == 0 })
      #expect(histogram.notFinite == values.count { !$0.isFinite })
    }
    #expect(Histogram([Double.greatestFiniteMagnitude, -.greatestFiniteMagnitude]).total == 2)
    #expect(Histogram((0..<40).map(Double.init)).counts == [Int](repeating: 1, count: 40))
  }
}
