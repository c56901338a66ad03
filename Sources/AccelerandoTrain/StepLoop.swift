// Many steps in one program. If a call to the device costs as much as a small step, one call should do many: the data
// set and the order of its samples stay on the device, and the step becomes the body of a loop.

import AccelerandoCore

extension Program {
  /// A program that runs as many steps as its input `steps` says, with batches from position `first` of the order on.
  ///
  /// The step's input `rows` is replaced by three: `order`, `int32[order]`, and the scalars `first` and `steps`. All
  /// state is carried from step to step; outputs that do not reuse an input's memory cannot be, and are dropped.
  /// - Parameters:
  ///   - batch: the number of samples in a step.
  ///   - rows: the part of them that a worker takes, from its own offset on.
  ///   - order: the length of the order.
  func looped(batch: Int, rows: Int, order: Int) throws -> Program {
    let scalar = TensorType(.int32, [])
    let kept = inputs.enumerated().filter { $0.element.name != StateName.rows }.map {
      (number: $0.offset, input: $0.element)
    }
    let added = [
      (StateName.order, TensorType(.int32, [order])), (StateName.first, scalar), (StateName.steps, scalar),
    ]
    let news = Dictionary(aliases.map { ($0.value, $0.key) }, uniquingKeysWith: { first, _ in first })
    let changed = kept.indices.filter { news[kept[$0].number] != nil }
    return try Program.trace(
      added + kept.map { ($0.input.name, $0.input.type) },
      aliases: Dictionary(uniqueKeysWithValues: changed.enumerated().map { ($0.offset, added.count + $0.element) })
    ) { operands in
      let zero = operands[0].constant(NDArray(scalar: Int32(0)))
      // Carried: the index of the step, then the operands.
      let results = whileLoop([zero] + operands) { carried in
        carried[0].less(than: carried[3])
      } body: { carried in
        let values = Array(carried.dropFirst(1 + added.count))
        var start = carried[2] + carried[0] * Double(batch)
        if let place = kept.firstIndex(where: { $0.input.name == StateName.shareOffset }) {
          start = start + values[place]
        }
        let rows = carried[1].dynamicSliced(starts: [start], sizes: [rows])
        var operands: [Tensor] = []
        var next = values.makeIterator()
        for input in inputs {
          if input.name == StateName.rows {
            operands.append(rows)
          } else if let value = next.next() {
            operands.append(value)
          }
        }
        let outputs = inlined(on: operands, in: rows.graph)
        let after = kept.enumerated().map { place, entry in news[entry.number].map { outputs[$0] } ?? values[place] }
        return [carried[0] + 1] + carried[1...added.count] + after
      }
      return changed.map { results[1 + added.count + $0] }
    }
  }
}
