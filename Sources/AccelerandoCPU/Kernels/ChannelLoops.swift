// Fused loops that batch normalization is made of, as kernels: a few passes over rows of channels with a vector for each
// parameter run three to four times as fast as the vector machine. They are recognized in the finished code of a loop,
// so that it does not matter which layers wrote it.

import AccelerandoCore
import CKernels

/// A vector with one element for each channel, somewhere in a value.
struct ChannelVector: Sendable {
  let value: Int
  let offset: Int

  func pointer(_ memory: Memory) -> UnsafeMutablePointer<Float> { memory.elements(value, Float.self) + offset }
}

/// (x − mean) · factor + offset, plus a residual, rectified, with a mask of where the gradient passes: as far as wanted.
struct ChannelScale: Kernel {
  let source: Int
  let residual: Int?
  let mean: ChannelVector
  let factor: ChannelVector
  let offset: ChannelVector
  let result: Int
  let mask: Int?
  /// The upper limit of the rectified result; nil if it is not rectified.
  let limit: Float?
  let rows: Int
  let channels: Int
  let isa: InstructionSet

  var label: String {
    "normalize [\(rows), \(channels)]" + (residual == nil ? "" : " + residual") + (limit == nil ? "" : " + relu")
  }

  var cost: Cost {
    let bytes = 8 + (residual == nil ? 0 : 4) + (mask == nil ? 0 : 1)
    return Cost(flops: 4 * Double(rows * channels), bytes: Double(bytes * rows * channels))
  }

  func taskCount(threads: Int) -> Int { elementTasks(rows * channels, threads) }

  func slicings(_ units: Units) -> [Slicing] {
    channelSlicing(units, rows, [source] + (residual.map { [$0] } ?? []), [mean, factor, offset], channels)
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: rows)
    let start = part.lowerBound * channels
    isa.kernels.channel_scale?(
      memory.elements(source, Float.self) + start,
      residual.map { UnsafePointer(memory.elements($0, Float.self) + start) },
      mean.pointer(memory), factor.pointer(memory), offset.pointer(memory), memory.elements(result, Float.self) + start,
      mask.map { memory.elements($0, UInt8.self) + start }, part.count, channels, limit != nil, limit ?? 0)
  }
}

/// g · factor + (x − mean) · slope + constant; where a mask is false, g counts as 0.
struct ChannelGradient: Kernel {
  let gradient: Int
  let mask: Int?
  let source: Int
  let mean: ChannelVector
  let factor: ChannelVector
  let slope: ChannelVector
  let constant: ChannelVector
  let result: Int
  let rows: Int
  let channels: Int
  let isa: InstructionSet

  var label: String { "normalization gradient [\(rows), \(channels)]" + (mask == nil ? "" : ", masked") }

  var cost: Cost {
    Cost(flops: 5 * Double(rows * channels), bytes: (mask == nil ? 12 : 13) * Double(rows * channels))
  }

  func taskCount(threads: Int) -> Int { elementTasks(rows * channels, threads) }

  func slicings(_ units: Units) -> [Slicing] {
    channelSlicing(
      units, rows, [gradient, source] + (mask.map { [$0] } ?? []), [mean, factor, slope, constant], channels)
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: rows)
    let start = part.lowerBound * channels
    isa.kernels.channel_gradient?(
      memory.elements(gradient, Float.self) + start,
      mask.map { UnsafePointer(memory.elements($0, UInt8.self) + start) },
      memory.elements(source, Float.self) + start, mean.pointer(memory), factor.pointer(memory), slope.pointer(memory),
      constant.pointer(memory), memory.elements(result, Float.self) + start, part.count, channels)
  }
}

extension Kernel {
  fileprivate func elementTasks(_ count: Int, _ threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: count, threads: threads, minimumPerTask: 16_000)
  }

  /// Rows are split evenly; values may be the beginning of larger ones, which units must divide as well.
  fileprivate func channelSlicing(
    _ units: Units, _ rows: Int, _ values: [Int], _ vectors: [ChannelVector], _ channels: Int
  ) -> [Slicing] {
    guard units.divide(rows) else { return [] }
    let operands = values.map { value in
      // The width of an element does not matter where elements follow each other: a mask has bytes.
      (value, units.byteCounts[value] % (rows * channels) == 0 && units.byteCounts[value] / (rows * channels) <= 4)
    }
    return sliced(units, operands: operands + vectors.map { ($0.value, false) })
  }
}

