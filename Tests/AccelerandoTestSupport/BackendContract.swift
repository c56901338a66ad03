// What every backend promises besides right numbers: how buffers, outputs and aliases behave, and what is refused.

import AccelerandoCore

/// One promise, with a way to test a backend for it.
public struct BackendPromise: Sendable, CustomStringConvertible {
  /// The promise, in words.
  public let description: String
  /// Says how the backend breaks it, or nil; throws when something fails that must not.
  public let check: @Sendable (any Backend) throws -> String?

  private init(_ description: String, _ check: @escaping @Sendable (any Backend) throws -> String?) {
    self.description = description
    self.check = check
  }

  private static let vector = TensorType(.float32, [3])
  private static let a = NDArray([1, 2, 3] as [Float])
  private static let b = NDArray([10, 20, 30] as [Float])

  private static func equal(_ received: any Buffer, _ expected: [Float]) throws -> String? {
    difference(try received.read(), from: NDArray(expected))
  }

  private static func isRefused(_ body: () throws -> Void) -> String? {
    do {
      try body()
      return "nothing was thrown"
    } catch {
      return "\(error)".isEmpty ? "the error says nothing" : nil
    }
  }

  /// All promises.
  public static let all: [BackendPromise] = buffers + outputs + state + refusals

  private static let buffers = [
    BackendPromise("a new buffer holds zeros") { backend in
      try equal(try backend.makeBuffer(vector), [0, 0, 0])
    },
    BackendPromise("what is written is read back, for every type") { backend in
      for dtype in DType.allCases {
        var maker = ExampleMaker(seed: 3, dtype: dtype)
        for shape in [[], [0], [7], [2, 0, 3], [2, 3, 4]] {
          let array = maker.tensor(shape)
          guard try backend.upload(array).read() == array else { return "\(array.type)" }
        }
      }
      return nil
    },
    BackendPromise("an execution reads what its inputs hold when it runs") { backend in
      let program = try Program.trace([vector]) { [$0[0] * 2] }
      let input = try backend.upload(a)
      let execution = try backend.compile(program).bind([input])
      try execution.run()
      try input.write(b)
      try execution.run()
      return try equal(execution.outputs[0], [20, 40, 60])
    },
    BackendPromise("one buffer may be bound to several inputs") { backend in
      let program = try Program.trace([vector, vector]) { [$0[0] + $0[1]] }
      let input = try backend.upload(a)
      let execution = try backend.compile(program).bind([input, input])
      try execution.run()
      return try equal(execution.outputs[0], [2, 4, 6])
    },
    BackendPromise("executions of one program do not disturb each other") { backend in
      let program = try Program.trace([vector]) { inputs in
        let sum = (inputs[0] * inputs[0]).tanh().sum()
        return [inputs[0] + sum, sum]
      }
      let executable = try backend.compile(program)
      let first = try executable.bind([try backend.upload(a)])
      let second = try executable.bind([try backend.upload(b)])
      try first.run()
      let before = try first.outputs.map { try $0.read() }
      try second.run()
      return try first.outputs.map { try $0.read() } == before ? nil : "the first execution's outputs changed"
    },
  ]

  private static let outputs = [
    BackendPromise("an output that is an input is a copy") { backend in
      let program = try Program.trace([vector]) { [$0[0]] }
      let input = try backend.upload(a)
      let execution = try backend.compile(program).bind([input])
      try execution.run()
      try input.write(b)
      return try equal(execution.outputs[0], [1, 2, 3])
    },
    BackendPromise("a value may be given twice") { backend in
      let program = try Program.trace([vector]) { inputs in
        let doubled = inputs[0] + inputs[0]
        return [doubled, doubled, doubled.reshaped([3, 1]).reshaped([3])]
      }
      let results = try backend.evaluate(program, [a])
      return results == [NDArray](repeating: NDArray([2, 4, 6] as [Float]), count: 3) ? nil : "\(results)"
    },
    BackendPromise("constants and inputs that nothing reads are allowed") { backend in
      let program = try Program.trace([vector, vector]) { [$0[0].constant(b), $0[0].scalar(7)] }
      let results = try backend.evaluate(program, [a, a])
      return results == [b, NDArray(scalar: Float(7))] ? nil : "\(results)"
    },
    BackendPromise("a program without instructions runs") { backend in
      let program = try Program.trace([vector]) { _ in [] }
      return try backend.evaluate(program, [a]).isEmpty ? nil : "outputs from nowhere"
    },
    BackendPromise("a chain of ten thousand operations runs") { backend in
      let program = try Program.trace([vector]) { inputs in
        [(0..<5000).reduce(inputs[0]) { value, _ in value * 0.5 + inputs[0] }]
      }
      return difference(try backend.evaluate(program, [a])[0], from: NDArray([2, 4, 6] as [Float]))
    },
  ]

