// Regularizers and constraints as formulas, in files, and what is refused.

import AccelerandoCore
import AccelerandoNN
import AccelerandoTestSupport
import Testing

private func config(_ json: String) throws -> Config { try Config(json: json, file: "recipe") }

private func message(_ body: () throws -> Void) -> String {
  do { try body() } catch { return "\(error)" }
  return "no error"
}

private func values(_ array: NDArray, _ body: (Tensor) -> Tensor) throws -> [Double] {
  try ReferenceBackend(exact: true).evaluate(Program.trace([array.type]) { [body($0[0])] }, [array])[0]
    .elements(as: Double.self)
}

@Suite struct RegularizerTests {
  private let matrix: NDArray = {
    let numbers = RandomKey(seed: 4).normal(12)
    return (try? NDArray(numbers, shape: [4, 3])) ?? NDArray(numbers)
  }()

  @Test func penaltiesAreTheirFormulas() throws {
    let x = matrix.elements(as: Double.self)
    let magnitudes: Double = x.reduce(0) { $0 + $1.magnitude }
    let squares: Double = x.reduce(0) { $0 + $1 * $1 }
    #expect(try abs(values(matrix) { L1(0.3).penalty($0) }[0] - 0.3 * magnitudes) < 1e-6)
    #expect(try abs(values(matrix) { L2(0.3).penalty($0) }[0] - 0.3 * squares) < 1e-6)
    let both = L1L2(l1: 0.2, l2: 0.5)
    #expect(try abs(values(matrix) { both.penalty($0) }[0] - 0.2 * magnitudes - 0.5 * squares) < 1e-6)
    #expect(try values(matrix) { L1L2().penalty($0) } == [0])
    // Rows of length 1, the products of each two, and the mean of their magnitudes.
    let rows = (0..<4).map { row in (0..<3).map { x[row * 3 + $0] } }
    let units = rows.map { row -> [Double] in
      let length = (row[0] * row[0] + row[1] * row[1] + row[2] * row[2]).squareRoot()
      return row.map { $0 / length }
    }
    var sum = 0.0
    for i in 0..<4 {
      for j in 0..<i {
        var product = 0.0
        for k in 0..<3 { product += units[i][k] * units[j][k] }
        sum += product.magnitude
      }
    }
    #expect(try abs(values(matrix) { OrthogonalRegularizer(0.7).penalty($0) }[0] - 0.7 * sum / 6) < 1e-6)
    let transposed = try values(matrix) { OrthogonalRegularizer(0.7, mode: .columns).penalty($0.transposed()) }
    #expect(abs(transposed[0] - 0.7 * sum / 6) < 1e-6)
    let orthogonal = try NDArray([3, 0, 0, -2] as [Float], shape: [2, 2])
    #expect(try values(orthogonal) { OrthogonalRegularizer().penalty($0) } == [0])
    let single = try NDArray([3, 4] as [Float], shape: [1, 2])
    #expect(try values(single) { OrthogonalRegularizer().penalty($0) } == [0])
  }

  @Test func aPenaltyOfAllZerosHasAFiniteGradient() throws {
    for regularizer in [L1(), L2(), OrthogonalRegularizer()] as [any Regularizer] {
      let zeros = NDArray(zeros: TensorType(.float32, [3, 2]))
      let gradient = try values(zeros) { x in
        let penalty = regularizer.penalty(x)
        return pullback(of: [penalty], seeds: [penalty.onesLike()], withRespectTo: [x])[0] ?? x
      }
      #expect(gradient == [Double](repeating: 0, count: 6))
    }
  }

