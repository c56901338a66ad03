import Foundation
import Testing

/// `accelerando data inspect`.
@Suite struct DataInspectTests {
  private let table =
    "id,species,mass\n"
    + (0..<60).map { row in
      "\(row),\(row % 3 == 0 ? "Adelie" : "Gentoo"),\(row % 7 == 0 ? "NA" : String(3000 + row * 25))\n"
    }.joined()

  private func inspect(_ arguments: [String] = [], file: String = "penguins.csv") throws -> Command.Outcome {
    try withTemporaryDirectory { directory in
      try Data(table.utf8).write(to: directory.appendingPathComponent("penguins.csv"))
      return try Command.run(arguments: ["data", "inspect", file] + arguments, in: directory)
    }
  }

  @Test func columnsStandBelowEachOther() throws {
    let outcome = try inspect()
    #expect(outcome.status == 0)
    let lines = outcome.output.components(separatedBy: "\n")
    #expect(lines.first?.contains("CSV, 60 rows") == true)
    let header = try #require(lines.first { $0.hasPrefix("Column") })
    let end = try #require(header.range(of: "Missing")).upperBound.utf16Offset(in: header)
    let missing = lines.filter { ["id ", "species ", "mass "].contains(where: $0.hasPrefix) }.map { line in
      String(line.prefix(end).split(separator: " ").last ?? "")
    }
    #expect(missing == ["0", "0", "9"])
    #expect(outcome.output.contains("Gentoo  40   66.7 %  ████████████████████████████████████████\n"))
    #expect(outcome.output.contains("'id' is different in every row"))
  }

  @Test func jsonHasTheSameNumbers() throws {
    let outcome = try inspect(["--json", "--target", "species"])
    let object = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    #expect(object["count"] as? Int == 60)
    let columns = try #require(object["columns"] as? [[String: Any]])
    #expect(columns.map { $0["missing"] as? Int } == [0, 0, 9])
  }

  @Test func whatCannotBeInspectedIsToldInOneLine() throws {
    let missing = try inspect(file: "nothing.csv")
    #expect(missing.status == 65)
    #expect(missing.errors.contains("nothing.csv: does not exist"))
    #expect(try inspect(["--target", "specis"]).errors.contains("has no column 'specis'"))
    #expect(try inspect(["--delimiter", "ab"]).status == 64)
  }
}
