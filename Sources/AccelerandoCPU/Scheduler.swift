// From steps in order to phases: what can run between two barriers, and which chains of kernels go depth first through
// the same units (samples of a batch, rows of a parameter) while their values are in a core's own cache.
//
// Nothing here knows a model. A kernel joins the region that computes its operands if each of its units reads only the
// same unit of them; sums over the units are computed leaf by leaf and folded in the next phase; everything else waits
// for the next phase. Whether joining pays is decided by bytes moved: see `pays`.

import AccelerandoCore

/// Forms phases and regions.
struct Scheduler {
  private let lowering: Lowering
  private var drafts: [Lowering.Draft]
  /// The drafts that must come before each one.
  private var predecessors: [[Int]] = []
  private var phases: [Phase] = []
  /// The number of phases that run once; -1 while these are being formed.
  private var setupPhases = -1
  private var phaseOf: [Int: Int] = [:]
  private var partOf: [Int: Int] = [:]
  private let batch: Int?
  /// Whether weights are packed in the first phase, which then leaves the samples to the next one: started there, they
  /// would leave the cache again.
  private var preparesFirst = false

  /// A phase under construction.
  struct Phase {
    var parts: [Part] = []
    /// A loop or a branch, which is a phase of its own.
    var control: Int?
  }

  /// A part under construction: one draft on its own, or a region of several.
  struct Part {
    /// The units of a region; nil for a kernel on its own.
    var units: Int?
    var members: [Member] = []
  }

  struct Member {
    let draft: Int
    var slicing: Slicing?
    /// Where the leaves' results are stored.
    var accumulator: Int?
  }

  init(_ lowering: Lowering) {
    self.lowering = lowering
    // Loops whose values others compute again have nothing to do.
    drafts = lowering.drafts.filter { $0.loop == nil || !$0.writes.isEmpty }
    batch = Self.batch(of: lowering)
    orderDrafts()
  }

  /// The finished plan.
  func plan() -> Plan {
    var scheduler = self
    scheduler.schedule()
    return Placement(
      scheduler.lowering, drafts: scheduler.drafts, phases: scheduler.phases, setupPhases: scheduler.setupPhases
    ).plan()
  }

  // MARK: Order

  /// Results come before their readers, and readers of state before what may overwrite it.
  private mutating func orderDrafts() {
    var writers: [Int: [Int]] = [:]
    var readers: [Int: [Int]] = [:]
    var overwritten: [Int: Int] = [:]
    for (output, input) in lowering.program.aliases {
      overwritten[lowering.contiguous(lowering.program.outputs[output])] = input
    }
    for (index, draft) in drafts.enumerated() {
      var before = Set(draft.reads.flatMap { writers[$0] ?? [] })
      for value in draft.writes {
        if let input = overwritten[value] { before.formUnion(readers[input] ?? []) }
      }
      predecessors.append(before.sorted())
      for value in draft.reads { readers[value, default: []].append(index) }
      for value in draft.writes { writers[value, default: []].append(index) }
    }
  }

  private mutating func schedule() {
    let isFixed = fixedDrafts()
    schedule(drafts.indices.filter { isFixed[$0] })
    setupPhases = phases.count
    let changing = drafts.indices.filter { phaseOf[$0] == nil }
    preparesFirst = changing.contains { draft in
      guard case .kernel(let kernel) = drafts[draft].step else { return false }
      return kernel is PackKernel
    }
    schedule(changing)
  }

  private mutating func schedule(_ drafts: [Int]) {
    var remaining = drafts
    while !remaining.isEmpty {
      phases.append(Phase())
      var later: [Int] = []
      for draft in remaining where !place(draft, folds: &later) { later.append(draft) }
      remaining = later
    }
  }

  /// Which drafts depend on constants and frozen inputs alone, and write nothing that callers see.
  private func fixedDrafts() -> [Bool] {
    let outputs = Set(lowering.program.outputs.map { lowering.contiguous($0) })
    var changing = Set(lowering.program.inputs.indices).subtracting(lowering.frozenInputs).union(outputs)
    var isFixed = [Bool](repeating: true, count: drafts.count)
    // A value may have several writers; if one of them changes, it changes.
    while true {
      let before = changing.count
      for (index, draft) in drafts.enumerated() where isFixed[index] {
        guard case .kernel = draft.step, changing.isDisjoint(with: draft.reads + draft.writes) else {
          isFixed[index] = false
          changing.formUnion(draft.writes)
          continue
        }
      }
      if changing.count == before { return isFixed }
    }
  }

