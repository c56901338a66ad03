// Tables as text: the form in which most data are passed on. What the standard leaves open (RFC 4180 has no types, no
// missing values and one delimiter) is found by looking, and can be said instead.

import Foundation

/// How a CSV file is written. What is nil is found by looking at its beginning.
public struct CSVOptions: Sendable, Hashable {
  /// What separates fields: `,`, `;`, a tab, `|` or another ASCII character.
  public var delimiter: Character?
  /// Whether the first row has the names of the columns.
  public var hasHeader: Bool?
  /// Lines that begin with this ASCII character are left out.
  public var comment: Character?
  /// What separates a fraction: a point, or a comma as in much of Europe.
  public var decimal: Character
  /// The fields that stand for a missing value. An empty field always does.
  public var missing: [String]

  /// The words that pandas takes as missing values, and `none`.
  public static let missingWords = [
    "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
    "NaN", "None", "n/a", "nan", "none", "null",
  ]

  /// Makes a description of a file.
  public init(
    delimiter: Character? = nil, hasHeader: Bool? = nil, comment: Character? = nil, decimal: Character = ".",
    missing: [String] = CSVOptions.missingWords
  ) {
    self.delimiter = delimiter
    self.hasHeader = hasHeader
    self.comment = comment
    self.decimal = decimal
    self.missing = missing
  }
}

/// The bytes that structure a CSV file.
struct CSVSyntax: Sendable, Hashable {
  var delimiter: UInt8
  /// What ends a row: a line feed, before which a carriage return does not count, or a carriage return alone.
  var newline: UInt8
  var comment: UInt8?
  static let quote = UInt8(ascii: "\"")
}

/// A CSV file that is open, with its delimiter and the names of its columns. Its rows are read when they are asked for.
///
/// Fields may be quoted; a quoted one may hold delimiters, line feeds, and quotes written twice. A byte order mark, a line
/// `sep=;`, blank lines and comments are left out. Text is UTF-8. gzip is recognized by the first bytes.
public struct CSVFile: Sendable {
  /// The names of the columns; `column_1`, … where the file has none.
  public let names: [String]
  /// Whether the first row has the names.
  public let hasHeader: Bool
  /// What separates the fields.
  public var delimiter: Character { Character(Unicode.Scalar(syntax.delimiter)) }
  /// The file's path.
  public var name: String { contents.name }
  /// The number of bytes, of a compressed file when it is unpacked.
  public var byteCount: Int { contents.count }

  let contents: FileContents
  let syntax: CSVSyntax
  /// What fields mean.
  package let fields: CSVFieldReader
  /// Where the rows of data are.
  let body: Range<Int>

  /// Opens a file and reads its header.
  /// - Throws: `FormatError` when it cannot be opened, is empty, is no text in UTF-8, or its first rows are damaged.
  public init(_ url: URL, options: CSVOptions = CSVOptions()) throws {
    try self.init(FileContents(url), options: options)
  }

  /// Reads the header of a file that is already open.
  public init(_ source: FileContents, options: CSVOptions = CSVOptions()) throws {
    var contents = source
    if Gzip.isGzip(source) {
      let memory = Int(clamping: ProcessInfo.processInfo.physicalMemory / 4)
      contents = FileContents(try Gzip.decompress(source, limit: memory), name: source.name)
    }
    try Self.checkText(contents)
    self.contents = contents
    var start = contents.withUnsafeBytes { $0.starts(with: [0xEF, 0xBB, 0xBF]) } ? 3 : 0
    func byte(_ character: Character, _ what: String) throws -> UInt8 {
      guard let byte = character.asciiValue, byte != CSVSyntax.quote, byte != 10, byte != 13 else {
        throw FormatError(
          file: contents.name, reason: "\(what) is '\(character)'; it must be one ASCII character other than a quote")
      }
      return byte
    }
    var syntax = CSVSyntax(
      delimiter: try options.delimiter.map { try byte($0, "the delimiter") } ?? 0,
      newline: Self.newline(contents), comment: try options.comment.map { try byte($0, "the mark of comments") })
    // Excel's way to tell the delimiter.
    if let (told, end) = Self.toldDelimiter(contents, from: start, newline: syntax.newline) {
      start = end
      if options.delimiter == nil { syntax.delimiter = told }
    }
    if syntax.delimiter == 0 { syntax.delimiter = Self.likelyDelimiter(contents, from: start, syntax) }
    self.syntax = syntax
    fields = CSVFieldReader(
      decimal: try byte(options.decimal, "the decimal separator"), missing: options.missing)
    let sample = try Self.firstRows(contents, from: start, syntax, limit: 100)
    guard let first = sample.first else {
      throw FormatError(file: contents.name, reason: "has no rows", remedy: "Check that it is the right file")
    }
    hasHeader = options.hasHeader ?? Self.looksLikeHeader(sample.map(\.fields), fields)
    names =
      hasHeader
      ? try Self.distinctNames(first.fields, in: contents, at: first.offset)
      : first.fields.indices.map { "column_\($0 + 1)" }
    let bodyStart = hasHeader ? first.end : start
    body = bodyStart..<contents.count
  }

  /// An error at a byte, which tells its line.
  package func error(at offset: Int, _ reason: String, remedy: String? = nil) -> FormatError {
    Self.error(contents, syntax.newline, at: offset, reason, remedy: remedy)
  }

  static func error(
    _ contents: FileContents, _ newline: UInt8, at offset: Int, _ reason: String, remedy: String? = nil
  ) -> FormatError {
    let line = contents.withUnsafeBytes { bytes in
      bytes[..<min(max(offset, 0), bytes.count)].reduce(1) { $0 + ($1 == newline ? 1 : 0) }
    }
    return FormatError(file: contents.name, line: line, reason: reason, remedy: remedy)
  }
}
