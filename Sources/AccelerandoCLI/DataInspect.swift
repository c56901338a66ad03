// Shows what is in data: the first thing to do with a new file, and the quickest way to find what is wrong with it.

import Accelerando
import AccelerandoFormats
import ArgumentParser
import Foundation

extension DataCommand {
  struct InspectData: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "inspect",
      abstract: "Shows what is in data: columns, types, ranges, classes, and what looks wrong.",
      discussion:
        "SOURCE is a table (CSV, also gzipped), an array (NPY, IDX), arrays (NPZ), or a folder with a folder for each class."
    )

    @Argument(help: "The file or folder.")
    var source: String

    @Option(help: "The column with the targets.")
    var target: String?

    @Option(help: "Other data of the same kind: how many of their samples are here too is told.")
    var validation: String?

    @Option(help: "What separates the fields of a table: a character, or 'tab'.")
    var delimiter: String?

    @Flag(inversion: .prefixedNo, help: "Whether the first row of a table has the names of the columns.")
    var header: Bool?

    @Option(help: ArgumentHelp("Where to write a PNG with images of each class.", valueName: "file"))
    var contactSheet: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
      if let delimiter, delimiter != "tab", delimiter.count != 1 {
        throw ValidationError("--delimiter needs one character, or 'tab'; received '\(delimiter)'.")
      }
    }

    func run() throws {
      let character: Character? = delimiter == "tab" ? "\t" : delimiter?.first
      let summary = try DataInspection.summary(
        of: URL(fileURLWithPath: source),
        InspectionSettings(
          table: TableOptions(csv: CSVOptions(delimiter: character, hasHeader: header)), target: target,
          validation: validation.map { URL(fileURLWithPath: $0) }))
      print(json ? summary.json.text(.indented) : summary.page)
      if let contactSheet {
        let sheet = try PNG.encoded(
          ImageFolder(URL(fileURLWithPath: source), form: ImageForm(size: .thumbnail), storage: .none).contactSheet())
        try AtomicFile.write(to: URL(fileURLWithPath: contactSheet)) { try $0.write(sheet) }
      }
    }
  }
}

extension DataSummary {
  /// The summary as tables.
  fileprivate var page: String {
    var parts = ["\(source): \(kind), \(grouped(count)) \(things)"]
    parts[0] += facts.map { "\n\($0.name): \($0.value)" }.joined()
    if !columns.isEmpty { parts.append(columnTable) }
    parts += balances.map(bars)
    if !suspicions.isEmpty {
      parts.append((["Suspicious:"] + suspicions.map { "  - \($0)" }).joined(separator: "\n"))
    }
    return parts.joined(separator: "\n\n")
  }

  private var columnTable: String {
    let rows = columns.map { column in
      [
        shortened(column.name, 32), column.type, grouped(column.missing), column.distinct.map(grouped) ?? "",
        shortened(column.minimum ?? "", 20), shortened(column.maximum ?? "", 20),
        column.mean.map { String(format: "%.5g", $0) } ?? "", column.deviation.map { String(format: "%.5g", $0) } ?? "",
      ]
    }
    return textTable(["Column", "Type", "Missing", "Distinct", "Min", "Max", "Mean", "Std"], rows, left: 2)
  }

  private func bars(_ balance: ClassBalance) -> String {
    let most = balance.classes.map(\.count).max() ?? 1
    let total = balance.classes.reduce(0) { $0 + $1.count }
    let names = balance.classes.map { shortened($0.name, 24) }
    let width = names.map(\.count).max() ?? 0
    let counts = balance.classes.map { grouped($0.count) }
    let countWidth = counts.map(\.count).max() ?? 0
    var lines = ["Classes of '\(balance.name)':"]
    for (index, entry) in balance.classes.enumerated() {
      let space = String(repeating: " ", count: width - names[index].count)
      let countSpace = String(repeating: " ", count: countWidth - counts[index].count)
      let share = String(format: "%5.1f %%", 100 * Double(entry.count) / Double(max(total, 1)))
      let bar = String(repeating: "█", count: max(1, entry.count * 40 / max(most, 1)))
      lines.append("  \(names[index])\(space)  \(countSpace)\(counts[index])  \(share)  \(bar)")
    }
    if balance.others > 0 { lines.append("  … and \(balance.others) more") }
    return lines.joined(separator: "\n")
  }

  /// A text of one line and at most so many characters.
  private func shortened(_ text: String, _ limit: Int) -> String {
    let line = String(text.map { $0.isNewline || $0 == "\t" ? " " : $0 })
    return line.count <= limit ? line : String(line.prefix(limit - 1)) + "…"
  }
}
