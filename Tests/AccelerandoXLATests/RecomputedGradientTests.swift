// A compiler may compute a cheap operand again for each of its users and round it otherwise each time. The gradient of a
// maximum must not depend on that: whatever is chosen, all of the gradient arrives, once.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoTestSupport
import AccelerandoXLA
import Testing

@Suite(.enabled(if: TestPlugins.isThere, TestPlugins.whySkipped))
struct RecomputedGradientTests {
  /// A value that is cheap to compute and that two loops round differently: products and sums that one of them fuses.
  private func cheap(_ a: Tensor, _ b: Tensor, _ scale: Tensor) -> Tensor {
    let mean = b.mean(axes: [0, 1, 2], keepDims: true)
    let variance = ((b - mean) * (b - mean)).mean(axes: [0, 1, 2], keepDims: true)
    let normal = (b - mean) * (variance + 1e-3).rsqrt() * scale + 0.1
    return (a.exp() + normal) * 0.5
  }

  private func inputs(_ seed: UInt64) -> (types: [TensorType], values: [NDArray]) {
    var maker = ExampleMaker(seed: seed, dtype: .float32)
    let shape = [maker.random.pick([2, 5, 23]), maker.random.pick([3, 9, 10]), maker.random.pick([2, 5]), 9]
    let shapes = [shape, shape, [9], [shape[0], 9]]
    return (shapes.map { TensorType(.float32, $0) }, shapes.map { maker.tensor($0, .range(-1...1)) })
  }

  /// Where the sums of gradients must come to what arrived.
  private func expectWhole(
    _ seed: UInt64, _ function: ([Tensor]) -> (sums: Tensor, arrived: Tensor)
  ) throws {
    let (types, values) = inputs(seed)
    let program = try Program.trace(types) { x in
      let (sums, arrived) = function(x)
      return [sums, arrived]
    }
    for backend in TestPlugins.backends as [any Backend] + [CPUBackend(threads: 2)] {
      let results = try backend.evaluate(program, values).map { $0.elements(as: Double.self) }
      let worst = zip(results[0], results[1]).map { abs($0 - $1) / max(1, abs($1)) }.max() ?? 0
      #expect(worst < 1e-4, "\(backend.name), seed \(seed): \(worst) of a gradient is lost")
    }
  }

  @Test(arguments: [Reduce.Function.max, .min], 0..<12 as Range<UInt64>)
  func aReductionPassesTheWholeGradient(_ function: Reduce.Function, _ seed: UInt64) throws {
    try expectWhole(seed) { x in
      let images = cheap(x[0], x[1], x[2])
      let pooled = function == .max ? images.max(axes: [1, 2]) : images.min(axes: [1, 2])
      let gradient = gradients(of: (pooled * x[3]).sum(), withRespectTo: [images])[0]
      // Used beside it, as a model does.
      return (gradient.sum(axes: [1, 2]), x[3] + 0 * images.sum(axes: [1, 2]))
    }
  }

  @Test(arguments: [false, true], 0..<12 as Range<UInt64>)
  func twoOperandsShareTheWholeGradient(isMaximum: Bool, _ seed: UInt64) throws {
    try expectWhole(seed) { x in
      let images = cheap(x[0], x[1], x[2])
      // Equal in half of the places by their values, and not by their formulas.
      let other = images.relu() * 1.0 + (images - images.relu()) * 0.5
      let chosen = isMaximum ? images.maximum(other) : images.minimum(other)
      let weights = x[3].expandingDims(1).expandingDims(1).broadcast(to: images.shape)
      let parts = gradients(of: (chosen * weights).sum(), withRespectTo: [images, other])
      // With respect to `images` there is the way through `other` too: its slope is 1 above zero and 1/2 below.
      let slope = select(images.greater(than: images.zerosLike()), images.onesLike(), images.filled(0.5))
      let direct = parts[0] - parts[1] * slope
      return (direct + parts[1], weights)
    }
  }

  @Test(arguments: 0..<6 as Range<UInt64>)
  func aDilatedWindowPassesTheWholeGradient(_ seed: UInt64) throws {
    try expectWhole(seed) { x in
      let images = cheap(x[0], x[1], x[2])
      let window = WindowGeometry(size: [1, 2, 1, 1], strides: [1, 1, 1, 1], windowDilation: [1, 2, 1, 1])
      let pooled = images.graph.add(ReduceWindow(.max, window), images)
      let weights = x[3].expandingDims(1).expandingDims(1).broadcast(to: pooled.shape)
      let gradient = gradients(of: (pooled * weights).sum(), withRespectTo: [images])[0]
      return (gradient.sum(axes: [1, 2]), weights.sum(axes: [1, 2]))
    }
  }

  @Test(arguments: 0..<8 as Range<UInt64>)
  func anIndexOfAnExtremeIsAlwaysOne(_ seed: UInt64) throws {
    let (types, values) = inputs(seed)
    let program = try Program.trace(types) { x in
      let images = cheap(x[0], x[1], x[2]).reshaped([x[0].shape[0], -1, 9])
      let index = images.argMax(axis: 1)
      // The element that the index names, and the largest.
      return [index, images.takingAlongAxis(index.expandingDims(1), axis: 1).reshaped([-1, 9]), images.max(axes: [1])]
    }
    for backend in TestPlugins.backends {
      let results = try backend.evaluate(program, values)
      let count = Double(types[0].shape[1] * types[0].shape[2])
      #expect(results[0].elements(as: Double.self).allSatisfy { $0 >= 0 && $0 < count })
      let pairs = zip(results[1].elements(as: Double.self), results[2].elements(as: Double.self))
      #expect(pairs.allSatisfy { abs($0 - $1) < 1e-5 })
    }
  }
}
