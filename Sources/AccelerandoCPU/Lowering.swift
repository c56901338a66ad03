// From a program to steps. Instructions are lowered in order; those that only rearrange elements become views,
// elementwise ones are collected in fused loops, the rest become kernels. Memory is assigned afterwards, by Placement.

import AccelerandoCore
import CKernels

/// Builds the steps of a plan from a program, one instruction at a time.
final class Lowering {
  /// One step.
  enum Step {
    case kernel(any Kernel)
    case loop(Plan.Loop)
    case branch(Plan.Branch)
  }

  /// A step together with the values that it touches.
  struct Draft {
    var step: Step?
    var loop: LoopGroup?
    var reads: [Int] = []
    var writes: [Int] = []
    /// Values that are written only at the index that was just read: an output may reuse their memory.
    var inPlace: Set<Int> = []
    /// The layers that it belongs to.
    var path: [String] = []
  }

  let program: Program
  let isa: InstructionSet
  let frozenInputs: Set<Int>
  /// Whether several threads share the work, or one does everything.
  let isShared: Bool
  /// The view through which each value is read; nil until it is computed.
  private(set) var views: [View?]
  /// Bytes of each value in memory: the program's values, then temporaries.
  private(set) var byteCounts: [Int]
  private(set) var drafts: [Draft] = []
  private(set) var constants: [Int: NDArray] = [:]
  /// The step that writes a value; -1 for inputs and constants.
  private(set) var producedAt: [Int: Int] = [:]
  /// The instructions that read each value.
  let users: [[Int]]
  /// The instruction that computes each value; nil for inputs.
  let producers: [Int?]
  /// Whether each value of the program depends on frozen inputs alone.
  private let isFrozen: [Bool]
  /// Instructions that an earlier kernel computes too.
  private var absorbed: Set<Int> = []
  private var materialized: [View: Int] = [:]
  /// The argmax indices of poolings.
  var poolIndices: [PoolSource: Int] = [:]
  /// The layers of the current instruction.
  private var path: [String] = []
  /// Elementwise instructions that wait until something needs them, to run in the same loop.
  private var waiting: [Int: Program.Instruction] = [:]

  /// - Parameter frozenInputs: inputs whose values do not change; what depends on them alone is computed once.
  init(_ program: Program, isa: InstructionSet, frozenInputs: Set<Int>, isShared: Bool) {
    self.program = program
    self.isa = isa
    self.isShared = isShared
    self.frozenInputs = frozenInputs
    isFrozen = program.dependsOnFrozenAlone(frozenInputs)
    views = [View?](repeating: nil, count: program.types.count)
    byteCounts = program.types.map(\.byteCount)
    var users = [[Int]](repeating: [], count: program.types.count)
    for (index, instruction) in program.instructions.enumerated() {
      for operand in Set(instruction.operands) { users[operand].append(index) }
    }
    self.users = users
    var producers = [Int?](repeating: nil, count: program.types.count)
    for (index, instruction) in program.instructions.enumerated() {
      for result in instruction.results { producers[result] = index }
    }
    self.producers = producers
    for input in program.inputs.indices {
      views[input] = View(root: input, type: program.types[input])
      producedAt[input] = -1
    }
  }

  /// Lowers the whole program.
  func run() throws {
    for index in program.instructions.indices where !absorbed.contains(index) {
      let instruction = program.instructions[index]
      path = instruction.path
      do {
        try lower(instruction, at: index)
      } catch let error as GraphError {
        throw GraphError(error.message, path: instruction.path + [instruction.operation.name])
      }
    }
    for output in program.outputs { _ = contiguous(output) }
    for index in drafts.indices {
      guard let group = drafts[index].loop else { continue }
      let (kernel, reads, writes, inPlace) = group.finish(in: self)
      drafts[index].step = .kernel(kernel)
      drafts[index].reads = reads
      drafts[index].writes = writes
      drafts[index].inPlace = inPlace
    }
  }

  // MARK: Values

  /// The view through which a value is read.
  func view(_ value: Int) -> View {
    views[value] ?? View(root: value, type: program.types[value])
  }

  func type(_ value: Int) -> TensorType { program.types[value] }

  /// Defines a value as a view of another value's memory.
  func define(_ value: Int, as view: View) { views[value] = view }

