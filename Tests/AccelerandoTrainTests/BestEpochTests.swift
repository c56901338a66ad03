import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Testing

/// Replaces a number of each epoch.
private func scripted(_ name: String, _ values: [Double]) -> LambdaCallback {
  LambdaCallback(epochEnd: { epoch, logs, _ in logs[name] = values[epoch] })
}

@Suite struct BestEpochTests {
  private let nan = Double.nan

  private func run(
    _ epochs: Int, _ callbacks: [any Callback]
  ) throws -> (model: Model, history: History, told: [String]) {
    let (x, y) = try quadrants(20)
    let model = try compiledClassifier()
    var told: [String] = []
    let listener = LambdaCallback(trainEnd: { told = $0.messages })
    let history = try model.fit(
      x, y, epochs: epochs, validation: Dataset(x, y), callbacks: callbacks + [listener], verbose: .silent)
    return (model, history, told)
  }

  @Test func anEpochOfNaNIsNeverTheBest() throws {
    var weights: [Store] = []
    let recorder = LambdaCallback(epochEnd: { _, _, run in weights.append(try run.model.weights()) }, adds: [])
    let stopping = EarlyStopping(patience: 3, restoresBestWeights: true)
    let result = try run(6, [scripted("val_loss", [nan, 3, nan, 2, nan, nan]), recorder, stopping])
    #expect(try result.model.weights() == weights[3])
    #expect(result.told == ["The model has the weights of epoch 4, its best."])
  }

  @Test func patienceEndsAlsoWhereEveryEpochIsNaNAndNothingIsRestored() throws {
    let stopping = EarlyStopping(patience: 2, restoresBestWeights: true)
    var last: Store?
    let recorder = LambdaCallback(epochEnd: { _, _, run in last = try run.model.weights() }, adds: [])
    let result = try run(6, [scripted("val_loss", [nan, nan, nan, nan, nan, nan]), recorder, stopping])
    #expect(result.history.epochs.count == 2)
    #expect(try result.model.weights() == last)
    #expect(result.told.contains { $0.contains("nothing is restored") }, "\(result.told)")
  }

  @Test(arguments: [MonitorMode.minimum, .maximum]) func neitherNaNNorTheWorstInfinityIsSavedAsTheBest(
    mode: MonitorMode
  )
    throws
  {
    try withTemporaryDirectory { directory in
      let worst = mode == .minimum ? Double.infinity : -.infinity
      let checkpoint = ModelCheckpoint(
        directory.path + "/{epoch}", monitor: "x", mode: mode, savesBestOnly: true, savesWeightsOnly: true)
      _ = try run(4, [scripted("x", [nan, worst, 5, nan]), checkpoint])
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["3"])
      let none = ModelCheckpoint(
        directory.path + "/none{epoch}", monitor: "x", mode: mode, savesBestOnly: true, savesWeightsOnly: true)
      let result = try run(2, [scripted("x", [nan, nan]), none])
      #expect(result.told.contains { $0.contains("nothing was saved") })
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["3"])
    }
  }

  @Test func aPlateauOfNaNReducesTheRateAndTheFirstNumberIsBetterThanNaN() throws {
    let plateau = ReduceLROnPlateau(factor: 0.5, patience: 2)
    let result = try run(5, [scripted("val_loss", [nan, 9, 9, 9, 9]), plateau])
    let rates = result.history["learning_rate"]
    #expect(zip(rates, [0.01, 0.01, 0.01, 0.01, 0.005]).allSatisfy { abs($0 - $1) < 1e-8 }, "\(rates)")
    let all = try run(4, [scripted("val_loss", [nan, nan, nan, nan]), ReduceLROnPlateau(factor: 0.5, patience: 2)])
    #expect(all.history["learning_rate"].map { ($0 * 1000).rounded() } == [10, 10, 5, 5])
  }
}
