import AccelerandoCore
import AccelerandoTestSupport
import Foundation
import Testing

@testable import AccelerandoFormats

@Suite struct CSVTests {
  private func file(_ text: String, _ options: CSVOptions = CSVOptions()) throws -> CSVFile {
    try CSVFile(FileContents(Array(text.utf8), name: "x.csv"), options: options)
  }

  /// All fields of all rows as text.
  private func fields(_ file: CSVFile) throws -> [[String]] {
    let scan = try CSVScan(file, keepsNumbers: false)
    var rows: [[String]] = []
    for part in 0..<scan.partCount {
      try scan.visit(part: part, file.names.map { _ in true }) { visit in
        if visit.column == 0 { rows.append([]) }
        rows[rows.count - 1].append(try file.text(visit))
      }
    }
    #expect(rows.count == scan.count)
    return rows
  }

  private func failure(_ text: String, _ options: CSVOptions = CSVOptions()) -> FormatError? {
    #expect(throws: FormatError.self) { try fields(file(text, options)) }
  }

  @Test func quotedFieldsHoldDelimitersLineEndsAndQuotes() throws {
    let file = try file("a,b\n\"x,y\",\"say \"\"hi\"\"\"\n\"two\nlines\",\n")
    #expect(try fields(file) == [["x,y", "say \"hi\""], ["two\nlines", ""]])
  }

  @Test(arguments: [",", ";", "\t", "|"])
  func theDelimiterIsFound(_ delimiter: Character) throws {
    // The other candidates occur too, but not in every row.
    let others = [",", ";", "\t", "|"].filter { $0 != String(delimiter) }.joined()
    let rows = [["name\(others)", "value", "last"], ["u", "1.5", "z"], ["v", "2", "w\(others)"]]
    let file = try file(rows.map { $0.joined(separator: String(delimiter)) + "\n" }.joined())
    #expect(file.delimiter == delimiter)
    #expect(file.names.count == 3)
  }

  @Test func aToldDelimiterCounts() throws {
    #expect(try file("sep=|\na|b,c\n1|2\n").names == ["a", "b,c"])
    #expect(try file("a;b,c\n1;2,3\n", CSVOptions(delimiter: ",")).names == ["a;b", "c"])
  }

  @Test(arguments: [
    ("a,b\n1,2\n", ["a", "b"]), ("1,2\n3,4\n", ["column_1", "column_2"]), ("x,1\ny,2\n", ["column_1", "column_2"]),
    ("name,city\nanna,rome\n", ["name", "city"]), (",b\n1,2\n", ["column_1", "b"]),
    ("a,a,a.1\n1,2,3\n", ["a", "a.1", "a.1.1"]),
    ("\u{FEFF}a\n1\n", ["a"]),
  ])
  func theHeaderIsFound(_ text: String, _ names: [String]) throws {
    #expect(try file(text).names == names)
  }

  @Test func aHeaderMayBeDeniedOrInsistedOn() throws {
    #expect(try fields(file("a,b\nc,d\n", CSVOptions(hasHeader: false))) == [["a", "b"], ["c", "d"]])
    #expect(try file("1990,1991\n3,4\n", CSVOptions(hasHeader: true)).names == ["1990", "1991"])
  }

  @Test func blankLinesAndCommentsAreLeftOut() throws {
    let file = try file("# about\n\na,b\r\n\r\n1,2\r\n# \"x\n\n3,4", CSVOptions(comment: "#"))
    #expect(try fields(file) == [["1", "2"], ["3", "4"]])
  }

