// The first thing to see: which runs there are, and how far each came.

import Foundation

enum OverviewSection {
  static func make(_ runs: [RunReport]) -> ReportPage.Section? {
    let records = runs.map(\.record)
    var names: [String] = []
    for name in records.flatMap(\.numberNames) {
      for key in [name, "val_" + name]
      where !names.contains(key) && records.contains(where: { $0.epochs.last?.numbers[key] != nil }) {
        names.append(key)
      }
    }
    let rows = records.map { run in
      [run.name, run.recipeName, "\(run.epochs.count)", duration(run.seconds), "\(run.batchSize)", run.seed]
        + names.map { name in run.epochs.last?.numbers[name].map(readable) ?? "–" }
    }
    var content = [
      Table(
        caption: "The runs, with the numbers of their last epochs",
        header: ["Run", "Recipe", "Epochs", "Training time", "Batch size", "Seed"] + names, rows: rows, textColumns: 2
      ).markup()
    ]
    let commands = records.filter { !$0.arguments.isEmpty }
    if !commands.isEmpty {
      content.append(
        Table(
          caption: "The commands that began them", header: ["Run", "Command"],
          rows: commands.map { [$0.name, "accelerando " + $0.arguments.joined(separator: " ")] }, textColumns: 2
        ).markup())
    }
    let notes = runs.flatMap { run in run.notes.map { runs.count > 1 ? "\(run.record.name): \($0)" : $0 } }
    if !notes.isEmpty {
      content.append(.element("ul", ["class": "notes"], notes.map { .element("li", $0) }))
    }
    return ReportPage.Section(id: "overview", title: "Overview", content: content)
  }

  /// `83 s`, `4 min 12 s`, `2 h 5 min`.
  static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "–" }
    if seconds < 10 { return String(format: "%.2f s", seconds) }
    let whole = Int(seconds.rounded())
    if whole < 120 { return "\(whole) s" }
    return whole < 7200 ? "\(whole / 60) min \(whole % 60) s" : "\(whole / 3600) h \(whole % 3600 / 60) min"
  }
}
