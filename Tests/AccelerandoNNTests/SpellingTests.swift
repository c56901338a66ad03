import AccelerandoNN
import Testing

@Suite struct SpellingTests {
  @Test(arguments: [
    ("adm", "adam"), ("adan", "adam"), ("mpl", "mlp"), ("trian", "train"), ("Desne", "Dense"), ("dens", "Dense"),
    ("momentm", "momentum"), ("beta1", "beta_1"), ("MaxPoling2D", "MaxPooling2D"), ("acuracy", "accuracy"),
    ("kernel_initialiser", "kernel_initializer"), ("cn", "cnn"),
  ])
  func aSlipOfThePenIsUnderstood(_ word: String, _ meant: String) {
    let words = [
      "adam", "sgd", "mlp", "cnn", "train", "Dense", "Dropout", "momentum", "beta_1", "beta_2", "MaxPooling2D",
      "accuracy",
      "kernel_initializer", "bias_initializer",
    ]
    #expect(nearestWord(to: word, among: words) == meant)
  }

  @Test(arguments: [
    ("auc", "acc"), ("GRU", "ELU"), ("kernel_regularizer", "kernel_initializer"), ("Conv1D", "Conv2D"),
    ("bias_regularizer", "bias_initializer"), ("beta_3", "beta_2"), ("GroupNormalization", "LayerNormalization"),
    ("mean_absolute_percentage_error", "mean_absolute_error"), ("csv", "npz"), ("", "a"),
  ])
  func anotherThingIsNotTakenForASlip(_ word: String, _ other: String) {
    #expect(nearestWord(to: word, among: [other]) == nil)
  }

  @Test func whatKerasHasAndWeLackIsSaidToBeMissing() {
    func problem(_ body: () throws -> Void) -> String {
      do { try body() } catch { return "\(error)" }
      return "no error"
    }
    let layer = problem { _ = try LayerCatalog().layer("TextVectorization") }
    #expect(
      layer.contains("there is no layer 'TextVectorization'. Keras has it; it is not available here. Known: Activation")
    )
    #expect(problem { _ = try Catalog.metrics.named("Mean") }.contains("not available here"))
    #expect(problem { _ = try Catalog.optimizers.named("LossScaleOptimizer") }.contains("not available here"))
  }
}
