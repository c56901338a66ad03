// Where values are stored. Values that exist for a few units only stay in a thread's own memory; state is updated in
// place if the old value is no longer needed; results go directly to the output buffers; everything else shares one
// arena and is overwritten once its last reader is done.

import AccelerandoCore

/// Decides where each value is stored and the order of the final copies.
struct Placement {
  private let lowering: Lowering
  private let setupPhases: Int
  private var drafts: [Lowering.Draft]
  private var phases: [Scheduler.Phase]
  private var places: [Plan.Place]
  private var firstWrite: [Int]
  private var lastRead: [Int]
  /// Where each value is read and written.
  private var reads: [Int: [Event]] = [:]
  private var writes: [Int: [Event]] = [:]

  /// A member of a part, by its position in the plan.
  private struct Event: Hashable {
    let phase: Int
    let part: Int
    let position: Int
    let draft: Int
    var isAligned = false

    func aligned(_ isAligned: Bool) -> Event {
      var event = self
      event.isAligned = isAligned
      return event
    }
  }

  init(_ lowering: Lowering, drafts: [Lowering.Draft], phases: [Scheduler.Phase], setupPhases: Int) {
    self.lowering = lowering
    self.setupPhases = setupPhases
    self.drafts = drafts
    self.phases = phases
    places = [Plan.Place](repeating: .none, count: lowering.byteCounts.count)
    firstWrite = [Int](repeating: .max, count: places.count)
    lastRead = [Int](repeating: -1, count: places.count)
  }

  /// The finished plan.
  func plan() -> Plan {
    var placement = self
    return placement.place()
  }

  private mutating func place() -> Plan {
    let program = lowering.program
    var plan = Plan(program: program)
    for input in program.inputs.indices { places[input] = .input(input) }
    for (value, constant) in lowering.constants.sorted(by: { $0.key < $1.key }) {
      places[value] = .constant(plan.constants.count)
      plan.constants.append(constant)
    }
    for (index, phase) in phases.enumerated() {
      if let control = phase.control { note(control, Event(phase: index, part: 0, position: 0, draft: control), nil) }
      for (part, members) in phase.parts.map(\.members).enumerated() {
        for (position, member) in members.enumerated() {
          note(member.draft, Event(phase: index, part: part, position: position, draft: member.draft), member.slicing)
        }
      }
    }
    // Values that are computed once are needed in every run that reads them.
    for value in places.indices where firstWrite[value] < setupPhases && lastRead[value] >= setupPhases {
      lastRead[value] = .max
    }
    plan.setupPhases = setupPhases
    let copies = placeOutputs()
    append(copies)
    for (index, phase) in phases.enumerated() {
      plan.phases.append(finished(phase, index, &plan))
    }
    plan.wholeReads = Set(
      program.inputs.indices.filter { input in
        (reads[input] ?? []).contains { $0.phase >= setupPhases && !$0.isAligned }
      })
    plan.outputStages = outputStages(plan)
    plan.arenaBytes = placeInArena()
    plan.places = places
    return plan
  }

