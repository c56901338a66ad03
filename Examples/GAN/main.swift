// A generative adversarial network: two models and two optimizers in one step. `swift run -c release GAN`

import Accelerando
import Foundation

do {
  let isQuick = CommandLine.arguments.contains("--quick")
  let data = try Dataset(isQuick ? FashionMNIST.sample().train : FashionMNIST.load().train)
  let generator = Model(
    Sequential {
      Dense(128, activation: .relu)
      Dense(28 * 28, activation: .sigmoid)
    }, inputShape: [32])
  let critic = Model(
    Sequential {
      Dense(128, activation: .leakyRelu)
      Dense(1)
    }, inputShape: [28 * 28])
  let entropy = BinaryCrossentropy(fromLogits: true)
  let step = try TrainingStep(generator, critic) { step in
    let real = step.inputs[0].reshaped([step.inputs[0].dim(0), 28 * 28]).converted(to: .float32) / 255
    let fake = generator(step.normal([real.dim(0), 32]))
    let (yes, no) = (critic(real), critic(fake))
    step.minimize(entropy(yes, 1) + entropy(no, 0), training: critic, by: .adam(2e-4))
    step.minimize(entropy(critic(fake), 1), training: generator, by: .adam(1e-3))
    step.report("advantage of real images", yes.sigmoid().mean() - no.sigmoid().mean())
  }
  for epoch in 0..<(isQuick ? 1 : 10) {
    let batches = try data.batches(of: 64, pass: epoch)
    while let batch = try batches.next() { try step(batch.features) }
    print("epoch \(epoch + 1):", try step.averages())
  }

  // An image, as text.
  let noise = try NDArray(RandomKey(seed: 1).normal(32), shape: [1, 32])
  let image = try generator.predict(Dataset(features: [noise])).reshaped([28, 28])
  let shades = Array(" .:-=+*#%@")
  for row in stride(from: 0, to: 28, by: 2) {
    print(String(try image[row].elements(as: Float.self).map { shades[Int($0 * 9.99)] }))
  }
} catch {
  // An error that leaves the program's top level would end it with a crash report.
  FileHandle.standardError.write(Data("GAN: \(error)\n".utf8))
  exit(1)
}
