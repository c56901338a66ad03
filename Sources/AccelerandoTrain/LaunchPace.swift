// How many steps to launch on an accelerator at a time: enough that the cost of a call does not matter, few enough that
// the progress bar moves and Ctrl-C is heard.

/// Finds the number of steps in a launch by timing.
struct LaunchPace {
  /// The most steps for the next launch.
  private(set) var stepsPerLaunch = 1
  private var isSettled = false
  private var last: ContinuousClock.Instant?
  private var lastCount = 0

  /// The desired time of a launch.
  private static let target = 0.04

  /// Records a launch that was just enqueued.
  mutating func record(_ launch: Feeder.Launch) throws {
    // The first call compiles, and a launch that was cut short says little.
    defer { lastCount = launch.stepCount }
    if !isSettled {
      // While the number still grows, wait for the device, so that exactly one launch is measured. There are few of
      // these.
      try launch.step.execution.finish()
      let now = ContinuousClock.now
      defer { last = now }
      guard let last, launch.stepCount == stepsPerLaunch else {
        if last == nil { stepsPerLaunch = 2 }
        return
      }
      let seconds = (now - last).inSeconds
      if seconds < Self.target / 2, stepsPerLaunch < 1 << 16 {
        stepsPerLaunch *= 2
      } else {
        settle(on: seconds, launch.stepCount)
      }
      return
    }
    let now = ContinuousClock.now
    // Launches of one size complete at the pace of the device, however many are in flight.
    if let last, launch.stepCount == lastCount, launch.stepCount == stepsPerLaunch {
      let seconds = (now - last).inSeconds
      if seconds > 2 * Self.target || seconds < Self.target / 4 { settle(on: seconds, launch.stepCount) }
    }
    last = now
  }

  /// Excludes the time until now from the next measurement.
  mutating func pause() {
    if isSettled { last = nil }
  }

  private mutating func settle(on seconds: Double, _ count: Int) {
    isSettled = true
    let ideal = Self.target / max(seconds / Double(count), 1e-9)
    // A busy moment should not be taken for the device's pace.
    stepsPerLaunch = min(max(Int(ideal), count / 2, 1), count * 2)
  }
}
