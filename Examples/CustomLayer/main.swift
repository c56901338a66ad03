// A layer of one's own is a plain struct: it declares parameters and says what comes out. No registration, no build phase.
// `swift run -c release CustomLayer`

import Accelerando
import Foundation

/// A residual block: x + Dense(relu(Dense(x))).
struct Residual: Layer {
  let up: Dense
  let down: Dense
  let scale = Parameter(.ones)

  init(units: Int, hidden: Int) {
    up = Dense(hidden, activation: .relu)
    down = Dense(units)
  }

  func forward(_ x: Tensor) -> Tensor { x + down(up(x)) * scale[x.dim(-1)] }
}

do {
  let isQuick = CommandLine.arguments.contains("--quick")
  let data = isQuick ? try FashionMNIST.sample() : try FashionMNIST.load()

  let model = Model(
    Sequential {
      Rescaling(1 / 255.0)
      Flatten()
      Dense(64, activation: .relu)
      Dropout(0.1)
      for _ in 0..<3 { Residual(units: 64, hidden: 128) }
      Dense(10, activation: .softmax)
    },
    inputShape: [28, 28, 1])
  print(try model.summary())
  try model.compile(optimizer: .adam(), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy])
  try model.fit(Dataset(data.train), epochs: isQuick ? 1 : 3, validation: Dataset(data.test))
} catch {
  // An error that leaves the program's top level would end it with a crash report.
  FileHandle.standardError.write(Data("CustomLayer: \(error)\n".utf8))
  exit(1)
}
