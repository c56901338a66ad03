// Configurations as JSON text, both ways: they keep the order of keys, and the line that each thing stands in.

import AccelerandoFormats

extension Config {
  /// Reads JSON.
  /// - Parameters:
  ///   - text: the JSON text.
  ///   - file: the name of the text in errors.
  /// - Throws: `ConfigError` with the line.
  public init(json text: String, file: String) throws {
    do {
      self.init(try JSON(parsing: Array(text.utf8)), file: file)
    } catch let error as JSONError {
      throw ConfigError(
        "\(error.message) (at byte \(error.offset))", at: SourceLocation(file: file, line: error.line))
    }
  }

  private init(_ json: JSON, file: String) {
    let location = SourceLocation(file: file, line: json.line)
    switch json.value {
    case .null: self.init(.null, at: location)
    case .bool(let value): self.init(.bool(value), at: location)
    case .int(let value): self.init(.int(value), at: location)
    case .double(let value): self.init(.double(value), at: location)
    case .string(let value): self.init(.string(value), at: location)
    case .array(let values): self.init(.array(values.map { Config($0, file: file) }), at: location)
    case .object(let members):
      let entries = members.map { member in
        Entry(
          member.key, Config(member.value, file: file), at: SourceLocation(file: file, line: member.line))
      }
      self.init(.object(entries), at: location)
    }
  }

  /// The configuration as JSON text with two spaces of indentation.
  public var json: String { tree.text(.indented) + "\n" }

  private var tree: JSON {
    switch value {
    case .null: JSON(.null)
    case .bool(let value): JSON(.bool(value))
    case .int(let value): JSON(.int(value))
    // JSON has no infinities and no NaN; text is what a reader of numbers will refuse with a clear error.
    case .double(let value): JSON(value.isFinite ? .double(value) : .string(value.isNaN ? "nan" : "\(value)"))
    case .string(let value): JSON(.string(value))
    case .array(let values): JSON(.array(values.map(\.tree)))
    case .object(let entries): JSON(entries.map { ($0.key, $0.value.tree) })
    }
  }
}