  @Test func lineEndsOfEverySystemEndRows() throws {
    for end in ["\n", "\r\n", "\r"] {
      #expect(
        try fields(file(["a,b", "1,\"x\"", "2,y"].joined(separator: end) + end)) == [["1", "x"], ["2", "y"]],
        "\(end.debugDescription)")
      #expect(try fields(file(["a,b", "1,x", "2,"].joined(separator: end))) == [["1", "x"], ["2", ""]])
    }
  }

  @Test func wrongRowsAreToldByTheirLine() {
    #expect(
      failure("a,b\n1,2\n\n3\n")?.description.contains("x.csv, line 4: the row has 1 field; the header has 2") == true)
    #expect(failure("a,b\n1,2,3\n")?.line == 2)
    #expect(
      failure("a,b\n1,\"2\n3,4\n")?.description.contains("line 2: a quote opens here and is never closed") == true)
    #expect(failure("a,b\n1,\"2\"x\n")?.description.contains("line 2: text follows the closing quote") == true)
    #expect(failure("1,2\n1,2\n3\n")?.description.contains("the first row has 2") == true)
  }

  @Test func otherFilesAndEncodingsAreRefusedByName() throws {
    func refused(_ bytes: [UInt8]) -> String {
      let error = #expect(throws: FormatError.self) { try fields(CSVFile(FileContents(bytes, name: "x.csv"))) }
      return error?.description ?? ""
    }
    #expect(refused([]).contains("is empty"))
    #expect(refused([0xFF, 0xFE, 0x61, 0]).contains("UTF-16"))
    #expect(refused(Array("PK\u{3}\u{4}\u{0}".utf8)).contains("it is a zip archive"))
    #expect(refused(Array("a\nb\n".utf8) + [0x63, 0xFC, 10]).contains("line 3: 'c\u{FFFD}' is not UTF-8"))
    #expect(throws: FormatError.self) { try file("a\n1\n", CSVOptions(delimiter: "é")) }
  }

  @Test func gzippedFilesAreRead() throws {
    let bytes = try Array("a,b\n1,x\n".utf8).withUnsafeBytes { try Gzip.compress($0) }
    #expect(try fields(CSVFile(FileContents(bytes, name: "x.csv.gz"))) == [["1", "x"]])
  }

  /// Files of several parts, with quotes around what looks like rows.
  @Test(arguments: [false, true])
  func aLargeFileIsReadInPartsAsInOne(_ hasQuotes: Bool) throws {
    var random = RandomSource(seed: 5)
    var rows: [[String]] = []
    var text = "n,word,m\n"
    while text.utf8.count < 5 << 20 {
      var word = (0..<random.integer(0...60)).map { _ in random.pick(["a", "b", " ", "5\" "]) }.joined()
      if hasQuotes { word += random.pick(["", ",", "\n", "\n1,x,2\n", "\"", "\"\n"]) }
      let row = [String(random.integer(-99...99)), word, String(rows.count)]
      rows.append(row)
      let isQuoted = hasQuotes && (word.contains(where: { ",\n\"".contains($0) }) || random.chance(0.2))
      text += "\(row[0]),\(isQuoted ? "\"\(word.replacingOccurrences(of: "\"", with: "\"\""))\"" : word),\(row[2])\n"
    }
    let file = try file(text)
    #expect(try fields(file) == rows)
    let scan = try CSVScan(file, keepsNumbers: true)
    #expect(scan.partCount > 3)
    #expect(scan.hasNumbers(of: 2))
    #expect(scan.numbers(of: 2).elements(as: Int64.self).map { Int($0) } == Array(rows.indices))
    var found: [String] = []
    let chosen = (0..<200).map { _ in random.integer(0...rows.count - 1) }
    try scan.visit(rows: chosen, [false, true, false]) { found.append(try file.text($0)) }
    #expect(found == chosen.map { rows[$0][1] })
  }

  @Test func damagedFilesAreReadOrRefusedAndNeverTrap() throws {
    let text =
      "id;name;size;day;ok\n1;\"a;\"\"b\"\"\";1.5e3;2020-02-29;true\n2;c;NA;2021-01-01 10:00;false\n;\"x\ny\";-7;;\n"
    let words = [
      "\"", "\"\"", ";", "\r\n", "\n", "\r", "NA", "1e999", "-", "e", "nan", "2020-13-01", "\u{FEFF}", "sep=,\n", "'",
      "#",
    ]
    var random = RandomSource(seed: 11)
    var refused = 0
    for round in 0..<Mutation.rounds {
      let damaged = Mutation.damaged(Array(text.utf8), words: words, using: &random)
      let options = CSVOptions(comment: round % 3 == 0 ? "#" : nil, decimal: round % 2 == 0 ? "." : ",")
      do {
        let file = try CSVFile(FileContents(damaged, name: "x.csv"), options: options)
        let scan = try CSVScan(file, keepsNumbers: true)
        for column in file.names.indices { #expect(scan.numbers(of: column).elementCount == scan.count) }
        _ = try fields(file)
      } catch let error as FormatError {
        refused += 1
        #expect(error.file.hasPrefix("x.csv"))
      }
    }
    #expect(refused > Mutation.rounds / 10)
  }
}

@Suite struct DateTextTests {
  private func seconds(_ text: String) -> Double? {
    Array(text.utf8).withUnsafeBufferPointer { DateText.seconds($0) }
  }

  @Test func daysAreCountedAsByFoundation() throws {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = try #require(TimeZone(secondsFromGMT: 0))
    var random = RandomSource(seed: 4)
    for _ in 0..<2000 {
      let (year, month, day) = (random.integer(1600...2400), random.integer(1...12), random.integer(1...28))
      let date = calendar.date(from: DateComponents(year: year, month: month, day: day))
      #expect(seconds(String(format: "%04d-%02d-%02d", year, month, day)) == date?.timeIntervalSince1970)
    }
  }

  @Test(arguments: [
    ("1970-01-01", 0.0), ("1969-12-31", -86_400), ("2000-02-29", 951_782_400), ("2020/1/2 03:04", 1_577_934_240),
    ("2020-01-02T03:04:05Z", 1_577_934_245), ("2020-01-02T03:04:05.25+01:00", 1_577_930_645.25),
    ("2020-01-02 03:04:05 -0130", 1_577_939_645), ("31.12.1999", 946_598_400), ("Jan 2 1970", 86_400),
    ("2 January 1970", 86_400), ("02-Jan-1970", 86_400),
  ])
  func formsThatCannotBeMistakenAreRead(_ text: String, _ expected: Double) { #expect(seconds(text) == expected) }

  @Test(arguments: [
    "2021-02-29", "2020-13-01", "2020-00-10", "2020-01-32", "01/02/2020", "2020-01-02x", "2020-01-02 25:00", "2020",
    "12:30",
    "1900-02-29", "31.11.2020", "",
  ])
  func whatIsNoDateIsRefused(_ text: String) { #expect(seconds(text) == nil) }

  @Test(arguments: [
    ("%d/%m/%Y", "01/02/1970", 31 * 86_400.0), ("%m/%d/%y", "01/02/70", 86_400), ("%Y%m%d%H%M", "197001020105", 90_300),
    ("%d.%m.%Y %I:%M %p", "1.1.1970 12:30 AM", 1800), ("%H:%M:%S.%f", "00:00:01.5", 1.5), ("%s", "86400", 86_400),
    ("%Y-%m-%d %z", "1970-01-01 +0100", -3600), ("100%%%Y", "100%1970", 0),
  ])
  func patternsAreReadAsByStrptime(_ pattern: String, _ text: String, _ expected: Double) throws {
    let pattern = try DatePattern(pattern)
    #expect(Array(text.utf8).withUnsafeBufferPointer { pattern.seconds($0) } == expected)
  }

  @Test func anUnknownMarkIsRefused() {
    let error = #expect(throws: FormatError.self) { try DatePattern("%Q") }
    #expect(error?.description.contains("%Q is not known") == true)
  }
}
