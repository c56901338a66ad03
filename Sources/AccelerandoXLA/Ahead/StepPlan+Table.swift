// A plan as a table, the most important lines first.

import Foundation

extension StepPlan: CustomStringConvertible {
  public var description: String {
    var lines = [
      "\(chips == 1 ? "1 chip" : "\(chips) chips") \(chip), batch \(batchSize)"
        + (chips == 1 ? "" : " (\(batchSizePerChip) on each chip)") + ", \(samples) samples in an epoch"
    ]
    lines.append(String(format: "compiled in %.1f s by %@", compileSeconds, compiler))
    lines.append("")
    lines.append(contentsOf: verdict)
    lines.append("")
    lines.append("per chip and step")
    lines.append(row("arithmetic", Self.count(flops) + "FLOP", productText))
    if let kernels, bounds.kernels > 0 { lines.append(row("kernels", "\(kernels)", "one after the other")) }
    if let bytesAccessed { lines.append(row("memory traffic", byteText(Int(bytesAccessed)))) }
    for collective in collectives {
      lines.append(
        row(
          collective.operation, byteText(collective.bytes),
          "\(collective.count) \(collective.count == 1 ? "time" : "times") among \(collective.groupSize)"))
    }
    for (name, count) in libraryCalls.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }).prefix(8) {
      lines.append(row("library call", "\(count)", name))
    }
    // There is no time for a program that was not compiled.
    if refusal == nil { lines += ["", "time of a step"] + times }
    if fits == false {
      lines.append("")
      lines.append("the largest values on a chip")
      for value in largest { lines.append(row(byteText(value.bytes), value.type, value.name)) }
    }
    return lines.joined(separator: "\n")
  }

  private var times: [String] {
    var lines = [
      row("arithmetic bound", Self.time(bounds.arithmetic), "products at the chip's peak"),
      row("memory bound", Self.time(bounds.memory), "traffic at full bandwidth"),
    ]
    if chips > 1 { lines.append(row("exchange bound", Self.time(bounds.exchanges), "over all links at once")) }
    if bounds.kernels > 0 { lines.append(row("kernel bound", Self.time(bounds.kernels), "kernels that do nothing")) }
    if let compilerSeconds { lines.append(row("compiler's estimate", Self.time(compilerSeconds))) }
    lines.append(row("predicted", Self.time(stepSeconds), "limited by \(bounds.limit)"))
    let steps = stepsPerEpoch == 1 ? "1 step" : "\(stepsPerEpoch) steps"
    lines.append(row("epoch", Self.time(epochSeconds), "\(steps), data already on the chips"))
    return lines
  }

  private var verdict: [String] {
    guard let memory else {
      guard let refusal else { return ["memory: the compiler does not say"] }
      return ["DOES NOT FIT: \(refusal).", "\(advice ?? "")."]
    }
    let share = 100 * Double(memory.total) / Double(max(memory.available, 1))
    let head =
      fits == true
      ? String(format: "fits: %@ of %@ (%.1f %%)", byteText(memory.total), byteText(memory.available), share)
      : "DOES NOT FIT: takes \(byteText(memory.total)), the chip has \(byteText(memory.available))"
    var lines = [
      head, row("arguments", byteText(memory.arguments), "parameters, optimizer, batch"),
      row("outputs", byteText(memory.outputs), "\(byteText(memory.aliased)) of them in place of arguments"),
      row("temporaries", byteText(memory.temporary)), row("code", byteText(memory.code)),
    ]
    if let advice { lines.append("\(advice).") }
    return lines
  }

  private var productText: String {
    productFlops.sorted { $0.value > $1.value }.map { "\(Self.count($0.value))FLOP in \($0.key) products" }
      .joined(separator: ", ")
  }

  private func row(_ name: String, _ value: String, _ note: String = "") -> String {
    let name = name + String(repeating: " ", count: max(22 - name.count, 1))
    let value = String(repeating: " ", count: max(12 - value.count, 0)) + value
    return "  \(name)\(value)\(note.isEmpty ? "" : "  \(note)")"
  }

  /// A large number with its prefix: `1.2 T`.
  static func count(_ number: Double) -> String {
    for (unit, size) in [("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)] where number >= size {
      return String(format: "%.2f %@", number / size, unit)
    }
    return String(format: "%.0f ", number)
  }

  /// A time with its unit: `1.2 ms`.
  static func time(_ seconds: Double) -> String {
    for (unit, size) in [("s", 1.0), ("ms", 1e-3)] where seconds >= size {
      return String(format: "%.3g %@", seconds / size, unit)
    }
    return String(format: "%.3g µs", seconds * 1e6)
  }
}
