// Operations that combine many elements: products, convolutions, reductions and windows. The shapes go past every block
// of a fast kernel and into every corner of the attributes.

import AccelerandoCore

extension OperationCatalog {
  static let products: [CatalogEntry] = [
    CatalogEntry("dot_general", DotGeneral.self, DType.numbers) { dot(&$0) },
    CatalogEntry("dot_general of large matrices", DotGeneral.self, [.float32, .float64, .bfloat16, .float16, .int32]) {
      maker in
      guard !maker.isForGradient else { return nil }
      let m = maker.random.pick([1, 2, 31, 64, 97])
      let n = maker.random.pick([1, 5, 48, 130])
      let k = maker.random.pick([1, 33, 128, 301])
      let left = maker.random.chance(0.5) ? [m, k] : [k, m]
      let right = maker.random.chance(0.5) ? [k, n] : [n, k]
      let operation = DotGeneral(
        leftContracting: [left == [m, k] ? 1 : 0], rightContracting: [right == [k, n] ? 0 : 1])
      return Example(
        operation, [maker.tensor(left, .moderate), maker.tensor(right, .moderate)], terms: Double(k).squareRoot() * 4)
    },
    CatalogEntry("convolution", Convolution.self, DType.numbers) { convolution(&$0) },
    CatalogEntry("convolution, channels last", Convolution.self, [.float32, .float64, .bfloat16]) { maker in
      guard !maker.isForGradient else { return nil }
      let (n, side) = (maker.random.integer(1...3), maker.random.integer(5...13))
      let window = maker.random.pick([1, 2, 3, 5])
      let groups = maker.random.pick([1, 1, 1, 2])
      let (c, o) = (maker.random.pick([1, 2, 3, 8, 17]) * groups, maker.random.pick([1, 4, 16, 33]) * groups)
      let stride = maker.random.integer(1...2)
      let padding = maker.random.pick(Padding.allCases).amounts(size: side, window: window, stride: stride)
      let operation = Convolution(
        dimensions: .channelsLast(spatial: 2), strides: [stride, stride], paddingLow: [padding.low, padding.low],
        paddingHigh: [padding.high, padding.high], featureGroups: groups)
      return Example(
        operation,
        [maker.tensor([n, side, side, c], .moderate), maker.tensor([window, window, c / groups, o], .moderate)],
        terms: Double(c * window * window).squareRoot() * 4)
    },
  ]

  private static func dot(_ maker: inout ExampleMaker) -> Example? {
    let batch = (0..<maker.random.integer(0...2)).map { _ in maker.size() }
    let contracting = (0..<maker.random.integer(0...2)).map { _ in maker.size() }
    let counts = (batch.count, contracting.count)
    func operand() -> (shape: [Int], batching: [Int], contracting: [Int]) {
      let free = (0..<maker.random.integer(0...2)).map { _ in maker.size() }
      let sizes = batch + contracting + free
      let order = Array(sizes.indices).shuffled(using: &maker.random)
      let places = sizes.indices.map { role in order.firstIndex(of: role) ?? 0 }
      return (
        order.map { sizes[$0] }, Array(places.prefix(counts.0)), Array(places[counts.0..<counts.0 + counts.1])
      )
    }
    let (left, right) = (operand(), operand())
    let operation = DotGeneral(
      leftBatching: left.batching, rightBatching: right.batching, leftContracting: left.contracting,
      rightContracting: right.contracting)
    guard left.shape.elementCount < 5000, right.shape.elementCount < 5000,
      let type = try? operation.infer([TensorType(maker.dtype, left.shape), TensorType(maker.dtype, right.shape)])[0],
      type.elementCount * contracting.elementCount < (maker.isForGradient ? 2000 : 500_000)
    else { return nil }
    return Example(
      operation, [maker.tensor(left.shape, .moderate), maker.tensor(right.shape, .moderate)],
      terms: Double(contracting.elementCount).squareRoot() * 4)
  }

  private static func convolution(_ maker: inout ExampleMaker) -> Example? {
    let spatial = maker.random.integer(0...(maker.isForGradient ? 2 : 3))
    func layout() -> [Int] { Array(0..<spatial + 2).shuffled(using: &maker.random) }
    let (input, kernel, output) = (layout(), layout(), layout())
    let dimensions = Convolution.Dimensions(
      inputBatch: input[0], inputFeature: input[1], inputSpatial: Array(input[2...]), kernelInput: kernel[0],
      kernelOutput: kernel[1], kernelSpatial: Array(kernel[2...]), outputBatch: output[0], outputFeature: output[1],
      outputSpatial: Array(output[2...]))
    func each(_ range: ClosedRange<Int>) -> [Int] { (0..<spatial).map { _ in maker.random.integer(range) } }
    func dilation() -> [Int] { (0..<spatial).map { _ in maker.random.pick([1, 1, 2, 3]) } }
    let groups = maker.random.pick([1, 1, 2, 3])
    let groupsBatch = maker.random.chance(0.3)
    let operation = Convolution(
      dimensions: dimensions, strides: each(1...3), paddingLow: each(-1...3), paddingHigh: each(-1...3),
      inputDilation: dilation(), kernelDilation: dilation(),
      reversal: (0..<spatial).map { _ in maker.random.chance(0.3) }, featureGroups: groupsBatch ? 1 : groups,
      batchGroups: groupsBatch ? groups : 1)
    let largest = maker.isForGradient ? 4 : 8
    var inputShape = [Int](repeating: 0, count: spatial + 2)
    var kernelShape = inputShape
    let inner = maker.random.integer(1...3)
    inputShape[input[0]] = maker.random.integer(0...2) * (groupsBatch ? groups : 1)
    inputShape[input[1]] = inner * (groupsBatch ? 1 : groups)
    kernelShape[kernel[0]] = inner
    kernelShape[kernel[1]] = maker.random.integer(1...3) * groups
    for axis in 0..<spatial {
      inputShape[input[axis + 2]] = maker.random.integer(0...largest)
      kernelShape[kernel[axis + 2]] = maker.random.integer(1...3)
    }
    return Example(
      operation, [maker.tensor(inputShape, .moderate), maker.tensor(kernelShape, .moderate)], terms: 16)
  }

