import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import Foundation

/// A backend for tests; results do not depend on the number of threads.
let testBackend = CPUBackend(threads: 2)

func message(_ body: () throws -> Void) -> String {
  do { try body() } catch { return "\(error)" }
  return "no error"
}

/// Points in the plane; the class is the quadrant pair that they lie in.
func quadrants(_ count: Int, seed: UInt64 = 1) throws -> (x: NDArray, y: NDArray) {
  let numbers = RandomKey(seed: seed).uniform(count * 2, from: -1, to: 1)
  let labels = (0..<count).map { Int32(numbers[$0 * 2] * numbers[$0 * 2 + 1] > 0 ? 1 : 0) }
  return (try NDArray(numbers, shape: [count, 2]), NDArray(labels))
}

func classifier(seed: UInt64 = 3, _ inner: [any Layer] = []) -> Model {
  let layer = Sequential {
    Dense(16, activation: .tanh)
    inner
    Dense(2, activation: .softmax)
  }
  return Model(layer, inputShape: [2], backend: testBackend, seed: seed)
}

func compiledClassifier(seed: UInt64 = 3, _ inner: [any Layer] = []) throws -> Model {
  let model = classifier(seed: seed, inner)
  try model.compile(optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy])
  return model
}

/// Waits until all threads have finished; false when they take too long, so that a test fails instead of hanging.
func haveFinished(_ threads: [Thread], within seconds: Double = 300) -> Bool {
  let deadline = Date(timeIntervalSinceNow: seconds)
  while !threads.allSatisfy(\.isFinished) {
    if Date() > deadline { return false }
    usleep(1000)
  }
  return true
}

/// A directory of its own that is removed afterwards.
func withTemporaryDirectory(_ body: (URL) throws -> Void) throws {
  let url = FileManager.default.temporaryDirectory.appendingPathComponent("accelerando-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: url) }
  try body(url)
}
