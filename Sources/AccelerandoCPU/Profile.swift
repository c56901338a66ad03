// Measuring a plan: the same kernels, with a clock around each call.

import AccelerandoCore
import Foundation

/// The measured time of a program, kernel by kernel.
public struct Profile: Sendable {
  /// The plan, with the measured times.
  public let report: PlanReport
  private let events: [Tracer.Event]

  init(_ report: PlanReport, events: [Tracer.Event]) {
    self.report = report
    self.events = events
  }

  /// The last run as a trace in the format of Chrome and Perfetto: one row per thread.
  public func chromeTrace() throws -> Data {
    struct Entry: Encodable {
      let name: String
      let cat: String
      let ph = "X"
      let ts: Double
      let dur: Double
      let pid = 1
      let tid: Int
      let args: [String: String]
    }
    struct Trace: Encodable {
      let traceEvents: [Entry]
      let displayTimeUnit = "ns"
    }
    let origin = events.map(\.start).min() ?? 0
    let entries = events.sorted { $0.start < $1.start }.map { event -> Entry in
      let part = report.phases[Int(event.phase)].parts[Int(event.part)]
      let kernel = part.segments.flatMap(\.kernels)[Int(event.kernel)]
      return Entry(
        name: kernel.label, cat: "phase \(event.phase)", ts: Double(event.start - origin) / 1e3,
        dur: Double(event.end - event.start) / 1e3, tid: Int(event.member),
        args: ["layer": kernel.path.joined(separator: " › ")])
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(Trace(traceEvents: entries))
  }
}

extension CPUBackend {
  /// The plan of a program on this engine.
  /// - Parameters:
  ///   - program: the program to plan.
  ///   - frozenInputs: inputs whose values do not change, as in `compile(_:frozenInputs:)`.
  /// - Throws: `GraphError` when the program cannot run here.
  public func explain(_ program: Program, frozenInputs: Set<Int> = []) throws -> PlanReport {
    PlanReport(try plan(program, frozenInputs: frozenInputs), .measured(instructionSet))
  }

  /// The plan of a program that this engine has bound, with decisions that depend on the values of frozen weights.
  /// - Throws: `GraphError` when the execution belongs to another backend.
  public func explain(_ execution: any Execution) throws -> PlanReport {
    let frame = try own(execution).frame
    return PlanReport(frame.plan, .measured(instructionSet), Memory(table: UnsafePointer(frame.table)))
  }

  private func own(_ execution: any Execution) throws -> CPUExecution {
    guard let execution = execution as? CPUExecution else {
      throw GraphError("only what the CPU engine compiled can be explained and measured by it.")
    }
    return execution
  }

  /// Runs a program that this engine compiled and measures its kernels. Runs have their usual effect on bound buffers.
  /// - Parameters:
  ///   - execution: the program, bound by this engine.
  ///   - runs: the number of runs to measure, after one warm-up run.
  /// - Throws: `GraphError` when the execution belongs to another backend.
  public func profile(_ execution: any Execution, runs: Int = 20) throws -> Profile {
    let execution = try own(execution)
    execution.teamwork = Teamwork(always: threads > 1)
    try execution.run()
    var times: [Double] = []
    for _ in 0..<max(runs, 1) {
      let start = Tracer.now()
      try execution.run()
      times.append(Double(Tracer.now() - start) / 1e9)
    }
    let tracer = Tracer(members: threads, capacity: 1 << 16)
    var events: [Tracer.Event] = []
    var report = try explain(execution)
    report.secondsPerRun = times.sorted()[times.count / 2]
    var totals: [Place: (nanoseconds: UInt64, calls: Int)] = [:]
    var spans: [Int32: UInt64] = [:]
    execution.frame.trace(with: tracer)
    defer { execution.frame.trace(with: nil) }
    for _ in 0..<max(runs, 1) {
      tracer.clear()
      try execution.run()
      events = tracer.all
      for event in events {
        let place = Place(phase: event.phase, part: event.part, kernel: event.kernel)
        let sofar = totals[place] ?? (0, 0)
        totals[place] = (sofar.nanoseconds + event.end - event.start, sofar.calls + 1)
      }
      for (phase, events) in Dictionary(grouping: events, by: \.phase) {
        let start = events.map(\.start).min() ?? 0
        spans[phase, default: 0] += (events.map(\.end).max() ?? 0) - start
      }
    }
    let scale = 1 / Double(max(runs, 1))
    for (phase, nanoseconds) in spans { report.phases[Int(phase)].measuredSeconds = Double(nanoseconds) * scale / 1e9 }
    for (place, total) in totals {
      report.phases[Int(place.phase)].parts[Int(place.part)].update(Int(place.kernel)) {
        $0.measuredSeconds = Double(total.nanoseconds) * scale / 1e9
        $0.calls = Double(total.calls) * scale
      }
    }
    return Profile(report, events: events)
  }

  private struct Place: Hashable {
    let phase: Int32
    let part: Int32
    let kernel: Int32
  }
}

extension PlanReport.Part {
  /// Changes kernel `index`, counted through all segments.
  fileprivate mutating func update(_ index: Int, _ change: (inout PlanReport.Kernel) -> Void) {
    var rest = index
    for segment in segments.indices {
      if rest < segments[segment].kernels.count {
        change(&segments[segment].kernels[rest])
        return
      }
      rest -= segments[segment].kernels.count
    }
  }
}

extension Frame {
  /// Makes phases record their kernels, except inside loops and branches.
  fileprivate func trace(with tracer: Tracer?) {
    for step in steps {
      if case .phase(let runner) = step { runner.tracer = tracer }
    }
  }
}
