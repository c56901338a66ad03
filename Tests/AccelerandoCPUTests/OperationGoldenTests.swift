// Operations against the numbers that XLA printed for them: what StableHLO's words mean where they could mean two things.
// Files and format are described in Tests/Goldens/README.md.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoFormats
import AccelerandoTestSupport
import Foundation
import Testing

@Suite struct OperationGoldenTests {
  /// Cases about what this package has no operation for, or states otherwise.
  private static let unsupported: [String: String] = [
    "reduce_precision": "no such operation", "bitcast_convert": "no such operation", "cumprod": "no such operation",
    "cummax": "no such operation", "cummin": "no such operation", "sort/two_keys": "one key",
  ]

  @Test(arguments: OperationGolden.all)
  func resultsAgreeWithXLA(_ golden: OperationGolden) throws {
    if Self.unsupported[golden.name] != nil || Self.unsupported[golden.kind] != nil { return }
    let program = try Program.trace(golden.inputs.map(\.type)) { try golden.apply($0) }
    for backend in [ReferenceBackend(), CPUBackend()] as [any Backend] {
      let results = try backend.evaluate(program, golden.inputs)
      #expect(results.count == golden.outputs.count)
      for (received, expected) in zip(results, golden.outputs) {
        let failure = difference(received.converted(to: expected.dtype), from: expected, golden.tolerance)
        #expect(failure == nil, "\(golden.name) on \(backend.name)")
      }
    }
  }

  @Test func theGoldenFileIsThere() throws { #expect(try OperationGolden.load().count == 298) }
}

/// One case of the file.
struct OperationGolden: Sendable, CustomTestStringConvertible {
  let name: String
  let kind: String
  let inputs: [NDArray]
  let outputs: [NDArray]
  private let settings: Settings

  var testDescription: String { name }

  var tolerance: Tolerance {
    let largest =
      outputs.filter(\.dtype.isFloating).flatMap { $0.elements(as: Double.self) }
      .filter(\.isFinite).map(\.magnitude).max() ?? 0
    switch kind {
    case "convolution", "dot_general", "reduce", "reduce_window", "scatter", "select_and_scatter", "cumsum":
      return Tolerance(relative: 1e-5, absolute: 1e-6 * largest)
    default: return Tolerance(relative: 4e-6, absolute: 1e-37)
    }
  }

  /// All cases; none if the file cannot be read, which has a test of its own.
  static let all: [OperationGolden] = (try? load()) ?? []

  static func load() throws -> [OperationGolden] {
    let url = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../Goldens/data/ops.safetensors").standardized
    let file = try Safetensors.read(url)
    let tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.value) })
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let cases = try decoder.decode([Case].self, from: Data((file.metadata["cases"] ?? "").utf8))
    return cases.map { OperationGolden($0, tensors) }
  }

  private init(_ item: Case, _ tensors: [String: NDArray]) {
    func series(_ prefix: String) -> [NDArray] {
      let names = item.tensors.keys.filter { $0.hasPrefix(prefix) }.sorted()
      return names.compactMap { item.tensors[$0].flatMap { tensors[$0] } }
    }
    name = item.name
    kind = item.kind
    settings = item.config
    inputs = series("x")
    outputs = series("y")
  }

  /// The operation that the case is about, applied.
  func apply(_ x: [Tensor]) throws -> [Tensor] {
    let graph = x[0].graph
    if let function = Unary.Function.allCases.first(where: { Unary($0).name == kind }) {
      return [graph.add(Unary(function), x[0])]
    }
    if let function = Binary.Function.allCases.first(where: { Binary($0).name == kind }) {
      return [graph.add(Binary(function), x[0], x[1])]
    }
    switch kind {
    case "compare":
      let direction = try #require(settings.comparisonDirection.flatMap(Compare.Direction.init))
      return [graph.add(Compare(direction), x[0], x[1])]
    case "select": return [select(x[0], x[1], x[2])]
    case "clamp": return [x[1].clamped(x[0], x[2])]
    case "convert": return [x[0].converted(to: try target)]
    case "erf": return [x[0].erf()]
    case "erf_inv": return [x[0].erfInverse()]
    case "argmax": return [x[0].argMax(axis: try settings.require(settings.axis))]
    case "argmin": return [x[0].argMin(axis: try settings.require(settings.axis))]
    case "cumsum":
      return [x[0].cumulativeSum(axis: try settings.require(settings.axis), reverse: settings.reverse ?? false)]
    case "top_k":
      let top = x[0].topK(try settings.require(settings.k))
      return [top.values, top.indices]
    case "sort": return graph.add(Sort(axis: try settings.require(settings.dimension)), x)
    default: return [graph.add(try settings.operation(kind), x)[0]]
    }
  }

  private var target: DType {
    get throws {
      try #require(DType.allCases.first { $0.stableHLOName == settings.to?.replacingOccurrences(of: "u", with: "ui") })
    }
  }
}

private struct Case: Decodable {
  let name: String
  let kind: String
  let config: Settings
  let tensors: [String: String]
}

