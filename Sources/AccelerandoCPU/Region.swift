// A part of a plan that runs depth first: a thread takes a few units (samples of the batch, rows of a parameter)
// through a chain of kernels while their values are in its own cache, then the next few.

import AccelerandoCore

/// Kernels that run one after another over the same units.
struct Region: Sendable {
  /// The number of units.
  let units: Int
  /// The number of leaves that the units are split into; each has its own partial sums. Follows from `units` alone.
  let leaves: Int
  /// The number of units that go through the segments at a time.
  var tile = 1
  var segments: [Segment] = []
  /// Values that are stored for one tile.
  var locals: [Local] = []
  var partials: [Partial] = []
  /// Bytes of a thread's memory for all local values.
  var localBytes = 0

  /// Kernels that alternate over a few units at a time.
  struct Segment: Sendable {
    /// The number of units that a kernel processes at a time.
    var tile: Int
    var kernels: [Entry]
    /// Values that are stored for these few units.
    var locals: [Local] = []
    var hasPartials: Bool { kernels.contains(where: \.isPartial) }
  }

  struct Entry: Sendable {
    let kernel: any SlicedKernel
    let isPartial: Bool
    let path: [String]
  }

  /// A value in a thread's own memory, for some units.
  struct Local: Sendable {
    let value: Int
    let unitBytes: Int
    var offset = 0
  }

  /// A value that is summed leaf by leaf in `accumulator`.
  struct Partial: Sendable {
    let value: Int
    let accumulator: Int
    let byteCount: Int
  }

  var kernels: [Entry] { segments.flatMap(\.kernels) }
  var cost: Cost { kernels.reduce(Cost()) { $0 + $1.kernel.cost } }
  var scratchBytes: Int { kernels.reduce(0) { max($0, $1.kernel.scratchBytes) } }

  /// The units of a leaf.
  func leaf(_ index: Int) -> Range<Int> {
    units * index / leaves..<units * (index + 1) / leaves
  }

  /// The number of leaves for the units of a batch: enough for the cores of a machine, few enough to add.
  static func leafCount(units: Int) -> Int {
    switch units {
    case ..<2: 1
    case ..<64: min(units, 4)
    case ..<512: 8
    default: 16
    }
  }
}
