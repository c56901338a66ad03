// Training seen from inside: whether gradients vanish or explode, whether units have died, where outputs drift.

enum InspectionSection {
  static func make(_ runs: [RunReport]) -> [ReportPage.Section] {
    [.perRun("inspection", "Training from inside", runs) { content($0.inspections) }].compactMap { $0 }
  }

  private static func content(_ records: [InspectionRecord]) -> [Markup] {
    guard let last = records.last else { return [] }
    func series(_ name: String, _ number: Int, _ value: (InspectionRecord) -> Double?) -> Series {
      Series(
        name: name,
        points: records.compactMap { record in value(record).map { Series.Point(Double(record.step), $0) } },
        color: number, isDashed: number >= Palette.count)
    }
    func chart(_ title: String, _ series: [Series]) -> Markup {
      .element(
        "figure",
        [
          .element("figcaption", title), LineChart(title: "\(title) by step", xTitle: "step", series: series).markup(),
        ])
    }
    let dead = last.layers.filter { $0.dead != nil }.map(\.name)
    let lines = dead.enumerated().map { number, name in
      series(name, number) { record in record.layers.first { $0.name == name }?.dead }
    }
    var charts = [chart("norm of all gradients", [series("all gradients", 0) { $0.gradientNorm }])]
    if !lines.isEmpty { charts.append(chart("part of the units that are dead", lines)) }
    return [
      Legend.markup(of: lines), .element("div", ["class": "charts"], charts),
      Table(
        caption: "Outputs of the layers at step \(last.step)",
        header: ["Layer", "Mean", "Standard deviation", "Zeros", "Dead units"],
        rows: last.layers.map { layer in
          [layer.name, readable(layer.mean), readable(layer.deviation), part(layer.zeros), layer.dead.map(part) ?? "–"]
        }
      ).markup(),
      Table(
        caption: "Norms of the gradients", header: ["Parameter", "First", "Last"],
        rows: last.gradients.map { gradient in
          let first = records[0].gradients.first { $0.name == gradient.name }?.norm
          return [gradient.name, first.map(readable) ?? "–", readable(gradient.norm)]
        }
      ).markup(),
    ]
  }

  private static func part(_ value: Double) -> String {
    value.isFinite ? "\(readable(100 * value)) %" : "–"
  }
}
