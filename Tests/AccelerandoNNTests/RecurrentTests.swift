// What recurrent layers and masks promise beyond Keras' numbers.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTestSupport
import Testing

@Suite struct RecurrentTests {
  private func config(_ json: String) throws -> Config { try Config(json: json, file: "recipe") }

  private func randomArray(_ shape: [Int], seed: UInt64) -> NDArray {
    var maker = ExampleMaker(seed: seed, dtype: .float32)
    return maker.tensor(shape, .range(-2...2))
  }

  /// The outputs of a layer whose parameters are drawn from a fixed key, and the updates of its state.
  private func run(
    _ layer: any Layer, _ inputs: [NDArray], isTraining: Bool = false, states: [String: NDArray] = [:]
  ) throws -> (outputs: [NDArray], updates: [String: NDArray]) {
    let names = ParameterNames(of: layer)
    // The first trace says which parameters there are.
    let first = Graph()
    let scope = Scope(
      graph: first, names: names, isTraining: isTraining, randomKey: first.input("key", TensorType(.uint32, [2])))
    _ = scope.run { layer.applied(to: inputs.map { first.input("x", $0.type) }) }
    if let error = first.firstError { throw error }
    let parameters = scope.parameters
    let values = parameters.map { spec in
      states[spec.name] ?? spec.initializer.makeArray(spec.type, key: RandomKey(seed: 3).folded(spec.name))
    }
    var updated: [String] = []
    let key = NDArray([1, 2] as [UInt32])
    let results = try evaluate(inputs + values + [key], on: ReferenceBackend()) { tensors in
      let weights = tensors.dropFirst(inputs.count).dropLast()
      let scope = Scope(
        graph: tensors[0].graph, names: names,
        values: Dictionary(uniqueKeysWithValues: zip(parameters.map(\.name), weights)), isTraining: isTraining,
        randomKey: tensors[tensors.count - 1])
      let outputs = scope.run { layer.applied(to: Array(tensors.prefix(inputs.count))) }
      updated = scope.updates.keys.sorted()
      return outputs + updated.compactMap { scope.updates[$0] }
    }
    let count = results.count - updated.count
    return (
      Array(results.prefix(count)), Dictionary(uniqueKeysWithValues: zip(updated, results.suffix(updated.count)))
    )
  }

  private static let layers: [any RecurrentLayer] = [
    SimpleRNN(3), LSTM(3), GRU(3), GRU(3, resetAfter: false), LSTM(3, recurrentActivation: .hardSigmoid),
    RNN(StackedRNNCells([GRUCell(2), LSTMCell(3)])),
  ]

  @Test(arguments: layers.indices) func paddedSequencesGiveTheOutputsOfShorterOnes(_ index: Int) throws {
    let words = try NDArray([1, 2, 3, 4, 2, 1] as [Int32], shape: [2, 3])
    let padded = try NDArray([1, 2, 3, 0, 0, 4, 2, 1, 0, 0] as [Int32], shape: [2, 5])
    let model = Sequential([Embedding(inputDim: 5, outputDim: 4, masksZero: true), Dropout(0.5), Self.layers[index]])
    let (short, long) = (try run(model, [words]).outputs[0], try run(model, [padded]).outputs[0])
    expectClose(long, short, "\(Self.layers[index].typeName)")
  }

  @Test func zerosInFrontAreSkippedToo() throws {
    let words = try NDArray([1, 2, 3] as [Int32], shape: [1, 3])
    let padded = try NDArray([0, 1, 0, 2, 3] as [Int32], shape: [1, 5])
    let model = Sequential([Embedding(inputDim: 5, outputDim: 4, masksZero: true), Bidirectional(LSTM(3))])
    expectClose(try run(model, [padded]).outputs[0], try run(model, [words]).outputs[0], "bidirectional")
  }

  @Test func aStatefulLayerGoesOnWhereTheBatchBeforeEnded() throws {
    let x = randomArray([2, 6, 3], seed: 1)
    let whole = try run(LSTM(4), [x]).outputs[0]
    let stateful = LSTM(4, isStateful: true)
    func half(_ start: Int) throws -> NDArray {
      try evaluate([x], on: ReferenceBackend()) { [$0[0].sliced(starts: [0, start, 0], limits: [2, start + 3, 3])] }[0]
    }
    let first = try run(stateful, [try half(0)])
    #expect(first.updates.count == 2)
    let second = try run(stateful, [try half(3)], states: first.updates)
    expectClose(second.outputs[0], whole, "stateful")
  }

