// A training loop of one's own, without layers or `fit`: trace a step, compile it, run it. The weight is state that the
// step updates in place. `swift run -c release CustomTrainingLoop`

import Accelerando
import Foundation

do {
  // Points on a noisy line, y = 3x − 1.
  let count = 256
  let xs = (0..<count).map { Float($0) / Float(count) * 2 - 1 }
  let ys = xs.enumerated().map { 3 * $0.element - 1 + 0.1 * Float(($0.offset * 37) % 21 - 10) / 10 }

  let vector = TensorType(.float32, [count])
  let scalar = TensorType(.float32, [])
  let step = try Program.trace(
    [("slope", scalar), ("offset", scalar), ("loss", scalar), ("x", vector), ("y", vector)],
    aliases: [0: 0, 1: 1, 2: 2]
  ) { inputs in
    let (x, y) = (inputs[3], inputs[4])
    let (loss, gradients) = valueAndGradient(at: [inputs[0], inputs[1]]) { weights in
      (weights[0] * x + weights[1] - y).squared().mean()
    }
    return [inputs[0] - gradients[0] * 0.3, inputs[1] - gradients[1] * 0.3, loss]
  }

  let backend = CPUBackend()
  let state = try (0..<3).map { _ in try backend.makeBuffer(scalar) }
  let execution = try backend.compile(step).bind(
    state + [try backend.upload(NDArray(xs)), try backend.upload(NDArray(ys))])

  for iteration in 1...(CommandLine.arguments.contains("--quick") ? 20 : 100) {
    try execution.run()
    if iteration % 10 == 0 {
      let values = try state.map { try $0.read().elements(as: Float.self)[0] }
      print("step \(iteration): y = \(values[0])·x + \(values[1]), loss \(values[2])")
    }
  }
} catch {
  // An error that leaves the program's top level would end it with a crash report.
  FileHandle.standardError.write(Data("CustomTrainingLoop: \(error)\n".utf8))
  exit(1)
}
