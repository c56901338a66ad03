// One file that shows what some runs did and what their models learned. It needs no network and no script, can be sent to someone,
// printed and read by keyboard. What is not known of a run is left out.

/// What is known of one run.
public struct RunReport: Sendable {
  /// The record of its training.
  public var record: RunRecord
  /// How its model answers on data.
  public var evaluation: Evaluation?
  /// What to say of the run, such as why a part is missing.
  public var notes: [String]
  /// How its weights are spread, by parameter.
  public var weights: [NamedHistogram] = []
  /// How its gradients were spread when they were last recorded, by parameter.
  public var gradients: [NamedHistogram] = []
  /// What `train --inspect` recorded of its layers.
  public var inspections: [InspectionRecord] = []
  /// The time that each layer takes in a step.
  public var layerTimes: [LayerTime] = []
  /// Which step was measured: `training step of 32 samples`.
  public var stepDescription: String?
  /// What a compression gained.
  public var compression: CompressionRecord?

  /// Makes a report of a run.
  public init(record: RunRecord, evaluation: Evaluation? = nil, notes: [String] = []) {
    (self.record, self.evaluation, self.notes) = (record, evaluation, notes)
  }
}

/// A page about some runs.
public struct ReportPage: Sendable {
  private let runs: [RunReport]

  /// A part of the page with a heading.
  struct Section {
    let id: String
    let title: String
    let content: [Markup]
  }

  /// Makes a page.
  /// - Parameter runs: the runs, in the order in which they are shown. Differences are those from the first.
  public init(_ runs: [RunReport]) { self.runs = runs }

  /// The page as text: a complete HTML file.
  public var html: String {
    let names = runs.map(\.record.name)
    let title = names.count == 1 ? "Training run \(names[0])" : "Training runs \(names.joined(separator: ", "))"
    let sections = sections()
    let links = sections.map {
      Markup.element("li", [.element("a", ["href": "#\($0.id)"], $0.title)])
    }
    let page = Markup.element(
      "html", ["lang": "en"],
      [
        .element(
          "head",
          [
            .empty("meta", ["charset": "utf-8"]),
            .empty("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"]),
            .empty("meta", ["name": "color-scheme", "content": "light dark"]), .element("title", title),
            .element("style", [Style.sheet]),
          ]),
        .element(
          "body",
          [
            .element(
              "header", [.element("h1", title), .element("nav", ["aria-label": "Sections"], [.element("ul", links)])]),
            .element(
              "main",
              sections.map { section in
                .element(
                  "section", ["id": section.id, "aria-labelledby": "\(section.id)-title"],
                  [.element("h2", ["id": "\(section.id)-title"], section.title)] + section.content)
              }),
          ]),
      ])
    return "<!DOCTYPE html>\n\(page.html)\n"
  }

  /// The sections that have something to show.
  private func sections() -> [Section] {
    let records = runs.map(\.record)
    return [
      OverviewSection.make(runs), CurveSection.make(records), RecipeSection.make(records),
    ].compactMap { $0 }
      + EvaluationSections.make(runs) + InspectionSection.make(runs) + ModelSections.make(runs)
  }
}

extension ReportPage.Section {
  /// A section made of a part for each run that has one, under the run's name where there are several runs.
  static func perRun(
    _ id: String, _ title: String, _ runs: [RunReport], _ content: (RunReport) -> [Markup]
  ) -> ReportPage.Section? {
    let parts = runs.map { ($0.record.name, content($0)) }.filter { !$0.1.isEmpty }
    guard !parts.isEmpty else { return nil }
    return ReportPage.Section(
      id: id, title: title,
      content: parts.flatMap { name, content in
        (runs.count > 1 ? [Markup.element("h3", name)] : []) + content
      })
  }
}