/// The attributes that a case may have, named as in StableHLO.
private struct Settings: Decodable, Sendable {
  struct Axes: Decodable {
    struct Operand: Decodable { let batch, feature, inputFeature, outputFeature: Int?, spatial: [Int] }
    let input, kernel, output: Operand
  }
  let to, comparisonDirection, computation, updateComputation, select: String?
  let axis, dimension, k, featureGroupCount, batchGroupCount, indexVectorDim: Int?
  let reverse: Bool?
  let windowStrides, lhsDilation, rhsDilation, baseDilation, windowDilation, windowDimensions: [Int]?
  let padding: [[Int]]?
  let dimensionNumbers: Axes?
  let lhsContractingDimensions, rhsContractingDimensions, lhsBatchingDimensions, rhsBatchingDimensions: [Int]?
  let offsetDims, collapsedSliceDims, startIndexMap, operandBatchingDims, startIndicesBatchingDims: [Int]?
  let updateWindowDims, insertedWindowDims, scatterDimsToOperandDims, inputBatchingDims: [Int]?
  let scatterIndicesBatchingDims, sliceSizes, startIndices, limitIndices, strides: [Int]?
  let edgePaddingLow, edgePaddingHigh, interiorPadding, dimensions, permutation, shape, broadcastDimensions: [Int]?

  func require<Value>(_ value: Value?) throws -> Value { try #require(value) }

  func operation(_ kind: String) throws -> any AccelerandoCore.Operation {
    switch kind {
    case "convolution": return try convolution()
    case "dot_general":
      return DotGeneral(
        leftBatching: try require(lhsBatchingDimensions), rightBatching: try require(rhsBatchingDimensions),
        leftContracting: try require(lhsContractingDimensions), rightContracting: try require(rhsContractingDimensions))
    case "gather":
      return Gather(
        Gather.Dimensions(
          offset: try require(offsetDims), collapsed: try require(collapsedSliceDims),
          operandBatching: try require(operandBatchingDims), indicesBatching: try require(startIndicesBatchingDims),
          startIndexMap: try require(startIndexMap), indexVector: try require(indexVectorDim)),
        sliceSizes: try require(sliceSizes))
    case "scatter":
      let functions: [String: Scatter.Function] = [
        "add": .add, "set": .set, "multiply": .multiply, "maximum": .max, "minimum": .min,
      ]
      return Scatter(
        try require(functions[try require(updateComputation)]),
        Scatter.Dimensions(
          updateWindow: try require(updateWindowDims), inserted: try require(insertedWindowDims),
          operandBatching: try require(inputBatchingDims), indicesBatching: try require(scatterIndicesBatchingDims),
          scatterToOperand: try require(scatterDimsToOperandDims), indexVector: try require(indexVectorDim)))
    case "dynamic_slice": return DynamicSlice(sizes: try require(sliceSizes))
    case "dynamic_update_slice": return DynamicUpdateSlice()
    case "pad":
      return Pad(
        low: try require(edgePaddingLow), high: try require(edgePaddingHigh), interior: try require(interiorPadding))
    case "slice":
      return Slice(starts: try require(startIndices), limits: try require(limitIndices), strides: try require(strides))
    case "reverse": return Reverse(axes: try require(dimensions))
    case "transpose": return Transpose(try require(permutation))
    case "broadcast_in_dim": return BroadcastInDim(try require(shape), axes: try require(broadcastDimensions))
    case "reduce": return Reduce(try reducer(), axes: try require(dimensions))
    case "reduce_window": return PaddedWindow(try reducer(), try window())
    case "select_and_scatter": return SelectAndScatter(selectsMax: select == "ge", try window())
    default: throw GraphError("the test knows no '\(kind)'.")
    }
  }

  private func reducer() throws -> Reduce.Function { try require(computation.flatMap(Reduce.Function.init)) }

  private func window() throws -> WindowGeometry {
    let padding = try require(padding)
    return WindowGeometry(
      size: try require(windowDimensions), strides: try require(windowStrides), paddingLow: padding.map { $0[0] },
      paddingHigh: padding.map { $0[1] }, inputDilation: baseDilation, windowDilation: windowDilation)
  }

  private func convolution() throws -> Convolution {
    let axes = try require(dimensionNumbers)
    let padding = try require(padding)
    return Convolution(
      dimensions: Convolution.Dimensions(
        inputBatch: try require(axes.input.batch), inputFeature: try require(axes.input.feature),
        inputSpatial: axes.input.spatial, kernelInput: try require(axes.kernel.inputFeature),
        kernelOutput: try require(axes.kernel.outputFeature), kernelSpatial: axes.kernel.spatial,
        outputBatch: try require(axes.output.batch), outputFeature: try require(axes.output.feature),
        outputSpatial: axes.output.spatial),
      strides: try require(windowStrides), paddingLow: padding.map { $0[0] }, paddingHigh: padding.map { $0[1] },
      inputDilation: lhsDilation, kernelDilation: rhsDilation, featureGroups: try require(featureGroupCount),
      batchGroups: try require(batchGroupCount))
  }
}

/// StableHLO's `reduce_window` starts from a second operand; ours from what changes nothing. One more step makes one of the
/// other.
private struct PaddedWindow: Composite {
  let reduction: ReduceWindow

  init(_ function: Reduce.Function, _ window: WindowGeometry) { reduction = ReduceWindow(function, window) }

  var name: String { "reduce_window with a start" }

  func expand(_ operands: [Tensor]) -> [Tensor] {
    let windows = operands[0].graph.add(reduction, operands[0])
    return [windows.graph.add(reduction.function.combiner, windows, operands[1].broadcast(to: windows.shape))]
  }
}
