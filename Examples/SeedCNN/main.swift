// The convolutional network people try next. `swift run -c release SeedCNN`

import Accelerando
import Foundation

do {
  let isQuick = CommandLine.arguments.contains("--quick")
  let data = isQuick ? try FashionMNIST.sample() : try FashionMNIST.load()

  let model = Model(
    Sequential {
      Rescaling(1 / 255.0)
      Conv2D(32, kernelSize: (3, 3), activation: .relu)
      MaxPooling2D(poolSize: (2, 2))
      Flatten()
      Dense(10, activation: .softmax)
    },
    inputShape: [28, 28, 1])
  print(try model.summary())
  try model.compile(optimizer: .adam(), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy])
  try model.fit(Dataset(data.train), epochs: isQuick ? 1 : 5, validation: Dataset(data.test))
} catch {
  // An error that leaves the program's top level would end it with a crash report.
  FileHandle.standardError.write(Data("SeedCNN: \(error)\n".utf8))
  exit(1)
}
