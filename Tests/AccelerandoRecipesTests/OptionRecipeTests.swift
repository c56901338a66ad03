// What recipes say of any layer and any optimizer: regularizers, constraints, frozen layers and blocks, means of weights.

import AccelerandoCore
import AccelerandoNN
import AccelerandoRecipes
import AccelerandoTestSupport
import AccelerandoTrain
import Foundation
import Testing

private func recipe(_ model: String, optimizer: String = "sgd") throws -> Recipe {
  try Recipe(
    yaml: "data: {npz: d.npz}\n\(model)\ncompile: {optimizer: \(optimizer), loss: mse}\n", name: "r", file: "r.yaml",
    directory: FileManager.default.temporaryDirectory)
}

private func complaint(_ model: String, optimizer: String = "sgd") -> String {
  do {
    _ = try recipe(model, optimizer: optimizer).makeModel(for: [TensorType(.float32, [4])], backend: ReferenceBackend())
  } catch { return "\(error)" }
  return "no error"
}

@Suite struct OptionRecipeTests {
  private static let model = """
    blocks:
      stem:
        layers:
          - Dense: {units: 3, kernel_regularizer: {l2: 0.01}, kernel_constraint: {max_norm: 2}}
          - BatchNormalization
    layers:
      - stem: {trainable: false}
      - stem
      - Dense: {units: 2, kernel_regularizer: {l1: 0.1, l2: 0.2}, activity_regularizer: l2}
    """

  @Test func blocksMayBeFrozenUseByUse() throws {
    let model = try recipe(Self.model).makeModel(for: [TensorType(.float32, [4])], backend: ReferenceBackend())
    #expect(try model.summary().contains(" Trainable params: 26 "))
    let config = try Config(of: model.layer).json
    #expect(config.components(separatedBy: "\"trainable\": false").count == 2)
    #expect(config.contains("\"l1_l2\"") && config.contains("\"max_norm\"") && config.contains("activity_regularizer"))
  }

  @Test func mistakesAreReportedAtTheirLines() {
    let negative = complaint(Self.model.replacing("{l2: 0.01}", with: "{l2: -1}"))
    #expect(negative.contains("r.yaml:5") && negative.contains("'l2' needs a number of at least 0"), "\(negative)")
    let unknown = complaint(Self.model.replacing("max_norm", with: "max_nrm"))
    #expect(
      unknown.contains("r.yaml:5") && unknown.contains("there is no constraint 'max_nrm'. Did you mean 'max_norm'?"))
    let word = complaint(Self.model.replacing("trainable: false", with: "trainable: no thanks"))
    #expect(word.contains("r.yaml:8") && word.contains("'trainable' needs true or false"), "\(word)")
    let steps = complaint(Self.model, optimizer: "{adam: {gradient_accumulation_steps: 0}}")
    #expect(steps.contains("r.yaml:11") && steps.contains("needs a whole number of at least 1"), "\(steps)")
    let mean = complaint(Self.model, optimizer: "{adam: {use_ema: true, ema_momentum: 1.5}}")
    #expect(mean.contains("'ema_momentum' needs a number from 0 to 1"), "\(mean)")
  }
}