extension LoopCode {
  /// Fewer channels than this are as fast on the vector machine.
  private static let fewestChannels = 8

  /// A kernel that does what the loop does, if there is one.
  func channelKernel(count: Int, isa: InstructionSet) -> (any Kernel)? {
    var stores = instructions.indices.filter { instructions[$0].op == UInt16(accOpStore.rawValue) }
    guard (1...2).contains(stores.count),
      let wide = stores.firstIndex(where: { storeType($0) == accTypeF32 })
    else { return nil }
    let result = stores.remove(at: wide)
    if stores.isEmpty, let gradient = gradientKernel(of: result, count: count, isa: isa) { return gradient }
    return scaleKernel(of: result, mask: stores.first, count: count, isa: isa)
  }

  private func scaleKernel(of store: Int, mask: Int?, count: Int, isa: InstructionSet) -> ChannelScale? {
    let stored = virtual[store].b
    var (value, limit): (Int, Float?) = (stored, nil)
    if let bounded = immediate(accOpMinImmF, value), let rectified = immediate(accOpMaxImmF, bounded.operand) {
      guard rectified.number == 0, bounded.number > 0 else { return nil }
      (value, limit) = (rectified.operand, bounded.number)
    } else if let rectified = immediate(accOpMaxImmF, value) {
      guard rectified.number == 0 else { return nil }
      (value, limit) = (rectified.operand, .infinity)
    }
    if let mask {
      guard let limit, storeType(mask) == accTypeBool, passes(virtual[mask].b, stored, limit) else { return nil }
    }
    for (scaled, residual) in [(value, nil)] + pairs(accOpAddF, value).map({ ($0.0, Optional($0.1)) }) {
      guard let parts = affine(scaled), residual.map({ elements($0, accTypeF32) != nil }) ?? true,
        let rows = rows(count, parts.mean, parts.factor, parts.offset)
      else { continue }
      return ChannelScale(
        source: parts.source, residual: residual.flatMap { elements($0, accTypeF32) }, mean: parts.mean.vector,
        factor: parts.factor.vector, offset: parts.offset.vector, result: target(store), mask: mask.map(target),
        limit: limit, rows: rows, channels: parts.mean.period, isa: isa)
    }
    return nil
  }

  private func gradientKernel(of store: Int, count: Int, isa: InstructionSet) -> ChannelGradient? {
    for (scaled, constant) in pairs(accOpAddF, virtual[store].b) {
      guard let constant = vector(constant) else { continue }
      for (first, second) in pairs(accOpAddF, scaled) {
        guard let (gradient, mask, factor) = maskedProduct(first), let (source, mean, slope) = centeredProduct(second),
          let rows = rows(count, mean, factor, slope, constant)
        else { continue }
        return ChannelGradient(
          gradient: gradient, mask: mask, source: source, mean: mean.vector, factor: factor.vector,
          slope: slope.vector, constant: constant.vector, result: target(store), rows: rows, channels: mean.period,
          isa: isa)
      }
    }
    return nil
  }

  // MARK: Parts of formulas

  private typealias Periodic = (vector: ChannelVector, period: Int)

  /// (x − mean) · factor + offset.
  private func affine(_ name: Int) -> (source: Int, mean: Periodic, factor: Periodic, offset: Periodic)? {
    for (product, offset) in pairs(accOpAddF, name) {
      if let offset = vector(offset), let (source, mean, factor) = centeredProduct(product) {
        return (source, mean, factor, offset)
      }
    }
    return nil
  }

  /// (x − mean) · factor.
  private func centeredProduct(_ name: Int) -> (source: Int, mean: Periodic, factor: Periodic)? {
    for (difference, factor) in pairs(accOpMulF, name) {
      guard isOperation(accOpSubF, difference), let factor = vector(factor) else { continue }
      if let source = elements(virtual[difference].a, accTypeF32), let mean = vector(virtual[difference].b) {
        return (source, mean, factor)
      }
    }
    return nil
  }

