// Masks in training: places that only fill up sequences change nothing.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Testing

@Suite struct MaskedTrainingTests {
  /// Words to a number for each place, or for the whole sequence.
  private func model(_ length: Int, everyPlace: Bool) throws -> Model {
    let words = Input(shape: [length], dtype: .int32)
    let rows = Embedding(
      inputDim: 6, outputDim: 4, initializer: .randomUniform(from: -1, to: 1), masksZero: true)(words)
    let output = Dense(1)(LSTM(5, returnsSequences: everyPlace)(rows))
    let model = Model(inputs: [words], output: output, backend: CPUBackend(threads: 2), seed: 7)
    try model.compile(optimizer: .sgd(0.1), loss: .meanSquaredError)
    return model
  }

  private func weights(_ model: Model) throws -> [Double] {
    try model.weights().entries.flatMap { $0.1.elements(as: Double.self) }
  }

  @Test(arguments: [false, true]) func fillingUpSequencesChangesNoStep(everyPlace: Bool) throws {
    let words = try NDArray([1, 2, 3, 4, 5, 1] as [Int32], shape: [2, 3])
    let padded = try NDArray([1, 2, 3, 0, 0, 4, 5, 1, 0, 0] as [Int32], shape: [2, 5])
    let short: [Float] = everyPlace ? [1, -1, 0.5, 2, 0, -2] : [1, -1]
    let long: [Float] = everyPlace ? [1, -1, 0.5, 9, 9, 2, 0, -2, 9, 9] : [1, -1]
    let plain = try model(3, everyPlace: everyPlace)
    let filled = try model(5, everyPlace: everyPlace)
    let first = try plain.fit(
      words, try NDArray(short, shape: everyPlace ? [2, 3, 1] : [2, 1]), epochs: 3, batchSize: 2, verbose: .silent)
    let second = try filled.fit(
      padded, try NDArray(long, shape: everyPlace ? [2, 5, 1] : [2, 1]), epochs: 3, batchSize: 2, verbose: .silent)
    for (a, b) in zip(try weights(plain), try weights(filled)) { #expect(abs(a - b) < 1e-5) }
    for (a, b) in zip(first["loss"], second["loss"]) { #expect(abs(a - b) < 1e-5) }
  }
}
