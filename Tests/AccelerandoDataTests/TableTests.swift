import AccelerandoCore
import AccelerandoFormats
import Foundation
import Testing

@testable import AccelerandoData

@Suite struct TableTests {
  private func table(_ text: String, _ options: TableOptions = TableOptions()) throws -> Table {
    try Table(FileContents(Array(text.utf8), name: "x.csv"), options: options)
  }

  private func failure(_ text: String, _ options: TableOptions = TableOptions()) -> String {
    let error = #expect(throws: FormatError.self) { try table(text, options) }
    return error?.description ?? ""
  }

  private func withFile(_ text: String, _ body: (URL) throws -> Void) throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("table-\(UUID().uuidString).csv")
    try Data(text.utf8).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    try body(url)
  }

  /// A value of the file of pandas' results.
  private struct Golden: Decodable {
    struct Options: Decodable {
      let sep: String?
      let decimal: String?
      let comment: String?
    }
    struct Column: Decodable {
      let name: String
      let kind: String
      let values: [String?]
    }
    struct Case: Decodable {
      let csv: String
      let options: Options
      let columns: [Column]
    }
    let cases: [Case]
  }

  @Test func typesValuesAndMissingValuesAreThoseOfPandas() throws {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Goldens/data/tables.json")
    for golden in try JSONDecoder().decode(Golden.self, from: Data(contentsOf: url)).cases {
      let csv = CSVOptions(
        comment: golden.options.comment.map { Character($0) }, decimal: Character(golden.options.decimal ?? "."))
      let table = try table(golden.csv, TableOptions(csv: csv))
      #expect(table.columns.map(\.name) == golden.columns.map(\.name))
      for (column, expected) in zip(table.columns, golden.columns) {
        let place: Comment = "\(column.name) of \(golden.csv.prefix(60))"
        #expect(column.missing == expected.values.count { $0 == nil }, place)
        switch column.values {
        case .text(let text):
          #expect(expected.kind == "text", place)
          #expect(text == expected.values, place)
        case .numbers(let array):
          // pandas makes fractions of whole numbers where some are missing; here they stay known as whole.
          let isWhole = column.type == .int && column.missing > 0
          #expect(isWhole ? expected.kind == "float" : column.type.rawValue == expected.kind, place)
          if column.type == .int, column.missing == 0 {
            #expect(array.elements(as: Int64.self).map { String($0) } == expected.values, place)
            continue
          }
          for (value, text) in zip(array.elements(as: Double.self), expected.values) {
            let number = text.flatMap { Double($0) }
            let rounded = array.dtype == .float32 ? number.map { Double(Float($0)) } : number
            #expect(rounded.map { $0 == value } ?? value.isNaN, place)
          }
        }
      }
    }
  }

  @Test func elementTypesHoldAllValues() throws {
    let table = try table(
      "a,b,c,d,e,f\n1,1,16777217,0.1,true,\n2,,,0.2,,\n", TableOptions(types: ["d": .float64]))
    #expect(table.columns.map { $0.numbers?.dtype } == [.int64, .float32, .float64, .float64, .float32, .float32])
    #expect(table.columns.map(\.missing) == [0, 1, 1, 0, 1, 2])
    #expect(try table.column("c").numbers?.elements(as: Double.self).first == 16_777_217)
  }

  @Test func typesCanBeForced() throws {
    let options = TableOptions(types: ["zip": .text, "flag": .bool, "n": .float], dateFormats: ["day": "%d/%m/%Y"])
    let table = try table("zip,flag,n,day\n01234,1,2,31/12/1969\n00501,0,3,02/01/1970\n", options)
    #expect(try table.column("zip").text == ["01234", "00501"])
    #expect(try table.column("flag").numbers?.elements(as: Bool.self) == [true, false])
    #expect(try table.column("n").numbers?.elements(as: Float.self) == [2, 3])
    #expect(try table.column("day").numbers?.elements(as: Double.self) == [-86_400, 86_400])
    #expect(try table.column("day").strings == ["1969-12-31", "1970-01-02"])
  }

  @Test func wordsForMissingValuesCanBeChosen() throws {
    let text = "a,b\n1,NA\n?,x\n"
    #expect(try table(text).column("a").type == .text)
    let table = try table(text, TableOptions(csv: CSVOptions(missing: ["?"])))
    #expect(try table.column("a").missing == 1)
    #expect(try table.column("b").text == ["NA", "x"])
  }

  @Test func whatIsNotOfItsTypeIsToldByFileLineAndColumn() {
    #expect(
      failure("a,b\n1,2020-01-01\n2,2020-02-30\n", TableOptions(types: ["b": .date]))
        .contains("x.csv, line 3: column 'b' should hold a date; received '2020-02-30'"))
    #expect(
      failure("a\n1\n2.5\n", TableOptions(types: ["a": .int])).contains("line 3: column 'a' should hold a whole number")
    )
    #expect(
      failure("a\n1\nx\n", TableOptions(types: ["a": .float])).contains("line 3: column 'a' should hold a number"))
    #expect(failure("a\n2\n", TableOptions(types: ["a": .bool])).contains("should hold true or false"))
    #expect(failure("d\n1.2.2020\n", TableOptions(dateFormats: ["d": "%Y-%m-%d"])).contains("of the form %Y-%m-%d"))
    #expect(failure("a\n1\n", TableOptions(types: ["b": .int])).contains("has no column 'b'"))
  }

  @Test func aMissingColumnIsToldWithTheOnesThatExist() throws {
    let table = try table("Age,Name\n1,x\n")
    let error = #expect(throws: FormatError.self) { try table.column("age") }
    #expect(error?.description.contains("has no column 'age'; it has 'Age', 'Name'. Did you mean 'Age'") == true)
  }

  @Test func rowsOfAFileAreThoseOfTheTableInAnyOrder() throws {
    var text = "n,word,gap,day,flag\n"
    for row in 0..<5000 {
      text +=
        "\(row),\"w\(row % 7)\(row % 11 == 0 ? "\n" : "")\",\(row % 3 == 0 ? "" : "\(row).5"),20\(10 + row % 90)-01-02,\(row % 2 == 0)\n"
      if row % 100 == 0 { text += "\n" }
    }
    try withFile(text) { url in
      let (file, table) = (try TableFile(url), try Table(contentsOf: url))
      #expect(file.descriptions == table.descriptions)
      #expect(file.count == 5000)
      let rows = (0..<300).map { ($0 * 7919) % 5000 } + [0, 4999, 4999]
      let (some, expected) = (try file.rows(rows, columns: nil), try table.rows(rows))
      for (column, other) in zip(some.columns, expected.columns) {
        #expect(column.numbers?.dtype == other.numbers?.dtype)
        #expect(column.strings == other.strings)
        #expect(column.missing == other.missing)
      }
      #expect(try file.rows([3], columns: ["word", "n"]).columns.map(\.name) == ["word", "n"])
      #expect(throws: FormatError.self) { try file.rows([5000], columns: nil) }
      #expect(throws: FormatError.self) { try file.rows([0], columns: ["x"]) }
      let opened = try Tables.open(url, limit: 10)
      #expect(opened is TableFile)
      #expect(try Tables.open(url) is Table)
    }
  }

  @Test func valuesAreNumberedInTheOrderInWhichTheyCome() throws {
    let column = Column("c", text: ["b", "a", "b"])
    #expect(try column.classes().indices == [0, 1, 0])
    #expect(try column.classes().names == ["b", "a"])
    let error = #expect(throws: FormatError.self) { try Column("c", text: ["a", nil]).classes() }
    #expect(error?.description.contains("row 2 has no value") == true)
  }
}
