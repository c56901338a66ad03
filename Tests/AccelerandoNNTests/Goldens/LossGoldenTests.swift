// Losses, their gradients, and metrics against Keras'.

import AccelerandoCore
import AccelerandoNN
import Testing

@Suite struct LossGoldenTests {
  @Test(arguments: Golden.cases("losses"))
  func lossesAndTheirGradientsAgreeWithKeras(_ golden: Golden) throws {
    // What is not offered: other reductions than the mean over the batch, and classes that are ignored.
    let isMean = golden.config["reduction"] == "sum_over_batch_size"
    guard isMean, golden.config["ignore_class"].map({ $0 == nil as Config }) ?? true else { return }
    for backend in backends { try compare(golden, on: backend) }
  }

  private func compare(_ golden: Golden, on backend: any Backend) throws {
    let axis = golden.kind.contains("rossentropy") ? ["axis"] : []
    let dropped = ["reduction", "ignore_class", "prediction_is_softmax_of_logits"] + axis
    let settings = golden.settings(without: dropped)
    let loss = try Catalog.losses.make(Config(.object([Config.Entry(golden.kind, settings)])))
    let isSoftmax = golden.config["prediction_is_softmax_of_logits"] == true
    let source = try golden.tensor(isSoftmax ? "logits" : "y_pred")
    let weights = golden.tensors["sample_weight"]
    // A weight for each step of a sequence is finer than a weight for each sample.
    if let weights, weights.shape.count > 1 { return }
    let inputs = [source, try golden.tensor("y_true")] + (weights.map { [$0] } ?? [])
    let results = try evaluate(inputs, on: backend) { tensors in
      let prediction = isSoftmax ? tensors[0].softmax() : tensors[0]
      var values = loss.values(prediction, tensors[1])
      #expect(values.shape == [source.shape[0]])
      if tensors.count > 2 { values = values * tensors[2] }
      let mean = values.mean()
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
    let settings = golden.settings(
      without: ["axis", "num_regressors", "num_labels", "label_weights", "sparse_y_true", "ignore_class"])
    let metric = try Catalog.metrics.make(Config(.object([Config.Entry(golden.kind, settings)])))
    for backend in backends {
      var state: [[Double]] = []
      var weight = 0.0
      var results: [Float] = []
      for batch in golden.series("y_true").indices {
        var inputs = [try golden.tensor("y_pred\(batch)"), try golden.tensor("y_true\(batch)")]
        let count = inputs[0].shape[0]
        if let weights = golden.tensors["sample_weight\(batch)"] { inputs.append(weights) }
        let sums = try evaluate(inputs, on: backend) {
          metric.sums($0[0], $0[1], weights: $0.count > 2 ? $0[2] : nil)
        }.map { $0.elements(as: Double.self) }
        #expect(sums.count == metric.stateNames.count)
        state = state.isEmpty ? sums : zip(state, sums).map { zip($0, $1).map(+) }
        weight += inputs.count > 2 ? inputs[2].elements(as: Double.self).reduce(0, +) : Double(count)
        results.append(Float(metric.result(state, weight: weight)))
      }
      expectClose(NDArray(results), try golden.tensor("values"), "\(golden.name) on \(backend.name)")
    }
  }
}
