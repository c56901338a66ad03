// Where values lie. State that the program updates is written in place where nobody needs the old value any more; results
// go straight to the output buffers; everything in between shares one arena, reused as soon as its reader is past.

import AccelerandoCore

/// Decides the place of each value and the order of the final copies.
struct Placement {
  private let lowering: Lowering
  private var drafts: [Lowering.Draft]
  private var places: [Plan.Place]
  private var firstWrite: [Int]
  private var lastRead: [Int]

  init(_ lowering: Lowering) {
    self.lowering = lowering
    drafts = lowering.drafts
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
    for (step, draft) in drafts.enumerated() {
      for value in draft.reads { lastRead[value] = max(lastRead[value], step) }
      for value in draft.writes { firstWrite[value] = min(firstWrite[value], step) }
    }
    let copies = placeOutputs()
    append(copies)
    plan.arenaBytes = placeInArena()
    plan.places = places
    plan.steps = drafts.compactMap(\.step)
    plan.scratchBytes = plan.steps.reduce(0) { size, step in
      guard case .kernel(let kernel) = step else { return size }
      return max(size, kernel.scratchBytes)
    }
    return plan
  }

  /// Lets steps write outputs where they belong, as far as that is safe; returns the copies that are needed at the end.
  private mutating func placeOutputs() -> [(source: View, place: Plan.Place)] {
    let program = lowering.program
    var copies: [(source: View, place: Plan.Place)] = []
    // An input that is an output as it stands is read until the end.
    for value in program.outputs {
      let root = lowering.contiguous(value)
      if root < program.inputs.count { lastRead[root] = .max }
    }
    for (output, value) in program.outputs.enumerated() {
      let root = lowering.contiguous(value)
      let view = View(root: root, type: program.types[value])
      guard let input = program.aliases[output] else {
        if places[root] == .none, firstWrite[root] != .max {
          places[root] = .output(output)
          lastRead[root] = .max
        } else {
          copies.append((view, .output(output)))
        }
        continue
      }
      if root == input { continue }
      let written = firstWrite[root]
      let isOwn = places[root] == .none && written != .max
      // The old value must not be read after the new one is there; reading it at the same place first is fine.
      let isSafe =
        isOwn
        && (lastRead[input] < written || lastRead[input] == written && drafts[written].inPlace.contains(input))
      if isSafe {
        places[root] = .input(input)
        lastRead[root] = .max
      } else {
        copies.append((view, .input(input)))
      }
    }
    return copies
  }

  /// The final copies as steps. Copies into inputs come last; one that reads what another overwrites goes through memory
  /// of its own first, so that states may even change places.
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
    firstWrite.append(drafts.count)
    lastRead.append(drafts.count)
    lastRead[source.root] = max(lastRead[source.root], drafts.count)
    drafts.append(
      Lowering.Draft(
        step: .kernel(CopyKernel(view: source, to: target)), reads: [source.root], writes: [target]))
    return target
  }

  /// First fit by decreasing size over the steps in which each value is alive; returns the arena's size.
  private mutating func placeInArena() -> Int {
    struct Block {
      let range: ClosedRange<Int>
      let offset: Int
      let size: Int
    }
    let values = places.indices.filter { places[$0] == .none && firstWrite[$0] != .max }
    let sorted = values.sorted {
      (lowering.byteCounts[$0], $1) > (lowering.byteCounts[$1], $0)
    }
    var blocks: [Block] = []
    var total = 0
    for value in sorted {
      let size = (lowering.byteCounts[value] + 63) / 64 * 64
      let alive = firstWrite[value]...max(lastRead[value], firstWrite[value])
      var offset = 0
      for block in blocks where block.range.overlaps(alive) {
        if offset + size <= block.offset { break }
        offset = max(offset, block.offset + block.size)
      }
      let index = blocks.firstIndex { $0.offset > offset } ?? blocks.count
      blocks.insert(Block(range: alive, offset: offset, size: size), at: index)
      places[value] = .arena(offset)
      total = max(total, offset + size)
    }
    return total
  }
}
