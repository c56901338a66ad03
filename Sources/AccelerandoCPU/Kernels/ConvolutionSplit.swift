// How a convolution is shared between threads when it runs on its own: by samples, by rows of outputs or by output channels,
// whichever takes the least time. Each result is one chain of sums whatever the split is, so the bits are the same.

import AccelerandoCore
import CKernels

/// The ways to divide a forward convolution, and their expected times.
struct ConvolutionSplit: Sendable {
  enum Axis { case samples, rows, outputs }

  /// Rows and outputs are divided in these steps.
  private let rowStep: Int
  private let outputStep: Int
  private let geometry: AccConv
  /// Expected seconds on one core: of the sums, of reading the packed weights, and of laying out the samples.
  private let sums: Double
  private let weights: Double
  private let layout: Double
  /// Of fetching half of the sample and of the results from another core's cache: rows mostly stay where they are from one
  /// layer to the next.
  private let exchange: Double

  init(_ geometry: AccConv, _ isa: InstructionSet) {
    self.geometry = geometry
    (rowStep, outputStep) = withUnsafePointer(to: geometry) {
      (max(isa.kernels.conv_part_rows?($0) ?? 1, 1), max(isa.kernels.conv_part_outputs?($0) ?? 1, 1))
    }
    let packed = withUnsafePointer(to: geometry) { isa.kernels.conv_packed_bytes?($0, 0) ?? 0 }
    let c = geometry
    let products = [c.N, c.OH, c.OW, c.O, c.KH, c.KW, c.C / max(c.groups, 1)].elementCount
    // Depthwise sums wait for what they read; Winograd's need fewer products.
    let isDepthwise = c.groups > 1 && c.groups == c.C && c.groups == c.O
    sums = 2 * Double(products) / (isDepthwise ? 40e9 : rowStep == 2 ? 400e9 : 200e9)
    weights = Double(packed) / 40e9
    // Winograd's transform, a copy into blocks, or turning the sample round.
    let perElement = isDepthwise ? 0 : rowStep == 2 ? 0.35e-9 : c.KH * c.KW == 1 ? 0.06e-9 : 0.2e-9
    let (inputs, outputs) = ([c.N, c.H, c.W, c.C].elementCount, [c.N, c.OH, c.OW, c.O].elementCount)
    layout = perElement * Double(inputs)
    exchange = 2 * Double(inputs + outputs) / 20e9
  }

  /// The number of pieces along an axis.
  private func pieces(_ axis: Axis) -> Int {
    switch axis {
    case .samples: geometry.N
    case .rows: geometry.N * ((geometry.OH + rowStep - 1) / rowStep)
    case .outputs: (geometry.O + outputStep - 1) / outputStep
    }
  }

  /// Expected seconds of the longest of so many tasks.
  private func seconds(_ axis: Axis, tasks: Int) -> Double {
    let pieces = max(pieces(axis), 1)
    let share = Double((pieces + tasks - 1) / tasks) / Double(pieces)
    return axis == .outputs ? (sums + weights) * share + layout + exchange : (sums + layout) * share + weights
  }

  /// The axis for so many tasks.
  func axis(tasks: Int) -> Axis {
    // Samples are whole: nothing at their borders is read or laid out twice.
    if tasks == 1 || (geometry.N >= tasks && geometry.N % tasks == 0 && !gainsAlone) { return .samples }
    let (samples, rows) = (seconds(.samples, tasks: tasks), seconds(.rows, tasks: tasks))
    let outputs = seconds(.outputs, tasks: tasks)
    return samples <= min(rows, outputs) ? .samples : rows <= outputs ? .rows : .outputs
  }

  /// Whether even two threads gain more by sharing single samples or outputs than by taking samples through several
  /// kernels: with very few samples, or with so many weights that a core should not read all of them.
  var gainsAlone: Bool {
    let together = seconds(.samples, tasks: 2)
    let alone = min(seconds(.rows, tasks: 2), seconds(.outputs, tasks: 2))
    return together - alone > max(4e-6, 0.1 * together)
  }

  func taskCount(threads: Int) -> Int {
    let axis = axis(tasks: threads)
    // More tasks than threads let a faster thread do more; but each reads the weights, or lays out the samples, again.
    let repeated = axis == .outputs ? layout : weights
    let perThread = repeated * Double(threads) < 0.02 * sums ? 4 : sums > 400e-6 ? 2 : 1
    let worthwhile = max(1, Int((sums + weights) / 1.2e-6))
    let fewest = min(threads, worthwhile, pieces(axis))
    let most = min(threads * perThread, worthwhile, pieces(axis))
    return self.axis(tasks: most) == axis ? most : fewest
  }

  /// Calls `body` with the parts of the results that tasks `range` out of `count` compute.
  func forEachPart(_ range: Range<Int>, of count: Int, _ body: (AccConvPart) -> Void) {
    let c = geometry
    var part = AccConvPart(n0: 0, n1: c.N, row0: 0, row1: c.OH, out0: 0, out1: c.O)
    switch axis(tasks: count) {
    case .samples:
      let samples = portion(range, of: count, extent: c.N)
      (part.n0, part.n1) = (samples.lowerBound, samples.upperBound)
      body(part)
    case .outputs:
      let panels = portion(range, of: count, extent: pieces(.outputs))
      (part.out0, part.out1) = (min(panels.lowerBound * outputStep, c.O), min(panels.upperBound * outputStep, c.O))
      body(part)
    case .rows:
      let perSample = (c.OH + rowStep - 1) / rowStep
      let rows = portion(range, of: count, extent: c.N * perSample)
      forEachSample(rows, rowsPerSample: perSample) { sample, rows in
        (part.n0, part.n1) = (sample, sample + 1)
        (part.row0, part.row1) = (rows.lowerBound * rowStep, min(rows.upperBound * rowStep, c.OH))
        body(part)
      }
    }
  }
}
