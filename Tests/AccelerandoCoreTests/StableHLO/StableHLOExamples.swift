import AccelerandoCore

/// One program for each way in which an operation is written in StableHLO.
struct StableHLOExample: Sendable {
  let name: String
  let program: Program

  init(_ name: String, _ types: [TensorType], _ body: ([Tensor]) -> [Tensor]) throws {
    self.name = name
    program = try Program.trace(types, body)
  }
}

func stableHLOExamples() throws -> [StableHLOExample] {
  let matrix = TensorType(.float32, [3, 4])
  let scalar = TensorType(.int32, [])
  let image = TensorType(.float32, [2, 6, 6, 2])
  var examples: [StableHLOExample] = []
  func add(_ name: String, _ types: [TensorType], _ body: ([Tensor]) -> [Tensor]) throws {
    examples.append(try StableHLOExample(name, types, body))
  }
  for function in Unary.Function.allCases {
    for dtype in Unary(function).dtypes {
      try add("\(function)_\(dtype)", [TensorType(dtype, [3])]) { [$0[0].graph.add(Unary(function), $0[0])] }
    }
  }
  for function in Binary.Function.allCases {
    for dtype in Binary(function).dtypes {
      let type = TensorType(dtype, [3])
      try add("\(function)_\(dtype)", [type, type]) { [$0[0].graph.add(Binary(function), $0[0], $0[1])] }
    }
  }
  for direction in Compare.Direction.allCases {
    for dtype in DType.allCases {
      let type = TensorType(dtype, [3])
      try add("compare_\(direction)_\(dtype)", [type, type]) { [$0[0].graph.add(Compare(direction), $0[0], $0[1])] }
    }
  }
  for source in DType.allCases {
    for target in DType.allCases where target != source {
      try add("convert_\(source)_\(target)", [TensorType(source, [3])]) { [$0[0].converted(to: target)] }
    }
    try add("constant_\(source)", [matrix]) { inputs in
      let varied = NDArray([0, 1, 1, 0, 1, 0] as [Float]).converted(to: source)
      return [
        inputs[0].constant(varied), inputs[0].constant(NDArray(repeating: 1, type: TensorType(source, [2, 2]))),
        inputs[0].constant(NDArray(zeros: TensorType(source, [0]))),
      ]
    }
    for function in Reduce.Function.allCases where function.dtypes.contains(source) {
      try add("reduce_\(function)_\(source)", [TensorType(source, [3, 4])]) {
        [$0[0].graph.add(Reduce(function, axes: [1]), $0[0])]
      }
    }
    try add("sort_\(source)", [TensorType(source, [5]), TensorType(.int32, [5])]) {
      $0[0].graph.add(Sort(axis: 0, descending: source == .float32), $0)
    }
  }
  try add("select_clamp", [matrix, matrix]) { [select($0[0].less(than: $0[1]), $0[0], $0[1]).clamped(-1...1)] }
  try add("iota", [matrix]) { [$0[0].iota(TensorType(.int32, [2, 3]), axis: 1)] }
  try add("shapes", [matrix]) {
    [
      $0[0].reshaped([2, 6]), $0[0].transposed(), $0[0].broadcast(to: [2, 3, 4]), $0[0].reversed(axes: [0]),
      $0[0].sliced(starts: [0, 1], limits: [3, 4], strides: [2, 1]),
      $0[0].padded(low: [1, -1], high: [0, 2], interior: [0, 1]), Tensor.concatenating([$0[0], $0[0]], axis: 1),
    ]
  }
  try add("dot_general", [TensorType(.float32, [2, 3, 4]), TensorType(.float32, [2, 4, 5])]) {
    [$0[0].matmul($0[1])]
  }
  try add("convolution", [image, TensorType(.float32, [3, 3, 1, 4])]) { inputs in
    let y = inputs[0].convolved(with: inputs[1], strides: [2, 1], padding: .same, dilation: [1, 2], groups: 2)
    return [y] + gradients(of: y.sum(), withRespectTo: inputs)
  }
  for function in [Reduce.Function.sum, .max, .min] {
    try add("reduce_window_\(function)", [image]) { inputs in
      let window = WindowGeometry(
        size: [1, 2, 3, 1], strides: [1, 2, 1, 1], paddingLow: [0, 0, 1, 0], paddingHigh: [0, 1, 1, 0])
      let y = inputs[0].graph.add(ReduceWindow(function, window), inputs[0])
      return [y] + gradients(of: y.sum(), withRespectTo: inputs)
    }
  }
  try add("dynamic_slices", [matrix, TensorType(.float32, [1, 2]), scalar, scalar]) {
    [
      $0[0].dynamicSliced(starts: [$0[2], $0[3]], sizes: [2, 2]),
      $0[0].updatingSlice(with: $0[1], starts: [$0[2], $0[3]]),
    ]
  }
  try add("gather_scatter", [matrix, TensorType(.int32, [5]), TensorType(.float32, [5, 4])]) { inputs in
    let taken = inputs[0].taking(inputs[1])
    return [taken] + gradients(of: (taken * taken).sum(), withRespectTo: [inputs[0]])
      + Scatter.Function.allCases.map { inputs[0].scattering(inputs[2], at: inputs[1], function: $0) }
  }
  try add("gather_batching", [matrix, TensorType(.int32, [3, 2])]) { inputs in
    let taken = inputs[0].takingAlongAxis(inputs[1], axis: 1)
    return [taken] + gradients(of: (taken * taken).sum(), withRespectTo: [inputs[0]])
  }
  try add("while", [matrix]) { inputs in
    let last = forLoop(3, [inputs[0]]) { _, carried in [carried[0].softmax()] }
    return last + gradients(of: (last[0] * last[0]).sum(), withRespectTo: inputs)
  }
  try add("case", [scalar, matrix]) { inputs in
    let chosen = switchCase(inputs[0], on: [inputs[1]], branches: [{ [$0[0].sin()] }, { [$0[0] * $0[0]] }])
    return chosen + gradients(of: chosen[0].sum(), withRespectTo: [inputs[1]])
  }
  try add("all_reduce", [matrix]) { [$0[0].allReduced(), $0[0].allReduced(.max, groups: [[0]])] }
  try add("random", [TensorType(.uint32, [2]), matrix]) { inputs in
    let keys = inputs[0].splitKey()
    return [
      keys[0], keys[1], keys[0].foldingIn(7), keys[0].randomBits([3, 5]), keys[1].randomNormal([7]),
      inputs[1].dropout(rate: 0.5, key: keys[1]),
    ]
  }
  try add("activations", [matrix]) { [$0[0].gelu(), $0[0].gelu(approximate: true), $0[0].silu(), $0[0].relu()] }
  try add("double", [matrix.with(.float64)]) { [$0[0].erf(), $0[0].tanh().erfInverse(), $0[0].logSoftmax()] }
  return examples
}
