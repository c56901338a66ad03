// Writes programs for the vector machine: from operations and element types to its instructions, then from one register
// per result to as few as are live at a time.

import AccelerandoCore
import CKernels

/// The code of a fused loop while it is being written. Registers are virtual until `kernel` is called.
struct LoopCode {
  var instructions: [AccVMInst] = []
  private(set) var accesses: [AccVMAccess] = []
  private(set) var pointers: [Int] = []
  private var loaded: [View: Int] = [:]
  private var constants: [Constant32: Int] = [:]
  private var nextRegister = 0

  private struct Constant32: Hashable {
    let bits: UInt32
  }

  /// How a register holds elements of a type.
  enum Lane {
    case float, signed, unsigned, mask

    init(_ dtype: DType) {
      switch dtype {
      case .bool: self = .mask
      case .int8, .int32, .int64: self = .signed
      case .uint8, .uint32: self = .unsigned
      default: self = .float
      }
    }
  }

  static func accType(_ dtype: DType) -> AccType {
    switch dtype {
    case .bool: accTypeBool
    case .int8: accTypeI8
    case .uint8: accTypeU8
    case .int32: accTypeI32
    case .uint32: accTypeU32
    case .float16: accTypeF16
    case .bfloat16: accTypeBF16
    default: accTypeF32
    }
  }

  // MARK: Writing

  /// Adds an instruction; missing operands are -1.
  mutating func emit(
    _ op: AccOp, _ a: Int = -1, _ b: Int = -1, _ c: Int = -1, bits: UInt32 = 0
  ) -> Int {
    var instruction = AccVMInst()
    instruction.op = UInt16(op.rawValue)
    // Virtual register numbers are kept separately; the fields are too narrow for them.
    virtual.append((nextRegister, a, b, c))
    instruction.imm.u = bits
    instructions.append(instruction)
    nextRegister += 1
    return nextRegister - 1
  }

  /// The accesses of the vectors of instructions that scale and shift.
  private var affine: [Int: (mean: Int, factor: Int, offset: Int)] = [:]
  /// The virtual registers of each instruction; its result has its own index.
  private(set) var virtual: [(dst: Int, a: Int, b: Int, c: Int)] = []

  mutating func constant(bits: UInt32) -> Int {
    if let register = constants[Constant32(bits: bits)] { return register }
    let register = emit(accOpConst, bits: bits)
    constants[Constant32(bits: bits)] = register
    return register
  }

  mutating func constant(_ value: NDArray) -> Int {
    switch Lane(value.dtype) {
    case .float: constant(bits: (value.elements(as: Float.self).first ?? 0).bitPattern)
    case .mask: constant(bits: value.elements(as: Bool.self).first == true ? .max : 0)
    case .signed: constant(bits: UInt32(bitPattern: value.elements(as: Int32.self).first ?? 0))
    case .unsigned: constant(bits: value.elements(as: UInt32.self).first ?? 0)
    }
  }

  private mutating func access(_ value: Int, _ dtype: DType) -> AccVMAccess {
    var access = AccVMAccess()
    if !pointers.contains(value) { pointers.append(value) }
    access.pointer = UInt16(pointers.firstIndex(of: value) ?? 0)
    access.type = UInt8(Self.accType(dtype).rawValue)
    access.count = 1
    access.period = 1
    return access
  }

  /// Loads through a view; returns whether element i of the loop is element i of the memory.
  mutating func load(_ view: View) -> (register: Int, isContiguous: Bool) {
    var access = access(view.root, view.type.dtype)
    access.offset = view.offset
    let axes = view.collapsed()
    var address = accAddressStrided
    switch axes.count {
    case 0: address = accAddressScalar
    case 1 where axes[0].stride == 1: address = accAddressContiguous
    case 1 where axes[0].stride == 0: address = accAddressScalar
    case 2 where axes[0].stride == 0 && axes[1].stride == 1:
      address = accAddressPeriodic
      access.period = axes[1].size
    case 2 where axes[0].stride == 1 && axes[1].stride == 0:
      address = accAddressRepeat
      access.count = axes[1].size
    case 3 where axes[0].stride == 0 && axes[1].stride == 1 && axes[2].stride == 0:
      address = accAddressRepeatPeriodic
      access.count = axes[2].size
      access.period = axes[1].size
    default: break
    }
    access.address = UInt8(address.rawValue)
    if address == accAddressStrided {
      access.rank = Int32(axes.count)
      withUnsafeMutableBytes(of: &access.size) { sizes in
        for (index, axis) in axes.enumerated() { sizes.bindMemory(to: Int.self)[index] = axis.size }
      }
      withUnsafeMutableBytes(of: &access.stride) { strides in
        for (index, axis) in axes.enumerated() { strides.bindMemory(to: Int.self)[index] = axis.stride }
      }
    }
    let isContiguous =
      address == accAddressContiguous && view.offset == 0 || view.type.elementCount <= 1 && view.offset == 0
    if let register = loaded[view] { return (register, isContiguous) }
    accesses.append(access)
    let register = emit(accOpLoad, accesses.count - 1)
    loaded[view] = register
    return (register, isContiguous)
  }

  mutating func store(_ register: Int, to value: Int, _ dtype: DType) {
    var access = access(value, dtype)
    access.address = UInt8(accAddressContiguous.rawValue)
    accesses.append(access)
    _ = emit(accOpStore, accesses.count - 1, register)
  }

