// Decisions of kernels when a program is bound, from the values of frozen inputs: the zeros of pruned weights.

import AccelerandoCore

/// What a kernel decided from the values of frozen inputs.
struct Decision: Sendable {
  /// In words, for plan reports.
  let label: String
  let cost: Cost
  /// The proportion of nonzero elements of its matrix.
  let density: Double
  /// How zeros are skipped.
  let form: String
}

extension CPUExecution {
  var sparseOperations: [SparseOperation] { frame.sparseOperations }

  func refresh() throws { frame.setUp() }
}

extension Frame {
  fileprivate var sparseOperations: [SparseOperation] {
    let memory = Memory(table: UnsafePointer(table))
    func operation(_ decision: Decision?, _ path: [String]) -> [SparseOperation] {
      decision.map { [SparseOperation(path: path, density: $0.density, form: $0.form)] } ?? []
    }
    return plan.phases.flatMap { phase -> [SparseOperation] in
      guard case .parts(let parts) = phase else { return [] }
      return parts.flatMap { part -> [SparseOperation] in
        switch part {
        case .kernel(let kernel, let path): operation(kernel.decision(memory), path)
        case .region(let region): region.kernels.flatMap { operation($0.kernel.decision(memory), $0.path) }
        }
      }
    }
  }
}
