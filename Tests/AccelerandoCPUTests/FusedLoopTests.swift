// Vectors that repeat are laid out once, or read where they are, instead of being copied for every block of a fused loop:
// which one depends on their length, on that of the loop and on where a thread's part begins.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct FusedLoopTests {
  @Test func vectorsThatRepeatGiveTheBitsOfMatrices() throws {
    for seed in 0..<60 as Range<UInt64> {
      var maker = ExampleMaker(seed: seed, dtype: .float32)
      let columns = maker.random.pick([1, 2, 3, 31, 48, 64, 80, 160, 500, 511, 512, 513, 700, 1023, 1024, 1025, 3000])
      let shape = [maker.random.integer(1...(maker.random.chance(0.5) ? 12 : 150)), columns]
      let x = maker.tensor(shape, .moderate)
      let vectors = (0..<3).map { _ in maker.tensor([columns], .moderate) }
      let matrices = try vectors.map { vector in
        let row = vector.elements(as: Float.self)
        return try NDArray((0..<shape[0]).flatMap { _ in row }, shape: shape)
      }
      func formula(_ x: Tensor, _ others: [Tensor]) -> [Tensor] {
        let normalized = (x - others[0]) * others[1] + others[2]
        return [normalized, normalized.relu() * others[0]]
      }
      let repeating = try Program.trace([x.type] + vectors.map(\.type)) { tensors in
        formula(tensors[0], tensors[1...].map { $0.broadcast(to: shape, axes: [1]) })
      }
      let whole = try Program.trace([x.type] + matrices.map(\.type)) { formula($0[0], Array($0[1...])) }
      for instructionSet in InstructionSet.available {
        let backend = CPUBackend(threads: 1 + Int(seed % 3), instructionSet: instructionSet)
        let results = try backend.evaluate(repeating, [x] + vectors)
        #expect(try backend.evaluate(whole, [x] + matrices) == results, "seed \(seed), \(instructionSet)")
      }
    }
  }
}
