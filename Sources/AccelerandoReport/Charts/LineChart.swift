// Lines over an axis, drawn as SVG inside the page: sharp at any size, on paper too, and in the page's own colours.

import Foundation

/// A chart of lines.
struct LineChart {
  let title: String
  let xTitle: String
  let series: [Series]
  var hasWholeX = true
  /// Fixed axes, where values of several charts are to be compared.
  var xAxis: Axis?
  var yAxis: Axis?
  /// Whether a straight line from corner to corner shows what would be ideal.
  var hasDiagonal = false

  private static let (width, height) = (420.0, 260.0)
  private static let (left, right, top, bottom) = (52.0, 12.0, 12.0, 40.0)

  func markup() -> Markup {
    let x = xAxis ?? Axis(series.flatMap { $0.points.map(\.x) }, isWhole: hasWholeX, count: 6)
    let y = yAxis ?? Axis(series.flatMap { $0.points.map(\.y) }, mayBeLogarithmic: true)
    let (plotWidth, plotHeight) = (Self.width - Self.left - Self.right, Self.height - Self.top - Self.bottom)
    func place(_ point: Series.Point) -> (x: Double, y: Double)? {
      guard let right = x.place(point.x), let up = y.place(point.y) else { return nil }
      return (Self.left + right * plotWidth, Self.top + (1 - up) * plotHeight)
    }
    var parts: [Markup] = [.element("title", title), .element("desc", Self.words(series))]
    for tick in y.ticks {
      guard let up = y.place(tick) else { continue }
      let height = Self.top + (1 - up) * plotHeight
      parts.append(
        .element(
          "line",
          [
            "class": "grid", "x1": svg(Self.left), "x2": svg(Self.width - Self.right), "y1": svg(height),
            "y2": svg(height),
          ], []))
      parts.append(
        .element(
          "text", ["class": "tick", "x": svg(Self.left - 6), "y": svg(height + 4), "text-anchor": "end"], y.label(tick))
      )
    }
    for tick in x.ticks {
      guard let along = x.place(tick) else { continue }
      parts.append(
        .element(
          "text",
          [
            "class": "tick", "x": svg(Self.left + along * plotWidth), "y": svg(Self.height - Self.bottom + 16),
            "text-anchor": "middle",
          ], x.label(tick)))
    }
    parts.append(
      .element(
        "text",
        [
          "class": "tick", "x": svg(Self.left + plotWidth / 2), "y": svg(Self.height - 6), "text-anchor": "middle",
        ], xTitle))
    if hasDiagonal, let low = place(Series.Point(x.range.lowerBound, y.range.lowerBound)),
      let high = place(Series.Point(x.range.upperBound, y.range.upperBound))
    {
      parts.append(
        .element(
          "line", ["class": "ideal", "x1": svg(low.x), "y1": svg(low.y), "x2": svg(high.x), "y2": svg(high.y)], []))
    }
    for line in series {
      let style = "line c\(line.color % Palette.count)\(line.isDashed ? " dashed" : "")"
      var path = ""
      var isInside = false
      for point in line.points {
        guard let (x, y) = place(point) else {
          isInside = false
          continue
        }
        path += "\(isInside ? "L" : "M")\(svg(x)) \(svg(y))"
        isInside = true
      }
      parts.append(.element("path", ["class": style, "d": path], []))
      // Few points are shown as such; a single one would not be seen otherwise.
      guard line.points.count <= 30 else { continue }
      parts += line.points.compactMap(place).map {
        .element(
          "circle", ["class": "dot c\(line.color % Palette.count)", "cx": svg($0.x), "cy": svg($0.y), "r": "2.5"], [])
      }
    }
    return .element(
      "svg", ["viewBox": "0 0 \(svg(Self.width)) \(svg(Self.height))", "role": "img", "aria-label": title], parts)
  }

  /// The lines in words: where each begins and ends.
  private static func words(_ series: [Series]) -> String {
    series.compactMap { line in
      guard let first = line.points.first, let last = line.points.last else { return nil }
      return "\(line.name): from \(readable(first.y)) to \(readable(last.y))."
    }.joined(separator: " ")
  }
}

/// The colours of lines, by number.
enum Palette {
  static let count = 8
}

/// A coordinate, to a hundredth.
func svg(_ value: Double) -> String {
  let text = String(format: "%.2f", value)
  return text.hasSuffix(".00") ? String(text.dropLast(3)) : text
}

/// A number for people: four digits that matter.
func readable(_ value: Double) -> String {
  if value.isNaN { return "NaN" }
  if value.isInfinite { return value < 0 ? "−∞" : "∞" }
  if value == 0 { return "0" }
  let size = abs(value)
  if size >= 1e6 || size < 1e-4 { return String(format: "%.3g", value) }
  if size >= 1000 { return String(format: "%.0f", value) }
  return String(format: size >= 100 ? "%.1f" : size >= 10 ? "%.2f" : "%.4f", value)
}
