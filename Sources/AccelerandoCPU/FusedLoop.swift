// The kernel of a fused loop: a short program for the vector machine in CKernels.

import AccelerandoCore
import CKernels

/// Runs a fused elementwise loop.
struct FusedLoop: Kernel {
  let code: [AccVMInst]
  let accesses: [AccVMAccess]
  /// The value of each pointer index in the accesses.
  let pointers: [Int]
  let registers: Int
  /// The number of instructions at the beginning that run only once.
  let invariants: Int
  let count: Int
  let isa: InstructionSet

  var label: String { "loop of \(count) elements, \(code.count) instructions, \(pointers.count) operands" }

  func taskCount(threads: Int) -> Int {
    // An instruction takes about 0.05 ns per element; waking the team costs about half a microsecond.
    AccelerandoCPU.taskCount(work: count * max(operations, 4), threads: threads, minimumPerTask: 40_000)
  }

  var cost: Cost {
    Cost(
      flops: Double(count * operations), bytes: accesses.reduce(0) { $0 + Self.bytes($1, count) },
      work: .interpreted(Double(count * (operations + 10 * code.count { Self.functions.contains($0.op) }))))
  }

  /// Arithmetic operations on an element. Random bits are one instruction, with three operations for each of 20 rounds.
  private var operations: Int {
    let ciphers = [accOpThreefryFirst, accOpThreefrySecond, accOpThreefryXor].map { UInt16($0.rawValue) }
    return code.count + 60 * code.count { ciphers.contains($0.op) }
  }

  /// Operations that take about as long as ten others.
  private static let functions = Set(
    [
      accOpPowF, accOpRemF, accOpAtan2F, accOpExpF, accOpExpm1F, accOpLogF, accOpLog1pF, accOpCbrtF, accOpTanhF,
      accOpLogisticF, accOpSinF, accOpCosF, accOpTanF, accOpErfF,
    ].map { UInt16($0.rawValue) })

  private static func width(_ access: AccVMAccess) -> Int {
    switch AccType(rawValue: UInt32(access.type)) {
    case accTypeBool, accTypeI8, accTypeU8: 1
    case accTypeF16, accTypeBF16: 2
    default: 4
    }
  }

  private static func bytes(_ access: AccVMAccess, _ count: Int) -> Double {
    switch AccAddress(rawValue: UInt32(access.address)) {
    case accAddressScalar, accAddressPeriodic, accAddressRepeatPeriodic: 0
    case accAddressRepeat: Double(width(access) * count / max(access.count, 1))
    default: Double(width(access) * count)
    }
  }

  /// The axes that an access iterates over, outermost first.
  private func axes(_ access: AccVMAccess) -> [(size: Int, stride: Int)] {
    switch AccAddress(rawValue: UInt32(access.address)) {
    case accAddressContiguous: return [(count, 1)]
    case accAddressScalar: return [(count, 0)]
    case accAddressPeriodic: return [(count / access.period, 0), (access.period, 1)]
    case accAddressRepeat: return [(count / access.count, 1), (access.count, 0)]
    case accAddressRepeatPeriodic:
      return [(count / (access.count * access.period), 0), (access.period, 1), (access.count, 0)]
    default:
      var access = access
      let rank = Int(access.rank)
      return withUnsafeBytes(of: &access.size) { sizes in
        withUnsafeBytes(of: &access.stride) { strides in
          (0..<rank).map { (sizes.bindMemory(to: Int.self)[$0], strides.bindMemory(to: Int.self)[$0]) }
        }
      }
    }
  }

  func slicings(_ units: Units) -> [Slicing] {
    guard count > 0, units.divide(count) else { return [] }
    var operands: [(value: Int, isAligned: Bool)] = []
    for instruction in code where instruction.op == UInt16(accOpLoad.rawValue) {
      let access = accesses[Int(instruction.a)]
      let value = pointers[Int(access.pointer)]
      let isAligned = units.divide(
        value, axes: axes(access), offset: access.offset, width: Self.width(access))
      operands.append((value, isAligned))
    }
    for instruction in code where instruction.op == UInt16(accOpAffineF.rawValue) {
      for access in [instruction.b, instruction.c, instruction.d] {
        operands.append((pointers[Int(accesses[Int(access)].pointer)], false))
      }
    }
    return sliced(units, operands: operands)
  }

  private var pointerBytes: Int { (pointers.count * MemoryLayout<UnsafeMutableRawPointer>.stride + 63) / 64 * 64 }

  var scratchBytes: Int {
    withMachine { program in pointerBytes + (isa.kernels.vm_scratch_bytes?(program) ?? 0) }
  }

  private func withMachine<Result>(_ body: (UnsafePointer<AccVM>) -> Result) -> Result {
    code.withUnsafeBufferPointer { code in
      accesses.withUnsafeBufferPointer { accesses in
        var program = AccVM(
          code: code.baseAddress, code_count: code.count, accesses: accesses.baseAddress,
          access_count: accesses.count, register_count: registers, invariant_count: invariants)
        return withUnsafePointer(to: &program, body)
      }
    }
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: count, grain: 512)
    if part.isEmpty { return }
    let table = scratch.assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
    for (index, value) in pointers.enumerated() { table[index] = memory[value] }
    withMachine { program in
      isa.kernels.vm_run?(program, table, part.lowerBound, part.upperBound, scratch + pointerBytes)
    }
  }
}
