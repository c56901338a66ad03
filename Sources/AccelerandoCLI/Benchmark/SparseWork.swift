// Products with frozen, pruned weights, as in a model in use: how the engine handles the zeros.

import Accelerando
import Foundation

/// A matrix product `[M, K] × [K, N]` whose right operand is frozen and has zeros.
struct SparseWork: BenchmarkWork {
  /// The pattern of the zeros.
  enum Pattern {
    /// Single elements.
    case elements(Double)
    /// Blocks of this many rows and columns.
    case blocks(Int, Int, Double)
    /// This many zeros in each group of neighbours along the input axis.
    case groups(zeros: Int, of: Int)

    /// `0.9`, `4x4-0.9` or `2:4`.
    init?(_ text: Substring) {
      func part(_ text: some StringProtocol) -> Double? { Double(text).flatMap { (0...1).contains($0) ? $0 : nil } }
      func sizes(_ text: Substring, _ separator: Character) -> (Int, Int)? {
        let sizes = text.split(separator: separator).compactMap { Int($0) }
        guard sizes.count == 2, sizes.allSatisfy({ (1...64).contains($0) }) else { return nil }
        return (sizes[0], sizes[1])
      }
      if let sparsity = part(text) {
        self = .elements(sparsity)
      } else if let (zeros, size) = sizes(text, ":"), zeros <= size {
        self = .groups(zeros: zeros, of: size)
      } else {
        let parts = text.split(separator: "-")
        guard parts.count == 2, let (height, width) = sizes(parts[0], "x"), let sparsity = part(parts[1]) else {
          return nil
        }
        self = .blocks(height, width, sparsity)
      }
    }

    /// 0 where a `[k, n]` matrix has a zero, 1 elsewhere.
    func mask(_ k: Int, _ n: Int) -> [Float] {
      let key = RandomKey(seed: 3)
      switch self {
      case .elements(let sparsity): return key.uniform(k * n, from: 0, to: 1).map { $0 < Float(sparsity) ? 0 : 1 }
      case .blocks(let height, let width, let sparsity):
        let across = (n + width - 1) / width
        let kept = key.uniform((k + height - 1) / height * across, from: 0, to: 1).map { $0 >= Float(sparsity) }
        return (0..<k * n).map { kept[$0 / n / height * across + $0 % n / width] ? 1 : 0 }
      case .groups(let zeros, let size):
        let numbers = key.uniform(k * n, from: 0, to: 1)
        return (0..<k * n).map { index in
          let (row, column) = (index / n, index % n)
          let group = row / size * size..<min((row / size + 1) * size, k)
          // As many of the group's numbers are smaller as there are zeros.
          return group.count { numbers[$0 * n + column] < numbers[index] } < zeros ? 0 : 1
        }
      }
    }
  }

  let m: Int
  let k: Int
  let n: Int
  let pattern: Pattern

  var unit: String { "call" }

  init?(name: String) {
    guard let parts = Self.parts(name, of: "sparse"), parts.count == 2, let pattern = Pattern(parts[1]) else {
      return nil
    }
    let sizes = parts[0].split(separator: "x").compactMap { Int($0) }
    guard sizes.count == 3, sizes.allSatisfy({ (1...1 << 14).contains($0) }) else { return nil }
    (m, k, n) = (sizes[0], sizes[1], sizes[2])
    self.pattern = pattern
  }

  func measure(_ bench: Bench) throws -> Measurement {
    let types = [TensorType(.float32, [m, k]), TensorType(.float32, [k, n])]
    let key = RandomKey(seed: 2)
    let weights = zip(key.normal(k * n), pattern.mask(k, n)).map { $0 * $1 }
    let inputs = try [
      NDArray(key.folded(1).normal(m * k), shape: [m, k]), NDArray(weights, shape: [k, n]),
    ].map { try bench.backend.upload($0) }
    let program = try Program.trace(types) { [$0[0].matmul($0[1])] }
    let execution = try bench.backend.compile(program, frozenInputs: [1]).bind(inputs)
    var result = try Measurement.of(seconds: bench.seconds) { try execution.run() }
    if let engine = bench.backend as? CPUBackend {
      let kernels = try engine.explain(execution).kernels
      result.form = kernels.contains { $0.label.contains("sparse") } ? "sparse" : "dense"
    }
    return result
  }
}
