// How training went: one chart for each number, all runs in it, and the same numbers as a table for whoever prefers to read them.

enum CurveSection {
  static func make(_ runs: [RunRecord]) -> ReportPage.Section? {
    let curves = Curves.all(of: runs)
    guard !curves.isEmpty else { return nil }
    let charts = curves.map { curve in
      Markup.element(
        "figure",
        [
          .element("figcaption", curve.name),
          LineChart(title: "\(curve.name) by epoch", xTitle: "epoch", series: curve.series).markup(),
        ])
    }
    var content = [Legend.markup(of: curves.flatMap(\.series)), .element("div", ["class": "charts"], charts)]
    for run in runs where !run.epochs.isEmpty {
      content.append(
        .element("details", [.element("summary", "Numbers of \(run.name) by epoch"), numbers(of: run).markup()]))
    }
    return ReportPage.Section(id: "curves", title: "Curves", content: content)
  }

  private static func numbers(of run: RunRecord) -> Table {
    let names = run.numberNames.flatMap { [$0, "val_" + $0] }
      .filter { name in run.epochs.contains { $0.numbers[name] != nil } }
    return Table(
      caption: "Numbers of \(run.name) by epoch", header: ["Epoch", "Steps", "Seconds"] + names,
      rows: run.epochs.map { epoch in
        ["\(epoch.number)", "\(epoch.steps)", readable(epoch.seconds)]
          + names.map { epoch.numbers[$0].map(readable) ?? "–" }
      }, textColumns: 0)
  }
}