  /// Adds a draft to the current phase if it can run there. Folds that it needs are added to `folds`.
  private mutating func place(_ draft: Int, folds: inout [Int]) -> Bool {
    let current = phases.count - 1
    guard phases[current].control == nil else { return false }
    var parts: Set<Int> = []
    for before in predecessors[draft] {
      guard let phase = phaseOf[before] else { return false }
      if phase == current, let part = partOf[before] { parts.insert(part) }
    }
    if preparesFirst, current == setupPhases, isBatched(draft) { return false }
    guard case .kernel(let kernel) = drafts[draft].step else {
      guard phases[current].parts.isEmpty else { return false }
      phases[current].control = draft
      phaseOf[draft] = current
      return true
    }
    if parts.isEmpty {
      for units in candidates(draft) {
        guard let slicing = slicing(kernel, draft, units) else { continue }
        // Rows of a parameter are not samples, even if their number is a multiple of the batch size.
        if units == batch, slicing.partial == nil, !writesSamples(draft) { continue }
        let part = phases[current].parts.firstIndex { $0.units == units } ?? newPart(units)
        if join(draft, slicing, part, &folds) { return true }
      }
      add(draft, nil, to: newPart(nil))
      return true
    }
    guard parts.count == 1, let part = parts.first, let units = phases[current].parts[part].units,
      let slicing = slicing(kernel, draft, units)
    else { return false }
    return join(draft, slicing, part, &folds)
  }

  private mutating func newPart(_ units: Int?) -> Int {
    phases[phases.count - 1].parts.append(Part(units: units))
    return phases[phases.count - 1].parts.count - 1
  }

  private mutating func add(_ draft: Int, _ slicing: Slicing?, to part: Int, accumulator: Int? = nil) {
    phases[phases.count - 1].parts[part].members.append(
      Member(draft: draft, slicing: slicing, accumulator: accumulator))
    phaseOf[draft] = phases.count - 1
    partOf[draft] = part
  }

  /// Adds a draft to a region, if everything that it shares with the others is shared unit by unit.
  private mutating func join(_ draft: Int, _ slicing: Slicing, _ part: Int, _ folds: inout [Int]) -> Bool {
    let members = phases[phases.count - 1].parts[part].members
    let reads = Set(drafts[draft].reads)
    for member in members {
      let written = Set(drafts[member.draft].writes)
      guard written.isDisjoint(with: reads.subtracting(slicing.aligned).subtracting(drafts[draft].writes)) else {
        return false
      }
      // Readers of state that this one overwrites must have read only their own unit.
      if predecessors[draft].contains(member.draft), written.isDisjoint(with: reads) {
        guard let other = member.slicing, other.whole.isEmpty || isScalar(other.whole) else { return false }
      }
    }
    guard let partial = slicing.partial else {
      add(draft, slicing, to: part)
      return true
    }
    let units = phases[phases.count - 1].parts[part].units ?? 1
    let leaves = Region.leafCount(units: units)
    let value = partial.value
    let accumulator = lowering.temporary(lowering.byteCounts[value] * leaves)
    add(draft, slicing, to: part, accumulator: accumulator)
    var fold: any Kernel = FoldKernel(
      function: partial.function, source: accumulator, result: value, leaves: leaves,
      elementCount: partial.elementCount, isa: lowering.isa)
    if var pair = partial.pair {
      (pair.source, pair.leaves) = (accumulator, leaves)
      fold = pair
    }
    let results = drafts[draft].writes
    drafts[draft].writes = [accumulator]
    drafts.append(
      Lowering.Draft(step: .kernel(fold), reads: [accumulator], writes: results, path: drafts[draft].path))
    let index = drafts.count - 1
    for other in predecessors.indices {
      if results.contains(where: drafts[other].reads.contains) {
        predecessors[other] = predecessors[other].map { $0 == draft ? index : $0 }
      }
    }
    predecessors.append([draft] + predecessors[draft])
    folds.append(index)
    return true
  }

  private func isScalar(_ values: Set<Int>) -> Bool { values.allSatisfy { lowering.byteCounts[$0] <= 8 } }

  // MARK: Units

