// Operations whose attributes and sizes lie at the ends of the integers, among sensible ones, so that not all are refused for
// the same reason: what type rules and planners must answer with an error and never with a trap.

import AccelerandoCore

/// Makes operations with extreme attributes.
public struct ExtremeExamples {
  /// The ends of the integers, and what overflows when it is doubled, squared or added to one.
  public static let numbers = [
    Int.min, Int.min + 1, -(1 << 62), -(1 << 32), -3, -1, 0, 1, 2, 3, 1 << 24, 1 << 31, 1 << 32, 1 << 46, 1 << 62,
    Int.max - 1, Int.max,
  ]
  private static let sizes = numbers.filter { $0 >= 0 }

  /// Makes lists of attributes, most of them sensible, so that not all are refused for the same reason.
  private struct Maker {
    var random: RandomSource

    mutating func number() -> Int { random.chance(0.5) ? random.integer(0...3) : random.pick(ExtremeExamples.numbers) }
    mutating func size() -> Int { random.chance(0.6) ? random.integer(0...4) : random.pick(ExtremeExamples.sizes) }
    mutating func attributes(_ count: Int) -> [Int] { (0..<count).map { _ in number() } }
    mutating func type(_ rank: Int, _ dtype: DType = .float32) -> TensorType {
      TensorType(dtype, (0..<rank).map { _ in size() })
    }
    mutating func window(_ rank: Int) -> WindowGeometry {
      WindowGeometry(
        size: attributes(rank), strides: attributes(rank), paddingLow: attributes(rank), paddingHigh: attributes(rank),
        inputDilation: random.chance(0.7) ? nil : attributes(rank),
        windowDilation: random.chance(0.7) ? nil : attributes(rank))
    }
    mutating func layout(_ rank: Int) -> [Int] {
      random.chance(0.9) ? Array(0..<rank).shuffled(using: &random) : attributes(rank)
    }
  }

  /// How many kinds of operations there are.
  public static let kinds = 28

  private var maker: Maker

  /// Makes examples; equal seeds give equal ones.
  public init(seed: UInt64) { maker = Maker(random: RandomSource(seed: seed)) }

