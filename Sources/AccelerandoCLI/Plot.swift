// Curves of runs in the terminal.

import Accelerando
import AccelerandoReport
import ArgumentParser
import Foundation

struct Plot: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Draws the curves of runs in the terminal.",
    discussion: "One plot for each number, with training and validation of all runs.")

  @Argument(help: "Directories that 'train --output' or 'prune --output' wrote.")
  var runs: [String]

  func validate() throws {
    if runs.isEmpty { throw ValidationError("Name at least one directory of a run.") }
  }

  func run() throws {
    print(TerminalPlot.here().text(try runs.map(RunRecord.init(directory:))))
  }
}

extension TerminalPlot {
  /// A plotter that fits what standard output is connected to: 80 characters wide where that is no terminal.
  static func here() -> TerminalPlot {
    let environment = ProcessInfo.processInfo.environment
    var size = winsize()
    let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    let columns = isKnown ? Int(size.ws_col) : environment["COLUMNS"].flatMap(Int.init) ?? 80
    return TerminalPlot(width: min(max(columns, 20), 160), characters: .fitting(environment))
  }
}