  /// The size of the axis along which most of the program's work can be split: the batch, for a training step.
  private static func batch(of lowering: Lowering) -> Int? {
    var sizes: Set<Int> = []
    for type in lowering.program.types { if let size = type.shape.first, size > 1 { sizes.insert(size) } }
    // Trying more sizes than this only takes time: batches come early.
    let scores = sizes.sorted().prefix(64).map { size -> (size: Int, score: Double) in
      let units = Units(count: size, byteCounts: lowering.byteCounts)
      var score = 0.0
      for draft in lowering.drafts {
        guard case .kernel(let kernel) = draft.step, leads(draft, size, in: lowering) else { continue }
        if kernel.slicings(units).contains(where: { !$0.aligned.isEmpty }) { score += kernel.cost.seconds }
      }
      return (size, score)
    }
    return scores.max { ($0.score, $1.size) < ($1.score, $0.size) }?.size
  }

  /// The units that a draft may be split into, best first.
  private func candidates(_ draft: Int) -> [Int] {
    var found: [Int] = []
    let written = drafts[draft].writes[0]
    if let batch, isBatched(draft) { found.append(batch) }
    if written < lowering.program.types.count {
      var product = 1
      for size in lowering.program.types[written].shape where product < 16 { product *= size }
      if product > 0, product != batch { found.append(product) }
    }
    return found
  }

  /// Whether a draft works on samples.
  private func isBatched(_ draft: Int) -> Bool {
    batch.map { Self.leads(drafts[draft], $0, in: lowering) } ?? false
  }

  /// Whether a draft computes something per sample, or may do so.
  private func writesSamples(_ draft: Int) -> Bool {
    guard let batch, drafts[draft].writes.allSatisfy({ $0 < lowering.program.types.count }) else { return true }
    return Self.leads(drafts[draft].writes, batch, in: lowering)
  }

  private static func leads(_ draft: Lowering.Draft, _ count: Int, in lowering: Lowering) -> Bool {
    leads(draft.writes + draft.reads, count, in: lowering)
  }

  /// Whether the outermost axes of one of the values have this many elements.
  private static func leads(_ values: [Int], _ count: Int, in lowering: Lowering) -> Bool {
    values.contains { value in
      guard value < lowering.program.types.count else { return false }
      var product = 1
      return lowering.program.types[value].shape.contains { size in
        product *= size
        return product == count
      }
    }
  }

  /// The way to split a kernel into units that pays, if there is one.
  private func slicing(_ kernel: any Kernel, _ draft: Int, _ units: Int) -> Slicing? {
    let all = kernel.slicings(Units(count: units, byteCounts: lowering.byteCounts))
    let current = phases.count - 1
    let fresh = Set(
      predecessors[draft].filter { phaseOf[$0] == current }.flatMap { drafts[$0].writes })
    return all.first { $0.whole.isDisjoint(with: fresh) && pays($0, kernel, units) }
  }

  /// Whether a kernel should be split into units, rather than share its work in a phase of its own.
  private func pays(_ slicing: Slicing, _ kernel: any Kernel, _ units: Int) -> Bool {
    func bytes(_ values: Set<Int>) -> Int { values.reduce(0) { $0 + lowering.byteCounts[$1] } }
    let isProduct = kernel is DotKernel
    if let partial = slicing.partial, isProduct {
      // Sums that pass through the cache with every few samples, or operands that are read once more from a cache that
      // all cores share, which costs twice as much per byte.
      let sums = 2 * max(units / 8, 1) * partial.elementCount * 4
      return sums <= 2 * bytes(slicing.aligned) + 1 << 16
    }
    // Each core reads and packs operands that are read as a whole: a large matrix is better split between them.
    if let product = kernel as? DotKernel, !product.isPacked || product.gainsByPackingOnce,
      bytes(slicing.reread) > 1 << 19, product.cost.flops > 2e7
    {
      return false
    }
    if kernel is UnpackedConvolutionKernel { return false }
    if let convolution = kernel as? ConvolutionKernel, convolution.direction == .forward {
      return !convolution.wantsOwnPhase
    }
    if kernel is ConvolutionPoolKernel || kernel is PoolKernel { return true }
    // Too few units to share.
    return units >= 8 || kernel.cost.seconds < 10e-6 || kernel.taskCount(threads: 8) <= units
  }
}
