// How many steps to hand to a far device at a time: so many that the call costs nothing beside them, so few that people see
// the bar move and Ctrl-C is heard.

/// Finds the number of steps in a launch by timing.
struct LaunchPace {
  /// The most steps to hand over next.
  private(set) var stepsPerLaunch = 1
  private var isSettled = false
  private var last: ContinuousClock.Instant?
  private var lastCount = 0

  /// What a launch should take.
  private static let target = 0.04

  /// Looks at a launch that was handed over just now.
  mutating func record(_ launch: Feeder.Launch) throws {
    // The first call compiles, and a launch that was cut short says little.
    defer { lastCount = launch.stepCount }
    if !isSettled {
      // While the number grows the device is waited for, so that what is measured is one launch. These are few.
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
    // Launches of one size follow each other at the pace of the device, however many are on their way.
    if let last, launch.stepCount == lastCount, launch.stepCount == stepsPerLaunch {
      let seconds = (now - last).inSeconds
      if seconds > 2 * Self.target || seconds < Self.target / 4 { settle(on: seconds, launch.stepCount) }
    }
    last = now
  }

  /// Time that passes now belongs to nobody's step.
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
