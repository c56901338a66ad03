// What is inside of the models: how weights and gradients are spread, where time is spent, what a compression gained.

import AccelerandoFormats
import Foundation

/// The time that one layer takes in a step.
public struct LayerTime: Sendable, Hashable {
  /// The layer.
  public var name: String
  /// Seconds in one step, summed over the threads.
  public var seconds: Double

  /// Notes the time of a layer.
  public init(name: String, seconds: Double) {
    (self.name, self.seconds) = (name, seconds)
  }
}

enum ModelSections {
  /// More histograms than this are folded away.
  private static let openHistograms = 12

  static func make(_ runs: [RunReport]) -> [ReportPage.Section] {
    [
      .perRun("weights", "How the weights are spread", runs) { histograms($0.weights) },
      .perRun("gradients", "How the gradients are spread", runs) { histograms($0.gradients) },
      .perRun("times", "Time by layer", runs) { times($0.layerTimes, of: $0.stepDescription) },
      .perRun("compression", "Size and compression", runs) { run in
        run.compression.map { record in
          [
            Table(
              caption: "Before and after the compression", header: ["", "Before", "After"],
              rows: record.rows.map { [$0.name, $0.before, $0.after] }
            ).markup(), .element("ul", record.findings.map { .element("li", $0) }),
          ]
        } ?? []
      },
    ].compactMap { $0 }
  }

  private static func histograms(_ all: [NamedHistogram]) -> [Markup] {
    func charts(_ part: some Sequence<NamedHistogram>) -> Markup {
      .element(
        "div", ["class": "charts small"],
        part.map { HistogramChart(title: "Values of \($0.name)", histogram: $0.histogram).figure(caption: $0.name) })
    }
    guard !all.isEmpty else { return [] }
    let rest = all.dropFirst(openHistograms)
    guard !rest.isEmpty else { return [charts(all)] }
    return [
      charts(all.prefix(openHistograms)),
      .element("details", [.element("summary", "\(rest.count) more"), charts(rest)]),
    ]
  }

  private static func times(_ layers: [LayerTime], of step: String?) -> [Markup] {
    let total = layers.reduce(0) { $0 + $1.seconds }
    guard total > 0 else { return [] }
    let rows = layers.sorted { $0.seconds > $1.seconds }.map { layer in
      [
        Table.Cell(layer.name, isHeader: true), Table.Cell("\(readable(layer.seconds * 1e6)) µs"),
        Table.Cell(String(format: "%.1f %%", 100 * layer.seconds / total), shade: layer.seconds / total),
      ]
    }
    return [
      Table(
        caption: "Time of one \(step ?? "step"), summed over the threads", header: ["Layer", "Time", "Part"],
        cells: rows
      ).markup()
    ]
  }
}
