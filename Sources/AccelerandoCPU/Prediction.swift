// How long a kernel should take on this machine: what it does, over rates that are measured once. Only reports show it.
// Plans never depend on it: they have to be the same on every machine of one instruction set.

import AccelerandoCore
import CKernels
import Synchronization

/// What limits a kernel.
enum Work: Sendable {
  /// Reading and writing.
  case stream
  /// The vector machine, so many instructions for single elements.
  case interpreted(Double)
  /// Multiply-adds. Each element of a tile takes `depth` of them between its load and its store.
  case product(depth: Int)
  /// Products for Winograd's transforms: 16 instead of 36, and the transforms.
  case transformed
  /// Multiply-adds whose operands are read for few of them.
  case depthwise
  /// Exponential functions beside arithmetic.
  case functions
  /// Copies that rearrange.
  case packing
}

/// Rates of one core.
struct MachineRates: Sendable {
  /// Operations per second of a product of matrices in the cache.
  let product: Double
  /// Bytes per second read and written, with operands that no cache of a core holds.
  let memory: Double
  /// Instructions of the vector machine for single elements per second, in the L1 cache.
  let interpreted: Double

  /// The time that a kernel should take, in seconds.
  func seconds(_ cost: Cost) -> Double {
    let streaming = cost.bytes / memory
    switch cost.work {
    case .stream: return max(streaming, cost.flops / product)
    case .interpreted(let steps): return steps / interpreted + streaming
    case .product(let depth):
      return max(cost.flops / product * (1 + Self.tileCost / Double(max(depth, 1))), streaming)
    case .transformed: return max(cost.flops / (1.2 * product), streaming)
    case .depthwise: return cost.flops / (0.25 * product) + streaming
    case .functions: return max(cost.flops / (0.4 * product), streaming)
    case .packing: return 2.5 * streaming
    }
  }

  /// Loading and storing an element of a tile costs as much as so many multiply-adds.
  private static let tileCost = 20.0

  private static let known = Mutex<[InstructionSet: MachineRates]>([:])

  /// The rates of this machine, measured at the first call, which takes about 20 ms.
  static func measured(_ isa: InstructionSet) -> MachineRates {
    known.withLock { known in
      if let rates = known[isa] { return rates }
      let rates = measure(isa)
      known[isa] = rates
      return rates
    }
  }

  private static func measure(_ isa: InstructionSet) -> MachineRates {
    let side = 192
    let count = 4 << 20
    let x = [Float](repeating: 1, count: count)
    var y = [Float](repeating: 0, count: count)
    let bytes = isa.kernels.sgemm_scratch_bytes?(side, side, side) ?? 0
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 1 << 16), alignment: 64)
    defer { scratch.deallocate() }
    let product = fastest(5) {
      isa.kernels.sgemm?(side, side, side, x, side, 1, x, side, 1, &y, side, false, nil, scratch)
    }
    let memory = fastest(3) { isa.kernels.channel_scale?(x, nil, x, x, x, &y, nil, count / 64, 64, false, 0) }
    let block = 1 << 13
    let code = LoopCode.sample(count: block, isa: isa)
    let interpreted = y.withUnsafeMutableBytes { bytes in
      fastest(5) { code.run(over: bytes, scratch: scratch) }
    }
    return MachineRates(
      product: 2 * Double(side * side * side) / product, memory: Double(8 * count) / memory,
      interpreted: Double(code.code.count * block) / interpreted)
  }

  private static func fastest(_ times: Int, _ body: () -> Void) -> Double {
    let clock = ContinuousClock()
    let best = (0..<times).map { _ in clock.measure(body) }.min() ?? .zero
    return max(Double(best.components.attoseconds) * 1e-18 + Double(best.components.seconds), 1e-9)
  }
}

extension LoopCode {
  /// A loop of ordinary arithmetic.
  fileprivate static func sample(count: Int, isa: InstructionSet) -> FusedLoop {
    var code = LoopCode()
    let (x, _) = code.load(View(root: 0, type: TensorType(.float32, [count])))
    var y = x
    for _ in 0..<4 { y = code.emit(accOpMulF, code.emit(accOpAddF, y, x), x) }
    code.store(y, to: 0, .float32)
    return code.kernel(count: count, isa: isa)
  }
}

extension FusedLoop {
  /// Runs a loop with one value.
  fileprivate func run(over bytes: UnsafeMutableRawBufferPointer, scratch: UnsafeMutableRawPointer) {
    guard let address = bytes.baseAddress else { return }
    withUnsafePointer(to: address) { run(0..<1, of: 1, Memory(table: $0), scratch: scratch) }
  }
}