  /// Memory for something that is not a value of the program.
  func temporary(_ byteCount: Int) -> Int {
    byteCounts.append(byteCount)
    return byteCounts.count - 1
  }

  /// Adds a kernel that writes `values` of the program and perhaps temporaries.
  func add(_ kernel: any Kernel, reads: [Int], writes: [Int], inPlace: Set<Int> = []) {
    append(Draft(step: .kernel(kernel), reads: reads, writes: writes, inPlace: inPlace, path: path))
  }

  func append(_ draft: Draft) {
    drafts.append(draft)
    for value in draft.writes { wrote(value, at: drafts.count - 1) }
  }

  /// Records that step `step` writes a value.
  func wrote(_ value: Int, at step: Int) {
    producedAt[value] = step
    if value < program.types.count, views[value] == nil {
      views[value] = View(root: value, type: program.types[value])
    }
  }

  /// Makes `value` a constant of the plan.
  func define(_ value: Int, constant: NDArray) {
    constants[value] = constant
    producedAt[value] = -1
    views[value] = View(root: value, type: program.types[value])
  }

  /// Whether the value is in memory, or a step computes it that can store it.
  func isStored(_ value: Int) -> Bool { producedAt[value] != nil && waiting[value] == nil }

  /// Whether the value is already computed, or can be.
  func isAvailable(_ value: Int) -> Bool {
    guard let view = views[value] else { return false }
    return producedAt[view.root] != nil || waiting[view.root] != nil
  }

  /// The index of a value with the same elements in row-major order from the start, a copy if need be.
  func contiguous(_ value: Int) -> Int {
    contiguous(view(value))
  }

  /// As above, for a view.
  func contiguous(_ view: View) -> Int {
    finishLoop(computing: view.root)
    return view.isContiguous ? view.root : copied(view)
  }

  /// A row-major copy of a view's elements, made once.
  private func copied(_ view: View) -> Int {
    if let known = materialized[view] { return known }
    finishLoop(computing: view.root)
    let copy = temporary(view.type.byteCount)
    add(
      CopyKernel(view: view, to: copy), reads: [view.root], writes: [copy])
    materialized[view] = copy
    return copy
  }

  /// Makes the loop that computes a value store it, since others read it from memory.
  func finishLoop(computing value: Int) {
    place(value)
    guard let step = producedAt[value], step >= 0, drafts[step].loop != nil else { return }
    drafts[step].loop?.store(value)
  }

  /// Marks an instruction as computed by the kernel of an earlier one.
  func absorb(_ instruction: Int) { absorbed.insert(instruction) }

  /// The one instruction that reads the value, if there is exactly one and the value is not an output.
  func onlyUser(of value: Int) -> Int? {
    guard users[value].count == 1, !program.outputs.contains(value) else { return nil }
    return users[value][0]
  }

  // MARK: Loops

  /// Adds an elementwise instruction to those that wait; it joins a loop when its result is needed.
  func fuse(_ instruction: Program.Instruction) {
    let result = instruction.results.lowerBound
    waiting[result] = instruction
    views[result] = View(root: result, type: type(result))
  }

  /// Puts a waiting instruction into a loop, after those that it needs.
  private func place(_ value: Int) {
    if waiting[value] == nil { return }
    let outer = firstFresh
    firstFresh = drafts.count
    defer { firstFresh = outer }
    var stack = [value]
    while let next = stack.last {
      guard let instruction = waiting[next] else {
        stack.removeLast()
        continue
      }
      let needed = instruction.operands.map { view($0).root }.filter { waiting[$0] != nil }
      if needed.isEmpty {
        stack.removeLast()
        waiting[next] = nil
        join(instruction)
      } else {
        stack += needed
      }
    }
  }