  @Test func constraintsBringLengthsWhereTheyBelong() throws {
    func lengths(_ constraint: any Constraint, axis: Int) throws -> [Double] {
      let x = try values(matrix) { constraint.constrained($0) }
      func length(_ places: [Int]) -> Double {
        var sum = 0.0
        for place in places { sum += x[place] * x[place] }
        return sum.squareRoot()
      }
      if axis == 0 { return (0..<3).map { column in length((0..<4).map { $0 * 3 + column }) } }
      return (0..<4).map { row in length((0..<3).map { row * 3 + $0 }) }
    }
    let before = try lengths(MaxNorm(1e6), axis: 0)
    for (a, b) in zip(try lengths(MaxNorm(1.2), axis: 0), before) { #expect(abs(a - min(b, 1.2)) < 1e-5) }
    for length in try lengths(UnitNorm(axes: [-1]), axis: 1) { #expect(abs(length - 1) < 1e-5) }
    let rows = try lengths(MaxNorm(1e6, axes: [1]), axis: 1)
    let mixed = try lengths(MinMaxNorm(1, 1.5, rate: 0.25, axes: [1]), axis: 1)
    for (a, b) in zip(mixed, rows) {
      let expected: Double = 0.25 * min(max(b, 1), 1.5) + 0.75 * b
      #expect(abs(a - expected) < 1e-5)
    }
    #expect(try values(matrix) { NonNeg().constrained($0) } == matrix.elements(as: Double.self).map { max($0, 0) })
    let zeros = NDArray(zeros: TensorType(.float32, [2, 2]))
    #expect(try values(zeros) { UnitNorm().constrained($0) } == [0, 0, 0, 0])
  }

  @Test func filesNameThemInAllTheFormsPeopleWrite() throws {
    func read(_ json: String) throws -> String {
      let reader = try ConfigReader(try config(#"{"r": \#(json)}"#), subject: "it")
      return "\(try #require(try reader.regularizer("r")))"
    }
    #expect(try read(#""l2""#) == "\(L2(0.01))")
    #expect(try read(#""L1""#) == "\(L1(0.01))")
    #expect(try read(#""l1_l2""#) == "\(L1L2(l1: 0.01, l2: 0.01))")
    #expect(try read(#"{"l2": 0.1}"#) == "\(L2(0.1))")
    #expect(try read(#"{"l2": {"l2": 0.1}}"#) == "\(L2(0.1))")
    #expect(try read(#"{"l1": 0.1, "l2": 1}"#) == "\(L1L2(l1: 0.1, l2: 1))")
    #expect(try read(#"{"l1_l2": {"l1": 0.1}}"#) == "\(L1L2(l1: 0.1))")
    #expect(try read(#"{"name": "orthogonal", "mode": "columns"}"#) == "\(OrthogonalRegularizer(mode: .columns))")
    #expect(try read(#"{"class_name": "L1L2", "config": {"l1": 0.1, "l2": 0.2}}"#) == "\(L1L2(l1: 0.1, l2: 0.2))")
    let constraint = try ConfigReader(try config(#"{"c": {"max_norm": 3}, "d": "NonNeg"}"#), subject: "it")
    #expect("\(try #require(try constraint.constraint("c")))" == "\(MaxNorm(3))")
    #expect("\(try #require(try constraint.constraint("d")))" == "\(NonNeg())")
  }

  @Test func mistakesAreNamedWithWhatWouldBeRight() throws {
    func problem(_ json: String) -> String { message { _ = try LayerCatalog().layer(config(json)) } }
    #expect(problem(#"{"Dense": {"units": 2, "kernel_regularizer": "l3"}}"#).contains("there is no regularizer 'l3'"))
    #expect(
      problem(#"{"Dense": {"units": 2, "kernel_regularizer": {"l2": -1}}}"#)
        .contains("'l2' needs a number of at least 0; received the number -1"))
    #expect(problem(#"{"Dense": {"units": 2, "gamma_regularizer": "l2"}}"#).contains("no setting 'gamma_regularizer'"))
    #expect(
      problem(#"{"Dense": {"units": 2, "kernel_constraint": {"min_max_norm": {"min_value": 2}}}}"#)
        .contains("'max_value' needs a number of at least 'min_value', 2"))
    #expect(problem(#"{"Dense": {"units": 2, "trainable": 1}}"#).contains("'trainable' needs true or false"))
    #expect(problem(#"{"Flatten": {"trainable": false}}"#).contains("no setting 'trainable'"))
    func trace(_ layer: any Layer) -> String {
      message { _ = try Outline(of: layer, inputs: [TensorType(.float32, [1, 4])]) }
    }
    #expect(trace(Dense(2).regularized(gamma: .l2())).contains("has a regularizer for 'gamma', which it does not have"))
    #expect(trace(Dense(2).constrained(alpha: .nonNeg)).contains("It has: kernel, bias"))
    #expect(trace(Dense(2).regularized(kernel: .l2(-1))).contains("'l2' needs a number of at least 0"))
    #expect(trace(Dense(2).regularized(activity: .l1(.nan))).contains("'l1' needs a number of at least 0"))
    #expect(trace(Dense(2).constrained(kernel: .maxNorm(.nan))).contains("'max_value' needs a number of at least 0"))
    #expect(trace(Sequential { Dense(2) }.regularized(kernel: .l2())).contains("no weights for which there could be"))
  }

  @Test func optionsOfEveryLayerSurviveTheWayThroughFiles() throws {
    let catalog = LayerCatalog()
    var count = 0
    for name in catalog.names {
      let settings = try catalog.entry(name).settings.map(\.key)
      let wanted = settings.filter { $0.hasSuffix("_regularizer") || $0.hasSuffix("_constraint") }
      guard settings.contains("trainable") else {
        #expect(wanted.isEmpty)
        continue
      }
      #expect(wanted.contains("activity_regularizer"))
      let samples = [
        "Sequential": #"{"layers": []}"#,
        "Functional": #"{"inputs": [{"shape": [2]}], "nodes": [{"layer": "Flatten", "inputs": [0]}], "output": 1}"#,
        "RNN": #"{"cell": {"LSTMCell": {"units": 2}}}"#, "StackedRNNCells": #"{"cells": []}"#,
        "Bidirectional": #"{"layer": {"LSTM": {"units": 2}}}"#, "TimeDistributed": #"{"layer": "Flatten"}"#,
        "EinsumDense": #"{"equation": "ab,bc->ac", "output_shape": [2]}"#,
        "PReLU": "{}", "BatchNormalization": "{}", "GroupNormalization": #"{"groups": 1}"#, "LayerNormalization": "{}",
        "RMSNormalization": "{}", "Attention": "{}", "AdditiveAttention": "{}",
        "Embedding": #"{"input_dim": 3, "output_dim": 2}"#,
        "MultiHeadAttention": #"{"num_heads": 1, "key_dim": 2}"#,
        "GroupQueryAttention": #"{"num_query_heads": 1, "num_key_value_heads": 1, "head_dim": 2}"#,
        "Dense": #"{"units": 2}"#, "DepthwiseConv1D": #"{"kernel_size": 2}"#, "DepthwiseConv2D": #"{"kernel_size": 2}"#,
        "SimpleRNN": #"{"units": 2}"#, "SimpleRNNCell": #"{"units": 2}"#, "LSTM": #"{"units": 2}"#,
        "LSTMCell": #"{"units": 2}"#, "GRU": #"{"units": 2}"#, "GRUCell": #"{"units": 2}"#,
      ]
      guard case .object(var entries) = try config(samples[name] ?? #"{"filters": 2, "kernel_size": 2}"#).value else {
        continue
      }
      for (place, key) in wanted.enumerated() {
        entries.append(
          Config.Entry(
            key,
            key.hasSuffix("_constraint") ? Config(["max_norm": 3]) : Config(["l2": Config(.double(Double(place + 1)))]))
        )
      }
      entries.append(Config.Entry("trainable", false))
      let layer = try catalog.layer(Config(.object([Config.Entry(name, Config(.object(entries)))])))
      let written = try Config(of: layer)
      for key in wanted + ["trainable"] { #expect(written[name]?[key] != nil, "\(name) \(key)") }
      let again = try Config(of: catalog.layer(Config(json: written.json, file: "saved")))
      #expect(again == written)
      count += wanted.count
    }
    #expect(count > 80)
  }

  @Test func layersThatShareWeightsAndDifferInOptionsAreWrittenAsWhatTheyAre() throws {
    let dense = Dense(3)
    let config = try Config(of: Sequential([dense, dense]))
    #expect(config.json.contains("shares"))
    // One file entry cannot say that two layers share weights and not their options.
    #expect(throws: ConfigError.self) { try Config(of: Sequential([dense, dense.trainable(false)])) }
  }
}
