// Whether a program is faster on the team or on the caller alone. On a quiet machine the team is faster; when other
// programs use the cores it may be three times slower, since a thread that loses its core keeps all others waiting, and
// for a tiny program the signal to the other core costs more than it saves. Only measuring tells, so runs are timed,
// and a team that is slower pauses. Results do not depend on it.

/// Decides for one bound program, run by run.
struct Teamwork {
  private enum Mode {
    /// The first runs: one to warm up, then some alone, to measure them.
    case learning(left: Int)
    case team
    /// The team pauses for this many more runs.
    case alone(left: Int)
    /// The program is too long to try anything, or nothing in it can be shared.
    case settled(Bool)
  }

  private var mode: Mode
  /// The time of a run alone, in nanoseconds, as last measured.
  private var alone = Double.infinity
  /// Runs of the team since the last comparison, and their time.
  private var window = (runs: 0, nanoseconds: 0.0)
  private var rest = Self.shortestRest
  private var isFirstWindow = true
  /// Nanoseconds of the team's work that do not count, after a pause: threads that slept may wake up slowly.
  private var settling = 0.0

  private static let samples = 4
  private static let windowLength = 2e6
  private static let shortestRest = 1e6
  private static let longestRest = 64e6
  /// Threads should not sleep during a shorter pause than this.
  private static let sleepWorthRest = 8e6
  private static let settlingTime = 4e6
  /// A longer run is not held up by a few milliseconds.
  private static let longRun = 20e6

  /// - Parameter isShared: whether there is work for a team.
  init(isShared: Bool) { mode = isShared ? .learning(left: Self.samples + 1) : .settled(false) }

  /// A fixed choice.
  init(always team: Bool) { mode = .settled(team) }

  /// Whether the team does the next run.
  var wantsTeam: Bool {
    switch mode {
    case .learning(let left): left > Self.samples
    case .team: true
    case .alone: false
    case .settled(let team): team
    }
  }

  /// Whether the pause is long enough for the other threads to sleep.
  var isLongRest: Bool {
    if case .alone = mode { return rest >= Self.sleepWorthRest }
    return false
  }

  /// Whether the next run must be timed.
  var wantsTime: Bool {
    switch mode {
    case .learning, .team: true
    case .alone(let left): left <= Self.samples
    case .settled: false
    }
  }

  /// Records a run that was done as `wantsTeam` said.
  /// - Parameter nanoseconds: its time; used only if `wantsTime` was true.
  mutating func ran(_ nanoseconds: Double) {
    switch mode {
    case .learning(let left):
      if left <= Self.samples { alone = min(alone, nanoseconds) }
      mode = nanoseconds > Self.longRun ? .settled(true) : left > 1 ? .learning(left: left - 1) : .team
    case .team where settling > 0: settling -= nanoseconds
    case .team:
      window = (window.runs + 1, window.nanoseconds + nanoseconds)
      if window.nanoseconds >= Self.windowLength { compare() }
    case .alone(let left):
      if left == Self.samples { alone = .infinity }
      if left <= Self.samples { alone = min(alone, nanoseconds) }
      mode = left > 1 ? .alone(left: left - 1) : .team
    case .settled: break
    }
  }

  /// After some runs of the team: continue, or pause; twice as long as before if it was slower from the start.
  private mutating func compare() {
    let isBehind = window.nanoseconds > alone * Double(window.runs)
    window = (0, 0)
    if isBehind {
      rest = isFirstWindow ? min(2 * rest, Self.longestRest) : Self.shortestRest
      settling = Self.settlingTime
      mode = .alone(left: max(Int(rest / max(alone, 1)), Self.samples))
    }
    isFirstWindow = isBehind
  }
}
