// A plan to read: phases, regions, segments and kernels, the expected cost of each, and its measured time. Plain data,
// so that programs can read it too, and tests can assert properties of a plan.

import AccelerandoCore
import Foundation

/// What the CPU does for one run of a program.
public struct PlanReport: Codable, Hashable, Sendable {
  /// What runs between two barriers.
  public struct Phase: Codable, Hashable, Sendable {
    /// `parts`; `once` for a phase that runs only when the program is bound; `while`; or `case`.
    public var kind: String
    /// Independent pieces of work.
    public var parts: [Part] = []
    /// The phases of a loop's condition and body, or of a branch's choices.
    public var inner: [PlanReport] = []
    /// Seconds per run from the phase's first kernel to the end of its last; nil if nothing was run.
    public var measuredSeconds: Double?
  }

  /// A kernel on its own, or a region.
  public struct Part: Codable, Hashable, Sendable {
    /// The number of units of a region (samples of the batch, rows of a parameter); nil for a kernel on its own.
    public var units: Int?
    /// The number of partial sums of a region.
    public var leaves = 1
    /// The number of units that go through the region at a time.
    public var tile = 1
    /// Bytes of each thread's own memory for the region's values.
    public var localBytes = 0
    /// Groups of kernels that alternate.
    public var segments: [Segment]
  }

  /// Kernels that alternate over a few units at a time.
  public struct Segment: Codable, Hashable, Sendable {
    /// The number of units.
    public var tile: Int
    /// The kernels, in order.
    public var kernels: [Kernel]
  }

  /// One kernel.
  public struct Kernel: Codable, Hashable, Sendable {
    /// What it computes.
    public var label: String
    /// The layers that it belongs to.
    public var path: [String]
    /// Arithmetic operations on float32 per run.
    public var flops: Double
    /// Bytes read and written per run, in caches or memory.
    public var bytes: Double
    /// Expected time of one core for all of it, in seconds, from rates that are measured once (`MachineRates`).
    public var predictedSeconds: Double
    /// Measured time, summed over the threads, in seconds per run; nil if nothing was run.
    public var measuredSeconds: Double?
    /// Calls per run.
    public var calls: Double?
  }

  /// The phases in order.
  public var phases: [Phase]
  /// Bytes for values that are kept between phases.
  public var arenaBytes: Int
  /// Bytes of each thread's own memory.
  public var threadBytes: Int
  /// Seconds per run, the median of the measured runs.
  public var secondsPerRun: Double?

  /// All kernels, in order.
  public var kernels: [Kernel] { phases.flatMap { $0.parts.flatMap { $0.segments.flatMap(\.kernels) } } }
}

extension PlanReport {
  /// - Parameter memory: the addresses of the values, once the program is bound; kernels then report what they decided.
  init(_ plan: Plan, _ rates: MachineRates, _ memory: Memory? = nil) {
    phases = plan.phases.enumerated().map { index, phase in
      switch phase {
      case .parts(let parts):
        Phase(kind: index < plan.setupPhases ? "once" : "parts", parts: parts.map { Part($0, rates, memory) })
      case .loop(let loop):
        Phase(kind: "while", inner: [PlanReport(loop.condition, rates), PlanReport(loop.body, rates)])
      case .branch(let branch): Phase(kind: "case", inner: branch.branches.map { PlanReport($0, rates) })
      }
    }
    arenaBytes = plan.arenaBytes
    threadBytes = plan.deepNeeds.scratch + plan.deepNeeds.local
  }
}

extension PlanReport.Part {
  init(_ part: Plan.Part, _ rates: MachineRates, _ memory: Memory?) {
    switch part {
    case .kernel(let kernel, let path):
      let decision = memory.flatMap { kernel.decision($0) }
      let entry = PlanReport.Kernel(decision?.label ?? kernel.label, path, decision?.cost ?? kernel.cost, rates)
      segments = [PlanReport.Segment(tile: 1, kernels: [entry])]
    case .region(let region):
      units = region.units
      leaves = region.leaves
      tile = region.tile
      localBytes = region.localBytes
      segments = region.segments.map { segment in
        PlanReport.Segment(
          tile: segment.tile,
          kernels: segment.kernels.map { entry in
            let kernel = entry.kernel
            let decision = memory.flatMap { kernel.decision($0) }
            return PlanReport.Kernel(
              decision?.label ?? kernel.label, entry.path, decision?.cost ?? kernel.cost, rates)
          })
      }
    }
  }
}