  /// For each output, the stage that writes it last: copied ones are written at the end.
  private func outputStages(_ plan: Plan) -> [Int] {
    let starts = plan.phases.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.stages) }
    return lowering.program.outputs.enumerated().map { output, value in
      let root = lowering.contiguous(value)
      let isInPlace =
        switch places[root] {
        case .output(let place): place == output
        case .input(let place): place == lowering.program.aliases[output]
        default: false
        }
      guard isInPlace else { return max(plan.stages - 1, 0) }
      return (writes[root] ?? []).map { starts[$0.phase] + $0.part }.max() ?? 0
    }
  }

  private mutating func note(_ draft: Int, _ event: Event, _ slicing: Slicing?) {
    for value in drafts[draft].reads {
      lastRead[value] = max(lastRead[value], event.phase)
      reads[value, default: []].append(event.aligned(slicing?.aligned.contains(value) ?? false))
    }
    for value in drafts[draft].writes {
      firstWrite[value] = min(firstWrite[value], event.phase)
      writes[value, default: []].append(event.aligned(slicing != nil && slicing?.partial == nil))
    }
  }

  // MARK: Outputs

  /// Lets kernels write directly to output buffers if that is safe; returns the copies that are needed at the end.
  private mutating func placeOutputs() -> [(source: View, place: Plan.Place)] {
    let program = lowering.program
    var copies: [(source: View, place: Plan.Place)] = []
    // An input that is an output unchanged is read until the end.
    for value in program.outputs {
      let root = lowering.contiguous(value)
      if root < program.inputs.count { lastRead[root] = .max }
    }
    for (output, value) in program.outputs.enumerated() {
      let root = lowering.contiguous(value)
      let view = View(root: root, type: program.types[value])
      // A value that is the beginning of a larger one cannot be computed in memory of its own size.
      let fits = lowering.byteCounts[root] <= program.types[value].byteCount
      guard let input = program.aliases[output] else {
        if fits, places[root] == .none, firstWrite[root] != .max {
          places[root] = .output(output)
          lastRead[root] = .max
        } else {
          copies.append((view, .output(output)))
        }
        continue
      }
      if root == input { continue }
      if fits, places[root] == .none, firstWrite[root] != .max, mayOverwrite(input, with: root) {
        places[root] = .input(input)
        lastRead[root] = .max
      } else {
        copies.append((view, .input(input)))
      }
    }
    return copies
  }

  /// Whether all readers of an input's old value run before a kernel overwrites it.
  private func mayOverwrite(_ input: Int, with value: Int) -> Bool {
    guard lastRead[input] != .max else { return false }
    return (writes[value] ?? []).allSatisfy { write in
      (reads[input] ?? []).allSatisfy { read in
        if read.phase != write.phase { return read.phase < write.phase }
        if read.draft == write.draft { return drafts[write.draft].inPlace.contains(input) }
        return read.part == write.part && read.position < write.position && read.isAligned && write.isAligned
      }
    }
  }

  /// The final copies as phases. Copies into inputs come last; one that reads what another overwrites goes through a
  /// temporary first, so that states can even be swapped.
  private mutating func append(_ copies: [(source: View, place: Plan.Place)]) {
    let overwritten = Set(
      copies.compactMap { copy -> Int? in
        if case .input(let input) = copy.place { return input }
        return nil
      })
    var last: [(View, Plan.Place)] = []
    for (source, place) in copies {
      guard case .input = place else {
        append(copy: source, to: place)
        continue
      }
      if overwritten.contains(source.root) {
        let copy = append(copy: source, to: .none)
        last.append((View(root: copy, type: source.type), place))
      } else {
        last.append((source, place))
      }
    }
    for (source, place) in last { append(copy: source, to: place) }
  }

  @discardableResult
  private mutating func append(copy source: View, to place: Plan.Place) -> Int {
    let target = lowering.temporary(source.type.byteCount)
    places.append(place)
    firstWrite.append(phases.count)
    lastRead.append(phases.count)
    lastRead[source.root] = max(lastRead[source.root], phases.count)
    drafts.append(
      Lowering.Draft(
        step: .kernel(CopyKernel(view: source, to: target)), reads: [source.root], writes: [target]))
    var phase = Scheduler.Phase()
    phase.parts = [Scheduler.Part(members: [Scheduler.Member(draft: drafts.count - 1)])]
    let event = Event(phase: phases.count, part: 0, position: 0, draft: drafts.count - 1)
    reads[source.root, default: []].append(event)
    writes[target, default: []].append(event)
    phases.append(phase)
    return target
  }

  // MARK: Parts

  private mutating func finished(_ phase: Scheduler.Phase, _ index: Int, _ plan: inout Plan) -> Plan.Phase {
    if let control = phase.control {
      switch drafts[control].step {
      case .loop(let loop): return .loop(loop)
      case .scan(let scan): return .scan(scan)
      case .branch(let branch): return .branch(branch)
      default: break
      }
    }
    var parts: [Plan.Part] = []
    for (number, part) in phase.parts.enumerated() {
      if let units = part.units {
        let layout = RegionLayout(
          units: units, byteCounts: lowering.byteCounts, isShared: lowering.isShared)
        let members = part.members.compactMap { member -> RegionLayout.Member? in
          guard let slicing = member.slicing else { return nil }
          let draft = drafts[member.draft]
          return RegionLayout.Member(
            slicing: slicing, reads: draft.reads, writes: draft.writes, path: draft.path,
            accumulator: member.accumulator)
        }
        let locals = part.members.flatMap { drafts[$0.draft].writes }.filter { isLocal($0, index, number) }
        let region = layout.region(members, locals: Set(locals))
        for value in locals { firstWrite[value] = .max }
        plan.localBytes = max(plan.localBytes, region.localBytes)
        plan.scratchBytes = max(plan.scratchBytes, region.scratchBytes)
        parts.append(.region(region))
      } else {
        for member in part.members {
          guard case .kernel(let kernel) = drafts[member.draft].step else { continue }
          plan.scratchBytes = max(plan.scratchBytes, kernel.scratchBytes)
          parts.append(.kernel(kernel, path: drafts[member.draft].path))
        }
      }
    }
    return .parts(parts)
  }

  /// Whether a value is used in one region only, unit by unit.
  private func isLocal(_ value: Int, _ phase: Int, _ part: Int) -> Bool {
    guard places[value] == .none, lastRead[value] != .max else { return false }
    return ((reads[value] ?? []) + (writes[value] ?? [])).allSatisfy {
      $0.phase == phase && $0.part == part && $0.isAligned
    }
  }

  /// First fit by decreasing size over the phases in which each value is live; returns the arena's size.
  private mutating func placeInArena() -> Int {
    let values = places.indices.filter { places[$0] == .none && firstWrite[$0] != .max }
    var arena = Arena()
    let offsets = arena.place(
      values.map { value in
        Arena.Block(
          alive: firstWrite[value]...max(lastRead[value], firstWrite[value]), size: lowering.byteCounts[value])
      })
    for (value, offset) in zip(values, offsets) { places[value] = .arena(offset) }
    return arena.size
  }
}

/// Assigns offsets to blocks of memory, so that blocks that are live at the same time do not overlap.
struct Arena {
  struct Block {
    let alive: ClosedRange<Int>
    let size: Int
  }

  private(set) var size = 0

  /// First fit by decreasing size; the offsets, in the order of the blocks, are multiples of 64.
  mutating func place(_ blocks: [Block]) -> [Int] {
    var offsets = [Int](repeating: 0, count: blocks.count)
    var placed: [(block: Int, offset: Int, size: Int)] = []
    for index in blocks.indices.sorted(by: { (blocks[$0].size, $1) > (blocks[$1].size, $0) }) {
      let needed = (blocks[index].size + 63) / 64 * 64
      var offset = 0
      for other in placed where blocks[other.block].alive.overlaps(blocks[index].alive) {
        if offset + needed <= other.offset { break }
        offset = max(offset, other.offset + other.size)
      }
      placed.insert((index, offset, needed), at: placed.firstIndex { $0.offset > offset } ?? placed.count)
      offsets[index] = offset
      size = max(size, offset + needed)
    }
    return offsets
  }
}
