// Scans do no more than somebody reads: gradients leave scans whose outputs are partly unused, and a loop's unused output
// costs time and memory in every round.

/// The results of a scan that needs no loop; nil for others.
func simplerScan(_ operation: Scan, _ operands: [Tensor]) -> [Tensor]? {
  guard let first = operands.first else { return nil }
  let (carryCount, sequenceEnd) = (operation.carryCount, operation.carryCount + operation.sequenceCount)
  switch operation.length {
  case 0: return operation.expand(operands)
  case 1:
    let elements = operands[carryCount..<sequenceEnd].map { $0.reshaped(Array($0.shape.dropFirst())) }
    let results = operation.body.inlined(
      on: [first.constant(NDArray(scalar: Int32(0)))] + operands.prefix(carryCount) + elements
        + operands.dropFirst(sequenceEnd), in: first.graph)
    return results.prefix(carryCount) + results.dropFirst(carryCount).map { $0.reshaped([1] + $0.shape) }
  default: return nil
  }
}

extension Program {
  /// The program with scans that carry, read and return only what is needed.
  func droppingUnusedRounds() throws(GraphError) -> Program {
    guard instructions.contains(where: { $0.operation is Scan }) else { return self }
    var isLive = [Bool](repeating: false, count: types.count)
    for output in outputs { isLive[output] = true }
    var uses: [Int: ScanUse] = [:]
    for instruction in instructions.reversed() {
      guard instruction.results.contains(where: { isLive[$0] }) else { continue }
      guard let scan = instruction.operation as? Scan else {
        for operand in instruction.operands { isLive[operand] = true }
        continue
      }
      let use = ScanUse(scan, results: instruction.results.map { isLive[$0] })
      for (operand, isUsed) in zip(instruction.operands, use.operands) where isUsed { isLive[operand] = true }
      uses[instruction.results.lowerBound] = use.isWhole ? nil : use
    }
    if uses.isEmpty { return self }
    return try rewriting { instruction, operands, graph in
      guard let scan = instruction.operation as? Scan, let use = uses[instruction.results.lowerBound] else {
        return graph.add(instruction.operation, operands)
      }
      do throws(GraphError) {
        let smaller = try use.reduced(scan)
        var results = graph.add(smaller, zip(operands, use.operands).filter(\.1).map(\.0)).makeIterator()
        return instruction.results.enumerated().map { place, value in
          // Nobody reads a result that is not there.
          (use.results[place] ? results.next() : nil)
            ?? graph.add(Constant(NDArray(repeating: 0, type: types[value].with([])))).broadcast(to: types[value].shape)
        }
      } catch {
        graph.report(error)
        return graph.add(scan, operands)
      }
    }
  }
}

/// The parts of a scan that somebody needs.
private struct ScanUse {
  /// Whether each operand is read.
  let operands: [Bool]
  /// Whether each result is needed, by others or by the next round.
  let results: [Bool]

  init(_ scan: Scan, results: [Bool]) {
    var needed = results
    var reads = scan.body.reads(for: needed)
    while true {
      let next = (0..<scan.carryCount).filter { reads[1 + $0] && !needed[$0] }
      if next.isEmpty { break }
      for carried in next { needed[carried] = true }
      reads = scan.body.reads(for: needed)
    }
    self.results = needed
    operands = Array(needed.prefix(scan.carryCount)) + reads.dropFirst(1 + scan.carryCount)
  }

  var isWhole: Bool { operands.allSatisfy { $0 } && results.allSatisfy { $0 } }

  /// The scan without the other parts.
  func reduced(_ scan: Scan) throws(GraphError) -> Scan {
    let graph = Graph()
    let inputs = scan.body.inputs.map { graph.input($0.name, $0.type) }
    let outputs = scan.body.inlined(on: inputs, in: graph)
    let kept = zip(inputs, [true] + operands).filter(\.1).map { ("input", $0.0.id) }
    let body = try Program(graph, inputs: kept, outputs: zip(outputs, results).filter(\.1).map(\.0))
    let sequences = operands.dropFirst(scan.carryCount).prefix(scan.sequenceCount)
    return Scan(
      body: body, carryCount: results.prefix(scan.carryCount).count { $0 }, sequenceCount: sequences.count { $0 },
      length: scan.length, isReversed: scan.isReversed)
  }
}

extension Program {
  /// Which inputs are read to compute some of the outputs.
  fileprivate func reads(for outputs: [Bool]) -> [Bool] {
    var isLive = [Bool](repeating: false, count: types.count)
    for (output, isNeeded) in zip(self.outputs, outputs) where isNeeded { isLive[output] = true }
    for instruction in instructions.reversed() where instruction.results.contains(where: { isLive[$0] }) {
      for operand in instruction.operands { isLive[operand] = true }
    }
    return inputs.indices.map { isLive[$0] }
  }
}