  /// g · factor, where g may be 0 outside a mask.
  private func maskedProduct(_ name: Int) -> (gradient: Int, mask: Int?, factor: Periodic)? {
    for (value, factor) in pairs(accOpMulF, name) {
      guard let factor = vector(factor) else { continue }
      if let gradient = elements(value, accTypeF32) { return (gradient, nil, factor) }
      guard isOperation(accOpSelect, value), number(virtual[value].c) == 0 else { continue }
      if let mask = elements(virtual[value].a, accTypeBool), let gradient = elements(virtual[value].b, accTypeF32) {
        return (gradient, mask, factor)
      }
    }
    return nil
  }

  /// Whether a mask says where a rectified result lies between 0 and its limit.
  private func passes(_ mask: Int, _ result: Int, _ limit: Float) -> Bool {
    func isPositive(_ name: Int) -> Bool {
      isOperation(accOpGtF, name) && virtual[name].a == result && number(virtual[name].b) == 0
    }
    if limit == .infinity { return isPositive(mask) }
    return pairs(accOpAnd, mask).contains { positive, below in
      isPositive(positive) && isOperation(accOpLtF, below) && virtual[below].a == result
        && number(virtual[below].b) == limit
    }
  }

  /// The parts of (x − mean) · factor + offset, as names of registers, and the accesses of the vectors.
  func affineParts(_ name: Int) -> (source: Int, inner: [Int], vectors: (mean: Int, factor: Int, offset: Int))? {
    for (product, offset) in pairs(accOpAddF, name) {
      for (difference, factor) in pairs(accOpMulF, product) where isOperation(accOpSubF, difference) {
        let (source, mean) = (virtual[difference].a, virtual[difference].b)
        let periods = [mean, factor, offset].map { vector($0)?.period }
        guard let period = periods[0], period >= Self.fewestChannels, periods.allSatisfy({ $0 == period }),
          vector(source) == nil
        else { continue }
        return (source, [product, difference], (virtual[mean].a, virtual[factor].a, virtual[offset].a))
      }
    }
    return nil
  }

  // MARK: Instructions

  private func isOperation(_ op: AccOp, _ name: Int) -> Bool { instructions[name].op == UInt16(op.rawValue) }

  /// The operands of a commutative operation, in both orders.
  private func pairs(_ op: AccOp, _ name: Int) -> [(Int, Int)] {
    guard isOperation(op, name) else { return [] }
    return [(virtual[name].a, virtual[name].b), (virtual[name].b, virtual[name].a)]
  }

  private func immediate(_ op: AccOp, _ name: Int) -> (operand: Int, number: Float)? {
    isOperation(op, name) ? (virtual[name].a, instructions[name].imm.f) : nil
  }

  private func number(_ name: Int) -> Float? { isOperation(accOpConst, name) ? instructions[name].imm.f : nil }

  /// The value whose element i is element i of the loop.
  private func elements(_ name: Int, _ type: AccType) -> Int? {
    guard isOperation(accOpLoad, name) else { return nil }
    let access = accesses[virtual[name].a]
    guard access.address == UInt8(accAddressContiguous.rawValue), access.offset == 0,
      access.type == UInt8(type.rawValue)
    else { return nil }
    return pointers[Int(access.pointer)]
  }

  private func vector(_ name: Int) -> Periodic? {
    guard isOperation(accOpLoad, name) else { return nil }
    let access = accesses[virtual[name].a]
    guard access.address == UInt8(accAddressPeriodic.rawValue), access.type == UInt8(accTypeF32.rawValue) else {
      return nil
    }
    return (ChannelVector(value: pointers[Int(access.pointer)], offset: access.offset), access.period)
  }

  private func storeType(_ index: Int) -> AccType { AccType(rawValue: UInt32(accesses[virtual[index].a].type)) }

  private func target(_ store: Int) -> Int { pointers[Int(accesses[virtual[store].a].pointer)] }

  /// The number of rows, if all vectors have the same length.
  private func rows(_ count: Int, _ vectors: Periodic...) -> Int? {
    guard let period = vectors.first?.period, vectors.allSatisfy({ $0.period == period }),
      period >= Self.fewestChannels, count % period == 0
    else { return nil }
    return count / period
  }
}
