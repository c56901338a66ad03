// Where a scan's values are in each round. Elements and outputs are read and written in place in their sequences; a carried
// value alternates between two places, or is where a sequence of its values is stored anyway.

import AccelerandoCore

/// A scan, planned.
struct ScanPlan: Sendable {
  /// A value of the outer plan, from some byte on.
  struct Source: Sendable {
    let value: Int
    let offset: Int
  }

  /// A value that is carried from round to round.
  struct Carried: Sendable {
    let initial: Source
    /// Where it is after the last round.
    let result: Int
    /// Where it is in every second round; nil if it is stored in a sequence, or does not change.
    let spare: Int?
    let byteCount: Int
    /// How it gets its next value.
    let next: Next
  }

  enum Next: Sendable {
    /// It does not change.
    case unchanged
    /// The body writes it to where the carried value is kept.
    case written(Int)
    /// As above, and all values that the body reads are kept in the sequence `history`.
    case recorded(Int, history: Int)
    /// The body writes it to an element of the sequence `stack`.
    case stacked(Int, stack: Int)
    /// It is copied from another input or output of the body after each round.
    case copied(LoopBody.Source)
  }

  /// A sequence that is read.
  struct Element: Sendable {
    let source: Source
    let byteCount: Int
  }

  /// A sequence that is written.
  struct Output: Sendable {
    let value: Int
    let byteCount: Int
    let source: LoopBody.Source
    /// Whether it has to be copied from elsewhere after each round.
    let isCopied: Bool
  }

  let body: LoopBody
  let length: Int
  let isReversed: Bool
  let carried: [Carried]
  let elements: [Element]
  let constants: [Source]
  let outputs: [Output]
  /// The number of units (samples) if each thread can take some of them through all rounds without waiting for others;
  /// nil if the threads share the work of each round.
  let units: Int?

  /// The position of a round's elements in the sequences.
  @inline(__always)
  func index(_ round: Int) -> Int { isReversed ? length - 1 - round : round }
}

extension Lowering {
  /// Plans a scan; it is a phase of its own.
  func lowerScan(_ operation: Scan, _ instruction: Program.Instruction) throws {
    let (carryCount, sequenceCount) = (operation.carryCount, operation.sequenceCount)
    let inputs = operation.body.inputs.map(\.type)
    let body = try LoopBody(
      operation.body, isa: isa, constants: Set(1 + carryCount + sequenceCount..<inputs.count), isShared: isShared)
    let sources = instruction.operands.map { source($0) }
    let results = Array(instruction.results)
    let stacked = Array(body.sources.dropFirst(carryCount))

    // The first sequence that a result of the body is stored in is where the body writes it.
    var stackOf: [Int: Int] = [:]
    for (place, source) in stacked.enumerated() {
      if case .output(let output) = source, stackOf[output] == nil { stackOf[output] = place }
    }
    var written: Set<Int> = []
    var recorded: Set<Int> = []
    var spares: [Int] = []
    let carried = (0..<carryCount).map { number -> ScanPlan.Carried in
      let next: ScanPlan.Next
      switch body.sources[number] {
      case .input(1 + number): next = .unchanged
      case .output(let output) where stackOf[output] != nil:
        next = .stacked(output, stack: results[carryCount + (stackOf[output] ?? 0)])
      case .output(let output) where written.insert(output).inserted:
        if let place = stacked.firstIndex(of: .input(1 + number)) {
          recorded.insert(place)
          next = .recorded(output, history: results[carryCount + place])
        } else {
          next = .written(output)
        }
      case let source: next = .copied(source)
      }
      let byteCount = inputs[1 + number].byteCount
      var spare: Int?
      switch next {
      case .written, .copied:
        spare = temporary(byteCount)
        spares.append(spare ?? 0)
      default: break
      }
      return ScanPlan.Carried(
        initial: sources[number], result: results[number], spare: spare, byteCount: byteCount, next: next)
    }
    let outputs = stacked.enumerated().map { place, source in
      var isCopied = true
      if case .output(let output) = source { isCopied = stackOf[output] != place }
      return ScanPlan.Output(
        value: results[carryCount + place], byteCount: operation.body.outputTypes[carryCount + place].byteCount,
        source: source, isCopied: isCopied && !recorded.contains(place))
    }
    let plan = ScanPlan(
      body: body, length: operation.length, isReversed: operation.isReversed, carried: carried,
      elements: (0..<sequenceCount).map { number in
        ScanPlan.Element(
          source: sources[carryCount + number], byteCount: inputs[1 + carryCount + number].byteCount)
      }, constants: Array(sources.dropFirst(carryCount + sequenceCount)), outputs: outputs,
      units: Self.independentUnits(body.plan, carried, outputs))
    append(Draft(step: .scan(plan), reads: sources.map(\.value), writes: results + spares))
  }

  /// The memory of a value whose elements lie one after another.
  private func source(_ value: Int) -> ScanPlan.Source {
    let view = view(value)
    guard view.isDense, view.offset >= 0 else { return ScanPlan.Source(value: contiguous(value), offset: 0) }
    finishLoop(computing: view.root)
    return ScanPlan.Source(value: view.root, offset: view.offset * view.type.dtype.byteCount)
  }

  /// The number of units of a body that never mixes them: every kernel reads and writes only its own units of what
  /// changes from round to round.
  private static func independentUnits(
    _ plan: Plan, _ carried: [ScanPlan.Carried], _ outputs: [ScanPlan.Output]
  ) -> Int? {
    guard plan.phases.count == plan.setupPhases + 1, case .parts(let parts) = plan.phases[plan.setupPhases] else {
      return nil
    }
    var units: Int?
    for part in parts {
      guard case .region(let region) = part, region.partials.isEmpty, units == nil || units == region.units else {
        return nil
      }
      units = region.units
    }
    guard let units, units > 1, carried.indices.allSatisfy({ !plan.wholeReads.contains(1 + $0) }),
      (carried.map(\.byteCount) + outputs.map(\.byteCount)).allSatisfy({ $0 % units == 0 })
    else { return nil }
    return units
  }
}
