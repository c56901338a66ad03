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
    // Keras' Accuracy compares numbers for equality; here the name chooses among accuracies of classes. The root of a mean
    // is no mean of values.
    guard golden.kind != "Accuracy", golden.kind != "RootMeanSquaredError" else { return }
    let settings = golden.settings(without: ["axis", "ignore_class"])
    let metric = try Catalog.metrics.make(Config(.object([Config.Entry(golden.kind, settings)])))
    for backend in backends {
      var (total, count) = (0.0, 0.0)
      var means: [Float] = []
      for batch in golden.series("y_true").indices {
        let inputs = [try golden.tensor("y_pred\(batch)"), try golden.tensor("y_true\(batch)")]
        let values = try evaluate(inputs, on: backend) { [metric.values($0[0], $0[1])] }[0]
        #expect(values.type == TensorType(.float32, [inputs[0].shape[0]]))
        let elements = values.elements(as: Double.self)
        let weights = golden.tensors["sample_weight\(batch)"]?.elements(as: Double.self) ?? elements.map { _ in 1 }
        total += zip(elements, weights).reduce(0) { $0 + $1.0 * $1.1 }
        count += weights.reduce(0, +)
        means.append(Float(total / count))
      }
      expectClose(NDArray(means), try golden.tensor("values"), "\(golden.name) on \(backend.name)")
    }
  }
}
