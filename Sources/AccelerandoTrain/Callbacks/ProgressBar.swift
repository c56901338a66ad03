// The progress display: a moving bar on a terminal, one line per epoch elsewhere. The numbers are read from the device
// at most ten times per second, so that the display does not slow the step.

import AccelerandoFormats
import Foundation

/// Shows the progress of training.
public final class ProgressBar: Callback {
  private let moves: Bool
  private let write: (String) -> Void
  private let interval = Duration.milliseconds(100)
  private let barWidth = 20
  private var epochStart = ContinuousClock.now
  private var firstStepEnd: ContinuousClock.Instant?
  private var lastShown = ContinuousClock.now
  private var trainingEnd: ContinuousClock.Instant?
  private var shownWidth = 0
  /// The number of steps that were already done when this run resumed within an epoch.
  private var stepsBefore = 0

  /// Makes a display.
  /// - Parameters:
  ///   - moves: whether the line is rewritten during training.
  ///   - write: receives the text; standard output for nil.
  public init(moves: Bool, write: ((String) -> Void)? = nil) {
    self.moves = moves
    self.write =
      write ?? { text in
        // What the program printed before is still in the C library's buffer and belongs before the bar.
        fflush(nil)
        StandardStream.output.show(text)
      }
  }

  static func make(_ verbosity: Verbosity) -> [any Callback] {
    switch verbosity {
    case .silent: []
    case .bar: [ProgressBar(moves: true)]
    case .lines: [ProgressBar(moves: false)]
    case .automatic: [ProgressBar(moves: isatty(STDOUT_FILENO) != 0)]
    }
  }

  public var addedLogs: [String]? { [] }

  public func onTrainBegin(_ run: TrainingRun) {
    for message in run.takeMessages() { write(message + "\n") }
    if run.isInsideEpoch { onEpochBegin(run.epoch, run) }
  }

  public func onEpochBegin(_ epoch: Int, _ run: TrainingRun) {
    if moves { write("Epoch \(epoch + 1)/\(run.epochs)\n") }
    epochStart = .now
    stepsBefore = run.stepsDone
    lastShown = epochStart
    firstStepEnd = nil
    trainingEnd = nil
    shownWidth = 0
  }

  public func onTrainBatchEnd(_ step: Int, _ run: TrainingRun) throws {
    if firstStepEnd == nil { firstStepEnd = .now }
    guard moves else { return }
    let now = ContinuousClock.now
    guard now - lastShown >= interval else { return }
    lastShown = now
    show(line(run, logs: try run.logs(), at: now, isDone: false))
  }

  public func onValidationBegin(_ run: TrainingRun) { trainingEnd = .now }

  public func onEpochEnd(_ epoch: Int, logs: inout Logs, _ run: TrainingRun) {
    let line = line(run, logs: logs, at: trainingEnd ?? .now, isDone: true)
    if moves {
      show(line, isLast: true)
      write("\n")
    } else {
      write("Epoch \(epoch + 1)/\(run.epochs) - \(line)\n")
    }
    for message in run.takeMessages() { write(message + "\n") }
  }

  public func onTrainEnd(_ run: TrainingRun) {
    for message in run.takeMessages() { write(message + "\n") }
  }

  private func show(_ line: String, isLast: Bool = false) {
    var line = line
    // A line that wraps cannot be rewritten; metrics that do not fit are shown at the end of the epoch.
    if !isLast, let columns = terminalColumns, line.count >= columns { line = String(line.prefix(columns - 1)) }
    // Shorter text leaves the end of the longer one on the line.
    let padding = String(repeating: " ", count: max(0, shownWidth - line.count))
    shownWidth = line.count
    write("\r" + line + padding)
  }

  private var terminalColumns: Int? {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 else { return nil }
    return Int(size.ws_col)
  }

  private func line(_ run: TrainingRun, logs: Logs, at now: ContinuousClock.Instant, isDone: Bool) -> String {
    let total = run.stepsPerEpoch
    let digits = total.map { String($0).count } ?? 0
    let done = String(run.stepsDone)
    let count = String(repeating: " ", count: max(0, digits - done.count)) + done
    var parts = ["\(count)/\(total.map(String.init) ?? "?")"]
    if moves { parts[0] += " " + bar(run.stepsDone, total) }
    // The first step compiles; its time says nothing about the others.
    let steps = run.stepsDone - stepsBefore
    let perStep: Double =
      steps > 1
      ? (now - (firstStepEnd ?? epochStart)).inSeconds / Double(steps - 1)
      : (now - epochStart).inSeconds
    let elapsed = (now - epochStart).inSeconds
    let time: String
    if isDone || total == nil {
      time = Self.clock(elapsed)
    } else {
      time = Self.clock(perStep * Double(max((total ?? 0) - run.stepsDone, 0)))
    }
    if moves {
      parts[0] += " \(time) \(Self.step(perStep))"
    } else {
      parts += [time, Self.step(perStep)]
    }
    // Results of many numbers, like a table of classes, do not fit into a line; the history has them.
    let hidden = Set(run.model.tasks.flatMap(\.metrics).filter { $0.labels.count > 1 }.flatMap(\.labels))
    let shown = logs.keys.filter {
      !hidden.contains($0) && !($0.hasPrefix("val_") && hidden.contains(String($0.dropFirst(4))))
    }
    let training = shown.filter { !$0.hasPrefix("val_") }.sorted()
    let validation = shown.filter { $0.hasPrefix("val_") }.sorted()
    parts += (training + validation).map { "\($0): \(Self.number(logs[$0] ?? 0))" }
    return parts.joined(separator: " - ")
  }

  private func bar(_ done: Int, _ total: Int?) -> String {
    guard let total, total > 0 else { return "" }
    let filled = min(barWidth, done * barWidth / total)
    return String(repeating: "━", count: filled) + String(repeating: "╌", count: barWidth - filled)
  }

  /// A number in Keras' format: four digits after the point, or an exponent if these would not show it.
  static func number(_ value: Double) -> String {
    value.magnitude > 1e-3 || value == 0 || !value.isFinite
      ? String(format: "%.4f", value) : String(format: "%.4e", value)
  }

  /// A duration, readable: `42s`, `3:07`, `1:02:09`.
  static func clock(_ seconds: Double) -> String {
    let total = Int(min(max(seconds, 0), 1e9).rounded())
    let (hours, minutes, rest) = (total / 3600, total / 60 % 60, total % 60)
    if hours > 0 { return String(format: "%d:%02d:%02d", hours, minutes, rest) }
    return minutes > 0 ? String(format: "%d:%02d", minutes, rest) : "\(rest)s"
  }

  /// The time of a step: `3ms/step`.
  static func step(_ seconds: Double) -> String {
    if seconds >= 1 || seconds == 0 { return String(format: "%.0fs/step", seconds) }
    if seconds >= 1e-3 { return String(format: "%.0fms/step", seconds * 1e3) }
    return String(format: "%.0fus/step", seconds * 1e6)
  }
}
