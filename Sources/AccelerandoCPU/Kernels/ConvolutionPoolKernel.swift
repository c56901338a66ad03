// A convolution whose results are only pooled: a few rows at a time, so that the large image between the two stays in
// the L1 cache. The argmax indices are kept for the gradient, which then needs no image either.

import AccelerandoCore
import CKernels

/// Convolution, bias, relu and max pooling in one.
struct ConvolutionPoolKernel: Kernel {
  let geometry: AccConv
  let pool: AccPool
  let source: Int
  /// Packed weights.
  let weights: Int
  let result: Int
  /// The argmax of each window, one byte each; nil if it is not needed.
  let index: Int?
  let epilogue: Epilogue
  let isa: InstructionSet

  var label: String {
    let c = geometry
    return "convolution forward [\(c.N), \(c.H), \(c.W), \(c.C)] · [\(c.KH), \(c.KW), "
      + "\(c.C / max(c.groups, 1)), \(c.O)]\(epilogue.label) + max pool \(pool.window_h)×\(pool.window_w)"
  }

  var scratchBytes: Int {
    withUnsafePointer(to: geometry) { geometry in
      withUnsafePointer(to: pool) { isa.kernels.conv_pool_scratch_bytes?(geometry, $0) ?? 0 }
    }
  }

  private var multiplications: Int {
    let c = geometry
    return [c.N, c.OH, c.OW, c.O, c.KH, c.KW, c.C / max(c.groups, 1)].elementCount
  }

  var cost: Cost {
    let elements = geometry.N * (geometry.H * geometry.W * geometry.C + pool.OH * pool.OW * pool.C)
    return Cost(
      flops: 2 * Double(multiplications), bytes: 4 * Double(elements),
      work: .product(depth: multiplications / max([geometry.N, geometry.OH, geometry.OW, geometry.O].elementCount, 1)))
  }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(
      samples: geometry.N, rows: pool.OH, work: multiplications, threads: threads, minimumPerTask: 30_000)
  }

  func slicings(_ units: Units) -> [Slicing] {
    elementwiseSlicing(
      units, elementCount: geometry.N, operands: [source], whole: [weights] + (epilogue.bias.map { [$0] } ?? []))
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    forEachPart(range, of: tasks, samples: geometry.N, rows: pool.OH) { samples, rows in
      withUnsafePointer(to: geometry) { geometry in
        withUnsafePointer(to: pool) { pool in
          epilogue.withPointer(memory) {
            isa.kernels.conv_forward_pool?(
              geometry, pool, memory.elements(source, Float.self), memory[weights],
              memory.elements(result, Float.self), index.map { memory.elements($0, UInt8.self) }, samples.lowerBound,
              samples.upperBound, rows.lowerBound, rows.upperBound, $0, scratch)
          }
        }
      }
    }
  }
}

extension Lowering {
  /// Absorbs the max pooling of a value that nothing else reads, except the pooling's own gradient.
  func takePool(of value: Int) -> (geometry: AccPool, result: Int, index: Int?)? {
    guard !program.outputs.contains(value) else { return nil }
    var pooling: Int?
    for user in users[value] {
      let instruction = program.instructions[user]
      switch instruction.operation {
      case let operation as ReduceWindow where operation.function == .max && pooling == nil: pooling = user
      case is SelectAndScatter where instruction.operands[1] != value: continue
      default: return nil
      }
    }
    guard let pooling, let operation = program.instructions[pooling].operation as? ReduceWindow,
      let geometry = poolGeometry(operation, of: value, instruction: program.instructions[pooling]),
      !gradients(of: value).contains(where: { $0.window != operation.window || !$0.selectsMax })
    else { return nil }
    let index = poolIndex(of: value, operation, geometry)
    if index == nil, !gradients(of: value).isEmpty { return nil }
    absorb(pooling)
    return (geometry, program.instructions[pooling].results.lowerBound, index)
  }

  /// The gradients of poolings of a value.
  private func gradients(of value: Int) -> [SelectAndScatter] {
    users[value].compactMap { user in
      guard program.instructions[user].operands[0] == value else { return nil }
      return program.instructions[user].operation as? SelectAndScatter
    }
  }

  /// The microkernels' geometry of a float32 max pooling.
  func poolGeometry(_ operation: ReduceWindow, of value: Int, instruction: Program.Instruction) -> AccPool? {
    let result = type(instruction.results.lowerBound)
    guard result.dtype == .float32, operation.window.inputDilation.allSatisfy({ $0 == 1 }) else { return nil }
    return PoolKernel.geometry(
      operation.window, large: type(value).shape, small: result.shape, strides: operation.window.strides,
      padding: operation.window.paddingLow)
  }

  /// Memory for the argmax indices of a max pooling, if its gradient will need them.
  func poolIndex(of value: Int, _ operation: ReduceWindow, _ geometry: AccPool) -> Int? {
    guard gradients(of: value).contains(where: { $0.window == operation.window && $0.selectsMax }),
      geometry.window_h * geometry.window_w <= 255
    else { return nil }
    let index = temporary(geometry.N * geometry.OH * geometry.OW * geometry.C)
    poolIndices[PoolSource(value: value, window: operation.window)] = index
    return index
  }
}

/// A max pooling of a value whose argmax indices are known.
struct PoolSource: Hashable {
  let value: Int
  let window: WindowGeometry
}
