// What kernels decided when a program was bound, from the values that keep still: the zeros of pruned weights.

import AccelerandoCore

/// What a kernel does, having seen the values that keep still.
struct Decision: Sendable {
  /// For people who read plans.
  let label: String
  let cost: Cost
  /// The part of its matrix that is not zero.
  let density: Double
  /// How zeros are left out.
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