  /// One operation with the types of its operands, of every kind that has attributes; nil for no kind.
  public mutating func next(_ kind: Int) -> (operation: any Operation, operands: [TensorType])? {
    let rank = maker.random.integer(0...3)
    let x = maker.type(rank)
    let scalar = TensorType(.int32, [])
    switch kind {
    case 0: return (Reshape(maker.attributes(rank)), [x])
    case 1: return (Transpose(maker.layout(rank)), [x])
    case 2:
      return (
        BroadcastInDim(
          maker.attributes(rank + 1), axes: maker.random.chance(0.7) ? Array(0..<rank) : maker.attributes(rank)),
        [x]
      )
    case 3: return (Reverse(axes: maker.attributes(maker.random.integer(0...2))), [x])
    case 4:
      return (
        Slice(
          starts: maker.attributes(rank), limits: maker.random.chance(0.5) ? x.shape : maker.attributes(rank),
          strides: maker.attributes(rank)), [x]
      )
    case 5:
      return (
        Pad(low: maker.attributes(rank), high: maker.attributes(rank), interior: maker.attributes(rank)),
        [x, TensorType(.float32, [])]
      )
    case 6:
      var other = x
      if rank > 0 { other.shape[0] = maker.size() }
      return (Concatenate(axis: maker.random.chance(0.8) ? 0 : maker.number()), [x, other, x])
    case 7: return (Iota(x.with(.int32), axis: maker.number()), [])
    case 8:
      return (
        Reduce(maker.random.pick(Reduce.Function.allCases), axes: maker.attributes(maker.random.integer(0...2))), [x]
      )
    case 9: return (ReduceWindow(maker.random.pick([.sum, .max, .product]), maker.window(rank)), [x])
    case 10:
      let window = maker.window(rank)
      let pooled = (try? ReduceWindow(.max, window).infer([x])[0]) ?? x
      return (SelectAndScatter(selectsMax: true, window), [x, pooled])
    case 11:
      let spatial = maker.random.integer(0...2)
      let (input, kernel, output) = (maker.layout(spatial + 2), maker.layout(spatial + 2), maker.layout(spatial + 2))
      let operation = Convolution(
        dimensions: Convolution.Dimensions(
          inputBatch: input[0], inputFeature: input[1], inputSpatial: Array(input[2...]), kernelInput: kernel[0],
          kernelOutput: kernel[1], kernelSpatial: Array(kernel[2...]), outputBatch: output[0],
          outputFeature: output[1], outputSpatial: Array(output[2...])),
        strides: maker.attributes(spatial), paddingLow: maker.attributes(spatial),
        paddingHigh: maker.attributes(spatial),
        inputDilation: maker.random.chance(0.6) ? nil : maker.attributes(spatial),
        kernelDilation: maker.random.chance(0.6) ? nil : maker.attributes(spatial),
        featureGroups: maker.random.chance(0.7) ? 1 : maker.number(),
        batchGroups: maker.random.chance(0.8) ? 1 : maker.number())
      var (image, weights) = (maker.type(spatial + 2), maker.type(spatial + 2))
      if image.shape.indices.contains(input[1]), weights.shape.indices.contains(kernel[0]), maker.random.chance(0.8) {
        weights.shape[kernel[0]] = image.shape[input[1]]
      }
      if maker.random.chance(0.5) { image.shape = image.shape.map { min($0, 9) } }
      if maker.random.chance(0.5) { weights.shape = weights.shape.map { min($0, 9) } }
      return (operation, [image, weights])
    case 12:
      return (
        DotGeneral(
          leftBatching: [], rightBatching: [], leftContracting: maker.attributes(1),
          rightContracting: maker.attributes(1)),
        [x, maker.type(rank)]
      )
    case 13: return (DynamicSlice(sizes: maker.attributes(rank)), [x] + x.shape.map { _ in scalar })
    case 14: return (DynamicUpdateSlice(), [x, maker.type(rank)] + x.shape.map { _ in scalar })
    case 15, 16:
      // Rows that a vector of indices names, with one of the parts changed now and then.
      let count = maker.size()
      let rank = maker.random.integer(1...3)
      let table = maker.type(rank)
      func part(_ sensible: [Int]) -> [Int] { maker.random.chance(0.8) ? sensible : maker.attributes(sensible.count) }
      let window = part(Array(1..<rank))
      let (gone, map) = (part([0]), part([0]))
      let vector = maker.random.chance(0.8) ? 1 : maker.number()
      let indices = TensorType(.int32, [count])
      if kind == 15 {
        let dimensions = Gather.Dimensions(offset: window, collapsed: gone, startIndexMap: map, indexVector: vector)
        return (
          Gather(dimensions, sliceSizes: part([min(1, table.shape[0])] + table.shape.dropFirst())), [table, indices]
        )
      }
      let dimensions = Scatter.Dimensions(
        updateWindow: window, inserted: gone, scatterToOperand: map, indexVector: vector)
      let function = maker.random.pick(Scatter.Function.allCases)
      return (Scatter(function, dimensions), [table, indices, TensorType(.float32, [count] + table.shape.dropFirst())])
    case 17: return (Sort(axis: maker.number()), [x])
    case 18: return (ArgMax(axis: maker.number()), [x])
    case 19: return (CumulativeSum(axis: maker.number()), [x])
    case 20: return (Softmax(axis: maker.number()), [x])
    case 21: return (LogSumExp(axis: maker.number()), [x])
    case 22: return (RngBitGenerator(maker.attributes(rank)), [TensorType(.uint32, [2])])
    case 23: return (RngSplit(count: maker.number()), [TensorType(.uint32, [2])])
    case 24: return (BatchNormTraining(axis: maker.number(), epsilon: 1e-3), [x, maker.type(1), maker.type(1)])
    case 25: return (LayerNormalization(axisCount: maker.number(), epsilon: 1e-3), [x, x, x])
    case 26: return (AllReduce(.sum, groups: [maker.attributes(2)]), [x])
    case 27: return (Reduce(.product, axes: rank > 0 ? [0] : []), [x])
    default: return nil
    }
  }

  /// A program that applies the operation and, where it has one, its gradient.
  public static func program(_ operation: any Operation, _ operands: [TensorType]) throws -> Program {
    let graph = Graph()
    let tensors = operands.enumerated().map { graph.input("operand\($0.offset)", $0.element) }
    let results = graph.add(operation, tensors)
    guard let loss = results.first(where: { $0.dtype.isFloating }) else { return try Program(graph, outputs: results) }
    let sources = tensors.filter { $0.dtype.isFloating }
    return try Program(graph, outputs: results + gradients(of: loss.sum(), withRespectTo: sources))
  }
}
