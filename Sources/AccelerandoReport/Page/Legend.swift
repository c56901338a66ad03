// What the colours and dashes of charts mean, once for all charts that stand together.

enum Legend {
  /// A list of lines with their names, each once.
  static func markup(of series: [Series]) -> Markup {
    var lines: [Series] = []
    for line in series where !lines.contains(where: { $0.name == line.name }) { lines.append(line) }
    return .element(
      "ul", ["class": "legend"],
      lines.map { line in
        .element(
          "li",
          [
            .element(
              "svg", ["viewBox": "0 0 28 10", "aria-hidden": "true"],
              [
                .element(
                  "path",
                  ["class": "line c\(line.color % Palette.count)\(line.isDashed ? " dashed" : "")", "d": "M1 5L27 5"],
                  [])
              ]), .text(line.name),
          ])
      })
  }
}
