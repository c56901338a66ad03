// Whether a program is better run by the team or by the caller alone. On a quiet machine the team is quicker; when other
// programs want the cores it may be three times slower, since a thread that loses its core keeps all others waiting, and
// for a tiny program the way to the other core costs more than it brings. Only measuring tells, so runs are timed, and a
// team that falls behind rests. Results do not depend on it.

/// Decides for one bound program, run by run.
struct Teamwork {
  private enum Mode {
    /// The first runs: one to warm up, then some alone, to know what that takes.
    case learning(left: Int)
    case team
    /// The team rests for so many more runs.
    case alone(left: Int)
    /// The program is too long to try anything, or nothing of it can be shared.
    case settled(Bool)
  }

  private var mode: Mode
  /// What a run alone takes, in nanoseconds, as last measured.
  private var alone = Double.infinity
  /// Runs of the team since somebody last compared, and what they took.
  private var window = (runs: 0, nanoseconds: 0.0)
  private var rest = Self.shortestRest
  private var isFirstWindow = true
  /// Nanoseconds of the team's work that are not judged, after a rest: threads that slept may be slow to come back.
  private var settling = 0.0

  private static let samples = 4
  private static let windowLength = 2e6
  private static let shortestRest = 1e6
  private static let longestRest = 64e6
  /// Threads had better not sleep through a shorter rest than this.
  private static let sleepWorthRest = 8e6
  private static let settlingTime = 4e6
  /// Whoever takes longer than this is not held up by a few milliseconds.
  private static let longRun = 20e6

  /// - Parameter isShared: whether there is anything for a team to do.
  init(isShared: Bool) { mode = isShared ? .learning(left: Self.samples + 1) : .settled(false) }

  /// A choice that stays.
  init(always team: Bool) { mode = .settled(team) }

  /// Whether the next run is the team's.
  var wantsTeam: Bool {
    switch mode {
    case .learning(let left): left > Self.samples
    case .team: true
    case .alone: false
    case .settled(let team): team
    }
  }

  /// Whether the rest is long enough for the other threads to sleep.
  var isLongRest: Bool {
    if case .alone = mode { return rest >= Self.sleepWorthRest }
    return false
  }

  /// Whether somebody wants to know how long the next run takes.
  var wantsTime: Bool {
    switch mode {
    case .learning, .team: true
    case .alone(let left): left <= Self.samples
    case .settled: false
    }
  }

  /// Notes a run that went as `wantsTeam` said.
  /// - Parameter nanoseconds: what it took; only looked at where `wantsTime`.
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

  /// After some runs of the team: go on, or let it rest; twice as long as before if it was behind from the start.
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
