// Losses, their gradients, and metrics against Keras'.

import AccelerandoCore
import AccelerandoNN
import Testing

@Suite struct LossGoldenTests {
  @Test(arguments: Golden.cases("losses"))
  func lossesAndTheirGradientsAgreeWithKeras(_ golden: Golden) throws {
    // What is not offered: a loss that is no number.
    guard golden.config["reduction"] != "none" else { return }
    for backend in backends { try compare(golden, on: backend) }
  }

  private func compare(_ golden: Golden, on backend: any Backend) throws {
    let axis = golden.kind.contains("rossentropy") ? ["axis"] : []
    let dropped = ["prediction_is_softmax_of_logits"] + axis
    let settings = golden.settings(without: dropped)
    let loss = try Catalog.losses.make(Config(.object([Config.Entry(golden.kind, settings)])))
    let isSoftmax = golden.config["prediction_is_softmax_of_logits"] == true
    let source = try golden.tensor(isSoftmax ? "logits" : "y_pred")
    let further = ["sample_weight", "mask"].filter { golden.tensors[$0] != nil }
    let inputs = [source, try golden.tensor("y_true")] + (try further.map { try golden.tensor($0) })
    let results = try evaluate(inputs, on: backend) { tensors in
      let prediction = isSoftmax ? tensors[0].softmax() : tensors[0]
      #expect(loss.values(prediction, tensors[1]).shape == [source.shape[0]])
      func given(_ role: String) -> Tensor? { further.firstIndex(of: role).map { tensors[2 + $0] } }
      let mean = loss(prediction, tensors[1], weights: given("sample_weight"), mask: given("mask"))
      return [mean] + gradients(of: mean, withRespectTo: [tensors[0]])
    }
    let what = "\(golden.name) on \(backend.name)"
    expectClose(results[0], try golden.tensor("loss"), what)
    expectClose(results[1], try golden.tensor(isSoftmax ? "d_logits" : "d_y_pred"), "gradient of \(what)")
  }

  @Test(arguments: Golden.cases("metrics"))
  func metricsAgreeWithKeras(_ golden: Golden) throws {
    // Keras' Accuracy compares numbers for equality; here the name chooses among accuracies of classes.
    guard golden.kind != "Accuracy" else { return }
    var dropped = ["axis", "num_labels", "sparse_y_true"]
    if golden.kind == "SparseCategoricalCrossentropy" { dropped.append("ignore_class") }
    let settings = golden.settings(without: dropped)
    let metric = try Catalog.metrics.make(Config(.object([Config.Entry(golden.kind, settings)])))
    for backend in backends {
      var state: [[Double]] = []
      var weight = 0.0
      var results: [Float] = []
      var width = 1
      for batch in golden.series("y_true").indices {
        var inputs = [try golden.tensor("y_pred\(batch)"), try golden.tensor("y_true\(batch)")]
        let count = inputs[0].shape[0]
        let factors = ["sample_weight\(batch)", "mask\(batch)"].compactMap { golden.tensors[$0] }
        if let first = factors.first {
          let amounts = factors.dropFirst().reduce(first.elements(as: Float.self)) { amounts, other in
            zip(amounts, other.elements(as: Float.self)).map(*)
          }
          inputs.append(try NDArray(amounts, shape: first.shape))
        }
        let sums = try evaluate(inputs, on: backend) {
          metric.sums($0[0], $0[1], weights: $0.count > 2 ? $0[2] : nil)
        }.map { $0.elements(as: Double.self) }
        #expect(sums.count == metric.stateNames.count)
        state = state.isEmpty ? sums : zip(state, sums).map { zip($0, $1).map(+) }
        weight += inputs.count > 2 ? inputs[2].elements(as: Double.self).reduce(0, +) : Double(count)
        let numbers = metric.results(state, weight: weight)
        #expect(metric.resultNames(inputs[0].shape).count == numbers.count)
        width = numbers.count
        results += numbers.map { Float($0) }
      }
      let expected = try golden.tensor("values")
      let received = try NDArray(results, shape: [results.count / width, width])
        .reshaped(width == 1 && expected.shape.count == 1 ? [results.count] : [results.count / width, width])
      expectClose(received, expected, "\(golden.name) on \(backend.name)")
    }
  }
}
