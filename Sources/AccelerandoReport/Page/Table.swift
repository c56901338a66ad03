// Tables as pages need them: every one has a caption and headers, so that whoever cannot see it can still find their way in it.

/// A table of text and numbers.
struct Table {
  /// A cell of the body.
  struct Cell {
    var text: String
    /// From 0 to 1: how strongly the cell is shaded; nil for no shade.
    var shade: Double?
    var isHeader = false

    init(_ text: String, shade: Double? = nil, isHeader: Bool = false) {
      (self.text, self.shade, self.isHeader) = (text, shade, isHeader)
    }
  }

  let caption: String
  let header: [String]
  let rows: [[Cell]]
  /// The number of columns of text at the left; the others are numbers.
  var textColumns = 1
  /// A heading over all columns of numbers.
  var group: String?

  /// A table whose first column names its rows.
  init(caption: String, header: [String], rows: [[String]], textColumns: Int = 1) {
    self.init(
      caption: caption, header: header,
      cells: rows.map { row in row.enumerated().map { Cell($1, isHeader: $0 == 0) } }, textColumns: textColumns)
  }

  init(caption: String, header: [String], cells: [[Cell]], textColumns: Int = 1, group: String? = nil) {
    (self.caption, self.header, rows) = (caption, header, cells)
    (self.textColumns, self.group) = (textColumns, group)
  }

  func markup() -> Markup {
    func kind(_ column: Int) -> String { column < textColumns ? "words" : "number" }
    var head: [Markup] = []
    if let group {
      head.append(
        .element(
          "tr",
          [
            .element("td", ["colspan": "\(textColumns)"], []),
            .element("th", ["scope": "colgroup", "colspan": "\(max(header.count - textColumns, 1))"], group),
          ]))
    }
    head.append(
      .element("tr", header.enumerated().map { .element("th", ["scope": "col", "class": kind($0)], $1) }))
    let body = rows.map { row in
      Markup.element(
        "tr",
        row.enumerated().map { column, cell in
          if cell.isHeader { return .element("th", ["scope": "row", "class": kind(column)], cell.text) }
          guard let shade = cell.shade else { return .element("td", ["class": kind(column)], cell.text) }
          let part = Int((min(max(shade, 0), 1) * 100).rounded())
          return .element(
            "td", ["class": "number shade\(part >= 80 ? " deep" : "")", "style": "--part:\(part)%"], cell.text)
        })
    }
    // Wide tables scroll inside the page, by keyboard too.
    return .element(
      "div", ["class": "scroll", "tabindex": "0", "role": "region", "aria-label": caption],
      [
        .element(
          "table", [.element("caption", caption), .element("thead", head), .element("tbody", body)])
      ])
  }
}
