// One page about some runs, for a browser.

import Accelerando
import AccelerandoRecipes
import AccelerandoReport
import ArgumentParser
import Foundation

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a page that shows what runs did and what their models learned.",
    discussion: """
      The page is one HTML file that needs no network: curves of all runs, the difference of their recipes, and what is known of \
      each model. What a run lacks is left out.
      """)

  @Argument(help: "Directories that 'train --output' or 'prune --output' wrote.")
  var runs: [String]

  @Option(help: ArgumentHelp("The HTML file to write; '-' for standard output.", valueName: "file"))
  var output: String

  func validate() throws {
    if runs.isEmpty { throw ValidationError("Name at least one directory of a run.") }
  }

  func run() throws {
    let reports = try runs.map { RunReport(record: try RunRecord(directory: $0)) }
    try writeFile(Array(ReportPage(reports).html.utf8), to: output)
    if output != "-" { tell("The page is written to \(output).") }
  }
}
