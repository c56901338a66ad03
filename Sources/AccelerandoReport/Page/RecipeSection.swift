// What the runs were asked to do: the first one's recipe, and of the others only what differs from it.

enum RecipeSection {
  static func make(_ runs: [RunRecord]) -> ReportPage.Section? {
    guard let first = runs.first else { return nil }
    var content: [Markup] = []
    for other in runs.dropFirst() {
      content.append(.element("h3", "From \(first.name) to \(other.name)"))
      let difference = TextDifference(first.recipe, other.recipe)
      content.append(
        difference.hunks.isEmpty
          ? .element("p", "The recipes are the same.") : markup(difference, "\(first.name) to \(other.name)"))
    }
    content.append(
      .element(
        "details",
        [
          .element("summary", "The recipe of \(first.name)"),
          .element("pre", ["tabindex": "0"], first.recipe),
        ]))
    return ReportPage.Section(
      id: "recipes", title: runs.count > 1 ? "Difference of the recipes" : "Recipe", content: content)
  }

  /// The difference with a sign before each line: colours alone would not reach everyone.
  private static func markup(_ difference: TextDifference, _ names: String) -> Markup {
    let lines = difference.hunks.flatMap { hunk in
      [Markup.element("span", ["class": "place"], hunk.header + "\n")]
        + hunk.lines.map { line in
          switch line.kind {
          case .common: .element("span", " \(line.text)\n")
          case .removed: .element("del", "-\(line.text)\n")
          case .added: .element("ins", "+\(line.text)\n")
          }
        }
    }
    return .element(
      "pre",
      ["class": "difference", "tabindex": "0", "role": "region", "aria-label": "Difference of the recipes, \(names)"],
      lines)
  }
}
