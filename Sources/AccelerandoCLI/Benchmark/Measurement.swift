// The clock: how often something is repeated until its time is reliable, and what is reported.

import Accelerando
import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// The result of measuring a work.
struct Measurement: Encodable {
  /// The median time of a unit: a step, a call, a prediction of everything.
  var seconds: Double
  /// The shortest.
  var fastest: Double
  /// How many units were timed.
  var count: Int
  /// The loss of the last epoch, to see that it trains.
  var loss: Double?
  /// The accuracy on the test data.
  var accuracy: Double?
  /// Floating-point operations of the products in a training step.
  var productFlops: Double?
  /// Whether zeros were skipped: `sparse` or `dense`.
  var form: String?
  /// Memory before the work began.
  var importBytes: Int?
  /// Peak memory.
  var peakBytes: Int = 0

  init(times: [Double], unitsEach: Int = 1) {
    let sorted = times.map { $0 / Double(max(unitsEach, 1)) }.sorted()
    seconds = sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    fastest = sorted.first ?? 0
    count = times.count * unitsEach
  }

  /// The median measurement; nil if there are none.
  static func median(of measurements: [Measurement]) -> Measurement? {
    let sorted = measurements.sorted { $0.seconds < $1.seconds }
    return sorted.isEmpty ? nil : sorted[sorted.count / 2]
  }

  /// Times calls in blocks that are long compared with the clock's own cost.
  static func of(seconds: Double, _ call: () throws -> Void) rethrows -> Measurement {
    for _ in 0..<3 { try call() }
    let once = try time(call)
    let block = max(1, Int(0.002 / max(once, 1e-9)))
    var times: [Double] = []
    let start = ContinuousClock.now
    while times.count < 5 || (ContinuousClock.now - start).inSeconds < seconds {
      times.append(try time { for _ in 0..<block { try call() } } / Double(block))
    }
    var result = Measurement(times: times)
    result.count = times.count * block
    return result
  }

  private static func time(_ call: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try call()
    return (ContinuousClock.now - start).inSeconds
  }
}

/// Current and peak memory of this process. Linux reports both; elsewhere the peak is used for both, which is the same
/// at the start of a process.
enum ResidentMemory {
  static var now: Int { status("VmRSS:") ?? greatest }
  static var peak: Int { status("VmHWM:") ?? greatest }

  private static func status(_ field: String) -> Int? {
    guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return nil }
    let line = text.split(separator: "\n").first { $0.hasPrefix(field) }
    return line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
      .map { $0 * 1024 }
  }

  private static var greatest: Int {
    var usage = rusage()
    #if canImport(Darwin)
      getrusage(RUSAGE_SELF, &usage)
      return usage.ru_maxrss
    #else
      getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
      return usage.ru_maxrss * 1024
    #endif
  }
}