  private static let state = [
    BackendPromise("an aliased output goes on from run to run") { backend in
      let program = try Program.trace([("state", vector)], aliases: [0: 0]) { [$0[0] + 1] }
      let buffer = try backend.upload(a)
      let execution = try backend.compile(program).bind([buffer])
      for _ in 0..<5 { try execution.run() }
      return try equal(buffer, [6, 7, 8])
    },
    BackendPromise("aliased outputs may change places") { backend in
      let program = try Program.trace([("a", vector), ("b", vector)], aliases: [0: 0, 1: 1]) { [$0[1], $0[0]] }
      let buffers = [try backend.upload(a), try backend.upload(b)]
      try backend.compile(program).bind(buffers).run()
      return try equal(buffers[0], [10, 20, 30]) ?? equal(buffers[1], [1, 2, 3])
    },
    BackendPromise("what reads a value sees it as it was before the run") { backend in
      let program = try Program.trace([("a", vector), ("b", vector)], aliases: [0: 0]) { inputs in
        [inputs[0] + inputs[1], inputs[0] * 2, inputs[0].reversed(axes: [0]), inputs[0]]
      }
      let buffer = try backend.upload(a)
      let execution = try backend.compile(program).bind([buffer, try backend.upload(b)])
      try execution.run()
      return try equal(buffer, [11, 22, 33]) ?? equal(execution.outputs[1], [2, 4, 6])
        ?? equal(execution.outputs[2], [3, 2, 1]) ?? equal(execution.outputs[3], [1, 2, 3])
    },
    BackendPromise("an update may read its own state in another order") { backend in
      let square = TensorType(.float32, [2, 2])
      let program = try Program.trace([("state", square)], aliases: [0: 0]) { [$0[0].transposed() + $0[0]] }
      let buffer = try backend.upload(try NDArray([1, 2, 3, 4] as [Float], shape: [2, 2]))
      let execution = try backend.compile(program).bind([buffer])
      try execution.run()
      try execution.run()
      return difference(try buffer.read(), from: try NDArray([4, 10, 10, 16] as [Float], shape: [2, 2]))
    },
  ]

  private static let refusals = [
    BackendPromise("inputs of the wrong number or type are refused") { backend in
      let executable = try backend.compile(try Program.trace([vector]) { [$0[0] + 1] })
      let wrong = try backend.upload(NDArray([1, 2] as [Float]))
      let integers = try backend.upload(NDArray([1, 2, 3] as [Int32]))
      return isRefused { _ = try executable.bind([]) } ?? isRefused { _ = try executable.bind([wrong]) }
        ?? isRefused { _ = try executable.bind([integers]) }
    },
    BackendPromise("a buffer of another backend is refused") { backend in
      let executable = try backend.compile(try Program.trace([vector]) { [$0[0] + 1] })
      return isRefused { _ = try executable.bind([ForeignBuffer(type: vector)]) }
    },
    BackendPromise("writing an array of another type is refused") { backend in
      let buffer = try backend.makeBuffer(vector)
      return isRefused { try buffer.write(NDArray([1, 2] as [Float])) }
    },
  ]
}

private final class ForeignBuffer: Buffer {
  let type: TensorType
  init(type: TensorType) { self.type = type }
  func write(_ bytes: UnsafeRawBufferPointer) throws {}
  func read(into bytes: UnsafeMutableRawBufferPointer) throws {}
}