  /// A cell of one's own: a running sum.
  private struct RunningSum: RecurrentCell {
    let scale = Parameter(.constant(2))
    var stateCount: Int { 1 }
    func stateShapes(input: [Int]) -> [[Int]] { [input] }
    func step(_ x: Tensor, _ states: [Tensor]) -> (output: Tensor, states: [Tensor]) {
      let sum = states[0] + x * scale[]
      return (sum * sum, [sum])
    }
  }

  @Test func aCellOfOnesOwnIsALoopOverTheSequence() throws {
    let x = try NDArray([1, 2, 3, 4] as [Float], shape: [1, 4, 1])
    let outputs = try run(RNN(RunningSum(), returnsSequences: true, returnsState: true), [x]).outputs
    #expect(outputs[0].elements(as: Double.self) == [4, 36, 144, 400])
    #expect(outputs[1].elements(as: Double.self) == [20])
    let last = try run(RNN(RunningSum()), [x]).outputs[0]
    #expect(last.elements(as: Double.self) == [400])
  }

  @Test func theSameElementsAreDroppedInAllRounds() throws {
    // A cell that adds up its inputs: an identity kernel, and a state that is kept as it is.
    let layer = SimpleRNN(
      6, activation: .linear, usesBias: false, kernelInitializer: .identity(), recurrentInitializer: .identity(),
      dropout: 0.5, returnsSequences: true)
    let x = NDArray(repeating: 1, type: TensorType(.float32, [3, 4, 6]))
    let y = try run(layer, [x], isTraining: true).outputs[0].elements(as: Double.self)
    for sample in 0..<3 {
      for unit in 0..<6 {
        let steps = (0..<4).map { y[(sample * 4 + $0) * 6 + unit] }
        #expect(steps == [0, 0, 0, 0] || steps == [2, 4, 6, 8])
      }
    }
    #expect(Set(y).contains(0) && Set(y).contains(8))
  }

  @Test(arguments: [
    (#"{"LSTM": {"units": 0}}"#, [[2, 3, 4]], "'units' needs"),
    (#"{"LSTM": {"units": 2}}"#, [[2, 3]], "needs sequences [N, T, features]; received [2, 3]"),
    (#"{"LSTM": {"units": 2}}"#, [[2, 3, 4, 5]], "needs elements [N, features]; received [2, 4, 5]"),
    (#"{"GRU": {"units": 2}}"#, [[2, 3, 4], [2, 3]], "needs states of [2, 2] besides its input; received [2, 3]"),
    (#"{"LSTM": {"units": 2}}"#, [[2, 3, 4], [2, 2]], "needs states of [2, 2], [2, 2]"),
    (#"{"Bidirectional": {"layer": {"Dense": {"units": 2}}}}"#, [[2, 3, 4]], "a recurrent layer, like LSTM"),
    (#"{"RNN": {"cell": {"Dense": {"units": 2}}}}"#, [[2, 3, 4]], "a recurrent cell, like LSTMCell"),
    (#"{"RNN": {"cell": {"StackedRNNCells": {"cells": []}}}}"#, [[2, 3, 4]], "needs at least one cell"),
    (#"{"TimeDistributed": {"layer": {"Dense": {"units": 2}}}}"#, [[3]], "needs sequences"),
    (#"{"RepeatVector": {"n": 3}}"#, [[2, 3, 4]], "needs vectors"),
  ])
  func wrongInputIsSaidInWords(_ json: String, _ shapes: [[Int]], _ words: String) throws {
    var message = "no error"
    do {
      let layer = try LayerCatalog().layer(try config(json))
      _ = try run(layer, shapes.map { NDArray(zeros: TensorType(.float32, $0)) })
    } catch {
      message = "\(error)"
    }
    #expect(message.contains(words))
  }

  @Test func twoLayersThatGoTheSameWayAreRefused() throws {
    let layer = Bidirectional(LSTM(2), backward: LSTM(2))
    let error = #expect(throws: GraphError.self) {
      _ = try run(layer, [NDArray(zeros: TensorType(.float32, [2, 3, 4]))])
    }
    #expect(error?.message.contains("both go forwards") == true)
  }
}