  static let reductions: [CatalogEntry] = Reduce.Function.allCases.map { function in
    CatalogEntry("reduce \(function)", Reduce.self, function.dtypes) { maker in
      let shape = maker.shape()
      let axes = shape.indices.filter { _ in maker.random.chance(0.6) }.shuffled(using: &maker.random)
      let count = axes.map { shape[$0] }.elementCount
      // A product of many numbers runs out of any range; near 1 it stays.
      let domain: Domain =
        function == .product
        ? (maker.isForGradient ? .moderate : .range(0.9...1.1))
        : function == .sum ? .moderate : maker.isForGradient ? .distinct : .any
      return Example(
        Reduce(function, axes: axes), [maker.tensor(shape, domain)],
        ulps: function == .product ? 8 + Double(min(count, 1000)) : 8, terms: Double(count).squareRoot() * 2)
    }
  }

  static let extremes: [CatalogEntry] = [false, true].map { smallest in
    CatalogEntry(smallest ? "arg_min" : "arg_max", ArgMax.self) { maker in
      let shape = maker.shape(1...3, atLeast: 1)
      let operation = ArgMax(axis: maker.random.integer(0...shape.count - 1), smallest: smallest)
      // Among moderate numbers there are equal ones.
      return Example(operation, [maker.tensor(shape, maker.random.chance(0.5) ? .any : .moderate)])
    }
  }

  static let windows: [CatalogEntry] =
    Reduce.Function.allCases.map { function in
      CatalogEntry("reduce_window \(function)", ReduceWindow.self, function.dtypes) { maker in
        let shape = maker.shape(0...4)
        guard shape.elementCount < 4000 else { return nil }
        let window = geometry(&maker, rank: shape.count, dilates: maker.random.chance(0.5))
        let domain: Domain =
          function == .sum || function == .product ? .moderate : maker.isForGradient ? .distinct : .any
        return Example(ReduceWindow(function, window), [maker.tensor(shape, domain)], ulps: 32, terms: 8)
      }
    } + [pooling] + [true, false].map(selectAndScatter)

  private static let pooling = CatalogEntry("reduce_window, pooling", ReduceWindow.self, DType.numbers) { maker in
    guard !maker.isForGradient else { return nil }
    let shape = [maker.random.integer(1...3), maker.size(atLeast: 2), maker.size(atLeast: 2), maker.size()]
    let (size, stride) = (maker.random.integer(1...3), maker.random.integer(1...3))
    let window = WindowGeometry(size: [1, size, size, 1], strides: [1, stride, stride, 1])
    return Example(
      ReduceWindow(maker.random.chance(0.5) ? .max : .sum, window), [maker.tensor(shape, .moderate)], terms: 8)
  }

  private static func selectAndScatter(_ selectsMax: Bool) -> CatalogEntry {
    CatalogEntry("select_and_scatter \(selectsMax ? "max" : "min")", SelectAndScatter.self, DType.numbers) { maker in
      let shape = maker.shape(0...4)
      guard shape.elementCount < 4000 else { return nil }
      let window = geometry(&maker, rank: shape.count, dilates: false)
      let reduced = ReduceWindow(.max, window)
      guard let type = try? reduced.infer([TensorType(maker.dtype, shape)])[0] else { return nil }
      return Example(
        SelectAndScatter(selectsMax: selectsMax, window),
        [maker.tensor(shape, maker.isForGradient ? .distinct : .moderate), maker.tensor(type.shape, .moderate)],
        ulps: 16, terms: 8)
    }
  }

  private static func geometry(_ maker: inout ExampleMaker, rank: Int, dilates: Bool) -> WindowGeometry {
    func each(_ range: ClosedRange<Int>) -> [Int] { (0..<rank).map { _ in maker.random.integer(range) } }
    func dilation() -> [Int] { (0..<rank).map { _ in dilates ? maker.random.pick([1, 1, 2, 3]) : 1 } }
    return WindowGeometry(
      size: each(1...3), strides: each(1...3), paddingLow: each(-1...2), paddingHigh: each(-1...2),
      inputDilation: dilation(), windowDilation: dilation())
  }
}
