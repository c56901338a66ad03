// The perceptron people start with, on real images. `swift run -c release SeedMLP`

import Accelerando
import Foundation

do {
  let isQuick = CommandLine.arguments.contains("--quick")
  let data = isQuick ? try FashionMNIST.sample() : try FashionMNIST.load()

  let model = Model(
    Sequential {
      Rescaling(1 / 255.0)
      Flatten()
      Dense(128, activation: .relu)
      Dense(10, activation: .softmax)
    },
    inputShape: [28, 28, 1])
  try model.compile(optimizer: .adam(), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy])
  try model.fit(Dataset(data.train), epochs: isQuick ? 1 : 5, validation: Dataset(data.test))
} catch {
  // An error that leaves the program's top level would end it with a crash report.
  FileHandle.standardError.write(Data("SeedMLP: \(error)\n".utf8))
  exit(1)
}
