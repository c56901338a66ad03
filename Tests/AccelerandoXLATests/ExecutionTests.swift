// How buffers, executions and compiled programs of a plugin behave beyond what every backend promises.

import AccelerandoCore
import AccelerandoTestSupport
import AccelerandoXLA
import Foundation
import Testing

@Suite(.enabled(if: TestPlugins.isThere, TestPlugins.whySkipped))
struct ExecutionTests {
  private let vector = TensorType(.float32, [4096])

  @Test func stateIsRightAfterManyStepsInFlight() throws {
    let program = try Program.trace([("state", vector), ("x", vector)], aliases: [0: 0]) { inputs in
      [inputs[0] + inputs[1], inputs[0].sum()]
    }
    for backend in TestPlugins.backends {
      let state = try backend.makeBuffer(vector)
      let x = try backend.makeBuffer(vector)
      let execution = try backend.compile(program).bind([state, x])
      for step in 0..<100 {
        try x.write(NDArray(repeating: Double(step), type: vector))
        try execution.run()
      }
      #expect(try state.read() == NDArray(repeating: 4950, type: vector))
      #expect(try execution.outputs[1].read() == NDArray(scalar: Float(4851 * 4096)))
    }
  }

  @Test func aLentArrayIsNeitherChangedNorDisturbedByItsOwner() throws {
    let program = try Program.trace([("state", vector)], aliases: [0: 0]) { [$0[0] + 1] }
    for backend in TestPlugins.backends {
      var array = NDArray(repeating: 1, type: vector)
      let buffer = try backend.upload(array)
      array.withUnsafeMutableBytes { _ = $0.initializeMemory(as: UInt8.self, repeating: 0) }
      let other = array
      let execution = try backend.compile(program).bind([buffer])
      for _ in 0..<3 { try execution.run() }
      #expect(try buffer.read() == NDArray(repeating: 4, type: vector))
      #expect(other == NDArray(zeros: vector))
      let kept = NDArray(repeating: 7, type: vector)
      let state = try backend.upload(kept)
      try backend.compile(program).bind([state]).run()
      #expect(try state.read() == NDArray(repeating: 8, type: vector))
      #expect(kept == NDArray(repeating: 7, type: vector))
    }
  }

  @Test func aBufferBoundTwiceMayBeState() throws {
    let program = try Program.trace([("a", vector), ("b", vector)], aliases: [0: 0]) { [$0[0] + $0[1]] }
    for backend in TestPlugins.backends {
      let buffer = try backend.upload(NDArray(repeating: 1, type: vector))
      let execution = try backend.compile(program).bind([buffer, buffer])
      for _ in 0..<3 { try execution.run() }
      #expect(try buffer.read() == NDArray(repeating: 8, type: vector))
    }
  }

  @Test func compilersTellMemoryAndCostsOrThatTheyDoNot() throws {
    let matrix = TensorType(.float32, [64, 64])
    let program = try Program.trace([matrix, matrix]) { [$0[0].matmul($0[1])] }
    for backend in TestPlugins.backends {
      let executable = try backend.compiled(program)
      let memory = try executable.memory()
      #expect(memory.arguments == 2 * matrix.byteCount)
      #expect(memory.outputs >= matrix.byteCount)
      do {
        #expect(try executable.costs()["flops", default: 0] >= 2 * 64 * 64 * 64)
      } catch let error as DeviceError {
        #expect(error.kind == .unsupported, "\(error)")
      }
      #expect(try executable.optimizedProgram().bytes.count > 100)
    }
  }

  @Test func devicesAreNamedAndCounted() throws {
    for backend in TestPlugins.backends {
      #expect(backend.client.platform == "cpu")
      #expect(backend.client.devices.count == 1)
      #expect(!backend.devices[0].kind.isEmpty)
      #expect(throws: DeviceError.self) { try XLABackend(backend.client, device: 1) }
    }
  }

  @Test func theDeviceOfANumberIsUsed() throws {
    for backend in TestPlugins.backends {
      let client = try Client.shared(backend.client.plugin, options: ["cpu_device_count": .integer(3)])
      let second = try XLABackend(client, device: 2)
      let program = try Program.trace([vector]) { [$0[0] * 3] }
      #expect(
        try second.evaluate(program, [NDArray(repeating: 2, type: vector)]) == [NDArray(repeating: 6, type: vector)])
      let foreign = try XLABackend(client, device: 0).makeBuffer(vector)
      #expect(throws: GraphError.self) { try second.compile(program).bind([foreign]) }
    }
  }
}