extension PlanReport.Kernel {
  init(_ label: String, _ path: [String], _ cost: Cost, _ rates: MachineRates) {
    self.init(
      label: label, path: path, flops: cost.flops, bytes: cost.bytes, predictedSeconds: rates.seconds(cost))
  }
}

// MARK: - Text

extension PlanReport: CustomStringConvertible {
  /// A table: one line per kernel, under its phase, region and segment.
  public var description: String {
    var rows: [[String]] = [["", "Mflop", "KiB", "calls", "predicted µs", "measured µs", "Gflop/s", "layer"]]
    append(to: &rows, indent: "")
    let widths = (0..<rows[0].count).map { column in rows.map { $0[column].count }.max() ?? 0 }
    var lines = rows.map { row in
      row.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.count)
        return column == 0 || column == row.count - 1 ? cell + space : space + cell
      }.joined(separator: "  ")
    }
    let total = kernels.reduce((0.0, 0.0)) { ($0.0 + $1.flops, $0.1 + $1.predictedSeconds) }
    var summary =
      "\(phases.count { $0.kind != "once" }) phases, \(Self.number(total.0 / 1e6)) Mflop; between phases \(arenaBytes >> 10) KiB, "
    summary += "each thread \(threadBytes >> 10) KiB; predicted \(Self.number(total.1 * 1e6)) µs on one core"
    if let secondsPerRun { summary += "; measured \(Self.number(secondsPerRun * 1e6)) µs a run" }
    lines.append(summary)
    return lines.joined(separator: "\n")
  }

  private func append(to rows: inout [[String]], indent: String) {
    func heading(_ text: String) { rows.append([text] + [String](repeating: "", count: 7)) }
    for (index, phase) in phases.enumerated() {
      let time = phase.measuredSeconds.map { ", \(Self.number($0 * 1e6)) µs" } ?? ""
      heading("\(indent)phase \(index)\(phase.kind == "parts" ? "" : ": \(phase.kind)")\(time)")
      for part in phase.parts {
        var margin = indent + "  "
        if let units = part.units {
          let sums = part.leaves > 1 ? ", sums in \(part.leaves) leaves" : ""
          heading(
            "\(margin)region: \(units) units, \(part.tile) at a time\(sums), \(part.localBytes >> 10) KiB in cache")
          margin += "  "
        }
        for segment in part.segments {
          var inner = margin
          if part.units != nil, part.segments.count > 1 || segment.tile != part.tile {
            heading("\(margin)\(segment.tile) at a time")
            inner += "  "
          }
          for kernel in segment.kernels { rows.append(Self.row(kernel, indent: inner)) }
        }
      }
      for inner in phase.inner { inner.append(to: &rows, indent: indent + "  ") }
    }
  }

  private static func row(_ kernel: Kernel, indent: String) -> [String] {
    let rate = kernel.measuredSeconds.map { $0 > 0 ? number(kernel.flops / $0 / 1e9) : "" } ?? ""
    return [
      indent + kernel.label, number(kernel.flops / 1e6), number(kernel.bytes / 1024), kernel.calls.map(number) ?? "",
      number(kernel.predictedSeconds * 1e6), kernel.measuredSeconds.map { number($0 * 1e6) } ?? "", rate,
      kernel.path.joined(separator: " › "),
    ]
  }

  /// About three significant digits.
  private static func number(_ value: Double) -> String {
    switch value.magnitude {
    case 0: "0"
    case ..<0.095: String(format: "%.2f", value)
    case ..<10: String(format: "%.1f", value)
    default: String(format: "%.0f", value)
    }
  }
}
