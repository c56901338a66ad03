// Bars for how numbers are spread.

/// A chart of a histogram.
struct HistogramChart {
  let title: String
  let histogram: Histogram

  private static let (width, height) = (300.0, 130.0)
  private static let (left, right, top, bottom) = (8.0, 8.0, 8.0, 22.0)

  func markup() -> Markup {
    let axis = Axis([histogram.range.lowerBound, histogram.range.upperBound], count: 4)
    let (plotWidth, plotHeight) = (Self.width - Self.left - Self.right, Self.height - Self.top - Self.bottom)
    let most = Double(max(histogram.counts.max() ?? 0, 1))
    let size = (histogram.range.upperBound - histogram.range.lowerBound) / Double(max(histogram.counts.count, 1))
    var bars = ""
    for (index, count) in histogram.counts.enumerated() where count > 0 {
      let start = histogram.range.lowerBound + Double(index) * size
      guard let from = axis.place(start), let to = axis.place(start + size) else { continue }
      let high = max(Double(count) / most * plotHeight, 1)
      let x = Self.left + from * plotWidth
      bars +=
        "M\(svg(x)) \(svg(Self.top + plotHeight))V\(svg(Self.top + plotHeight - high))H\(svg(Self.left + to * plotWidth))V\(svg(Self.top + plotHeight))Z"
    }
    var parts: [Markup] = [
      .element("title", title), .element("desc", words), .element("path", ["class": "bar", "d": bars], []),
      .element(
        "line",
        [
          "class": "grid", "x1": svg(Self.left), "x2": svg(Self.width - Self.right), "y1": svg(Self.top + plotHeight),
          "y2": svg(Self.top + plotHeight),
        ], []),
    ]
    for tick in axis.ticks {
      guard let along = axis.place(tick) else { continue }
      let anchor = along < 0.05 ? "start" : along > 0.95 ? "end" : "middle"
      parts.append(
        .element(
          "text",
          [
            "class": "tick", "x": svg(Self.left + along * plotWidth), "y": svg(Self.height - 6),
            "text-anchor": anchor,
          ], axis.label(tick)))
    }
    return .element(
      "svg", ["viewBox": "0 0 \(svg(Self.width)) \(svg(Self.height))", "role": "img", "aria-label": title], parts)
  }

  /// The chart with a caption.
  func figure(caption: String, note: String? = nil) -> Markup {
    .element(
      "figure",
      [
        .element("figcaption", [.text(caption), .element("small", note ?? words)]), markup(),
      ])
  }

  private var words: String {
    var text =
      "\(histogram.total) from \(readable(histogram.range.lowerBound)) to \(readable(histogram.range.upperBound))"
    if histogram.zeros > 0 { text += ", \(histogram.zeros) are 0" }
    if histogram.notFinite > 0 { text += ", \(histogram.notFinite) not finite" }
    return text
  }
}