  mutating func iota(_ type: TensorType, axis: Int) -> Int {
    var access = AccVMAccess()
    access.count = type.shape[(axis + 1)...].reduce(1, *)
    access.period = type.shape[axis]
    accesses.append(access)
    let index = emit(accOpIota, accesses.count - 1)
    return convert(index, from: .int32, to: type.dtype)
  }

  // MARK: Registers

  /// The finished kernel: loop-invariant instructions first, then the rest. Registers are reused after the last
  /// instruction that reads them; those with loop-invariant values are kept.
  func kernel(count: Int, isa: InstructionSet) -> FusedLoop {
    let isInvariant = invariants(count: count)
    let isLive = living()
    let order =
      instructions.indices.filter { isInvariant[$0] && isLive[$0] }
      + instructions.indices.filter { !isInvariant[$0] && isLive[$0] }
    var lastUse = [Int](repeating: -1, count: nextRegister)
    for (position, index) in order.enumerated() {
      for operand in operands(index) {
        lastUse[operand] = isInvariant[operand] && !isInvariant[index] ? .max : max(lastUse[operand], position)
      }
    }
    var physical = [Int](repeating: 0, count: nextRegister)
    var free: [Int] = []
    var registers = 0
    var code: [AccVMInst] = []
    for (position, index) in order.enumerated() {
      var instruction = instructions[index]
      let names = virtual[index]
      func register(_ name: Int) -> UInt16 { name < 0 ? 0 : UInt16(truncatingIfNeeded: physical[name]) }
      instruction.a =
        Self.namesAccess(instruction.op) ? UInt16(truncatingIfNeeded: names.a) : register(names.a)
      instruction.b = register(names.b)
      instruction.c = register(names.c)
      if let vectors = affine[index] {
        instruction.b = UInt16(truncatingIfNeeded: vectors.mean)
        instruction.c = UInt16(truncatingIfNeeded: vectors.factor)
        instruction.d = UInt16(truncatingIfNeeded: vectors.offset)
      }
      for operand in Set(operands(index)) where lastUse[operand] == position { free.append(physical[operand]) }
      if instruction.op != UInt16(accOpStore.rawValue) {
        if let reused = free.popLast() {
          physical[names.dst] = reused
        } else {
          physical[names.dst] = registers
          registers += 1
        }
        instruction.dst = register(names.dst)
        if lastUse[names.dst] < 0 { free.append(physical[names.dst]) }
      }
      code.append(instruction)
    }
    return FusedLoop(
      code: code, accesses: accesses, pointers: pointers, registers: max(registers, 1),
      invariants: instructions.indices.count { isInvariant[$0] && isLive[$0] }, count: count, isa: isa)
  }

  /// Turns (x − mean) · factor + offset with vectors that repeat into one instruction, where nothing else needs its parts.
  mutating func joinAffine() {
    var uses = [Int](repeating: 0, count: nextRegister)
    for index in instructions.indices { for operand in operands(index) { uses[operand] += 1 } }
    for index in instructions.indices {
      guard let parts = affineParts(index), parts.inner.allSatisfy({ uses[$0] == 1 }) else { continue }
      instructions[index].op = UInt16(accOpAffineF.rawValue)
      virtual[index] = (index, parts.source, -1, -1)
      affine[index] = parts.vectors
    }
  }

  /// Which instructions store something, or compute what others need.
  private func living() -> [Bool] {
    var result = instructions.map { $0.op == UInt16(accOpStore.rawValue) }
    for index in instructions.indices.reversed() where result[index] {
      for operand in operands(index) { result[operand] = true }
    }
    return result
  }

  /// Which instructions are loop-invariant: constants, loads from one position or with a period that divides a block,
  /// and what is computed from these alone.
  private func invariants(count: Int) -> [Bool] {
    let none = [Bool](repeating: false, count: instructions.count)
    guard count > Int(accVMBlock) else { return none }
    for keepsConstants in [true, false] {
      var result = none
      for index in instructions.indices {
        switch instructions[index].op {
        case UInt16(accOpStore.rawValue), UInt16(accOpIota.rawValue), UInt16(accOpAffineF.rawValue): break
        case UInt16(accOpConst.rawValue): result[index] = keepsConstants
        case UInt16(accOpLoad.rawValue):
          let access = accesses[virtual[index].a]
          let address = AccAddress(rawValue: UInt32(access.address))
          result[index] =
            address == accAddressScalar
            || address == accAddressPeriodic && Int(accVMBlock) % max(access.period, 1) == 0
        default: result[index] = operands(index).allSatisfy { result[$0] }
        }
      }
      // With more invariant blocks than this there is no room in the L1 cache for the others.
      var kept: Set<Int> = []
      for index in instructions.indices where !result[index] { kept.formUnion(operands(index).filter { result[$0] }) }
      if kept.count <= 10 { return result }
    }
    return none
  }

  /// The registers that an instruction reads. An instruction's result has its index, since each has one.
  private func operands(_ index: Int) -> [Int] { Self.registerOperands(instructions[index].op, virtual[index]) }

  /// Whether the first operand is the index of an access, not a register.
  private static func namesAccess(_ op: UInt16) -> Bool {
    [accOpLoad, accOpStore, accOpIota].contains { UInt16($0.rawValue) == op }
  }

  private static func registerOperands(_ op: UInt16, _ names: (dst: Int, a: Int, b: Int, c: Int)) -> [Int] {
    ((namesAccess(op) ? [] : [names.a]) + [names.b, names.c]).filter { $0 >= 0 }
  }
}