  /// Puts an instruction into a fused loop: the latest that its operands allow, or a new one.
  private func join(_ instruction: Program.Instruction) {
    let result = instruction.results.lowerBound
    let count = type(result).elementCount
    var earliest = -1
    var loads: [View] = []
    for operand in instruction.operands {
      var view = view(operand)
      if view.collapsed().count > LoopGroup.maximumAxes { view = View(root: copied(view), type: view.type) }
      loads.append(view)
      earliest = max(earliest, producedAt[view.root] ?? -1)
    }
    // The loops that compute operands come first; among them the last one is the only one that has all operands.
    var candidates: [Int] = []
    if earliest >= 0, drafts[earliest].loop != nil { candidates.append(earliest) }
    candidates += recentLoops.filter { $0 > earliest }
    for step in candidates {
      guard let loop = drafts[step].loop, loop.count == count, loop.isFrozen == isFrozen[result], !loop.isFull else {
        continue
      }
      let inside = loads.allSatisfy { view in
        guard producedAt[view.root] == step else { return true }
        return view.isContiguous
      }
      guard inside, step == earliest || step >= firstFresh || loop.sharesOperand(with: loads) else { continue }
      markLoads(loads, of: loop, besides: step)
      loop.add(instruction, loads: loads)
      wrote(result, at: step)
      return
    }
    let loop = LoopGroup(count: count, isFrozen: isFrozen[result])
    markLoads(loads, of: loop, besides: -1)
    loop.add(instruction, loads: loads)
    drafts.append(Draft(loop: loop, path: instruction.path))
    recentLoops.append(drafts.count - 1)
    wrote(result, at: drafts.count - 1)
  }

  private var recentLoops: [Int] = []
  /// Loops from here on compute parts of the value that is being placed, and are best one.
  private var firstFresh = Int.max

  /// What `select(mask, value, 0)` reads, for a kernel that applies the mask itself: if only loops and such kernels need
  /// the selection, and the value is in memory anyway.
  func maskedValue(_ selection: Int) -> (mask: Int, value: Int)? {
    guard let instruction = waiting[selection], instruction.operation is Select, !program.outputs.contains(selection),
      users[selection].allSatisfy({ user in
        let instruction = program.instructions[user]
        return instruction.operation is CenteredSums || instruction.operation is Binary
      })
    else { return nil }
    let parts = instruction.operands.map { view($0) }
    guard let zero = constants[parts[2].root], zero.elementCount == 1, zero.elements(as: Float.self).first == 0,
      parts[0].isContiguous, parts[0].type.dtype == .bool, parts[0].type.shape == type(selection).shape,
      parts[1].isContiguous, waiting[parts[1].root] == nil,
      byteCounts[parts[1].root] == type(selection).byteCount
    else { return nil }
    return (contiguous(parts[0]), contiguous(parts[1]))
  }

  private func markLoads(_ loads: [View], of loop: LoopGroup, besides step: Int) {
    for view in loads where producedAt[view.root] != step && !recompute(view, in: loop) {
      finishLoop(computing: view.root)
    }
  }

  /// Computes a value again where another loop computes it and need not store it, if that reads no more than its result would
  /// take: a sum, difference or product of a value in memory and something much smaller.
  private func recompute(_ view: View, in loop: LoopGroup) -> Bool {
    guard view.isContiguous, let step = producedAt[view.root], step >= 0, let other = drafts[step].loop,
      other.count == loop.count, other.isFrozen == loop.isFrozen, !other.stores(view.root),
      let (instruction, loads) = other.member(computing: view.root), instruction.operation is Binary
    else { return false }
    let wide = loads.filter { 16 * byteCounts[$0.root] > view.type.byteCount }
    guard wide.count == 1, wide[0].isContiguous, let source = producedAt[wide[0].root],
      source < 0 || drafts[source].loop == nil
    else { return false }
    if !loop.computes(view.root) {
      for load in loads { finishLoop(computing: load.root) }
      loop.add(instruction, loads: loads)
    }
    return true
  }
}

extension Lowering {
  /// Plans a program: expands composites without a kernel, lowers instructions, places values.
  static func plan(
    _ program: Program, isa: InstructionSet, frozenInputs: Set<Int> = [], isShared: Bool
  ) throws -> Plan {
    // Sizes below this leave room for arithmetic on them.
    if let type = program.types.first(where: { $0.with($0.shape.filter { $0 > 0 }).byteCount >= 1 << 46 }) {
      throw GraphError("a value \(type) has more bytes than any machine.")
    }
    let opened = try program.expandingComposites { hasKernel($0, $1) }
    let lowered = try opened.widened().unfoldingVolumes().simplified().foldingNormalization(frozenInputs: frozenInputs)
    let lowering = Lowering(lowered, isa: isa, frozenInputs: frozenInputs, isShared: isShared)
    try lowering.run()
    return Scheduler(lowering).plan()
  }
}
