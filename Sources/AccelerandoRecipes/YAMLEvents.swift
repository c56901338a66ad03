// The events of a YAML text, one after the other, from libyaml, which the package Yams brings along. Yams itself would
// build its own tree first; by then a few aliases can have become more than memory holds.

import AccelerandoNN
import CYaml

/// An event of the parser.
struct YAMLEvent {
  enum Kind {
    case documentStart, documentEnd, streamStart, streamEnd
    /// A scalar; plain ones are what they look like.
    case scalar(String, isPlain: Bool)
    case sequenceStart, mappingStart
    /// The end of a sequence or mapping.
    case end
    /// Stands for the node with this anchor.
    case alias(String)
  }

  let kind: Kind
  /// The tag as the text has it, resolved: `tag:yaml.org,2002:str`.
  let tag: String?
  let anchor: String?
  /// From 1.
  let line: Int
}

/// Reads the events of a text.
final class YAMLEventReader {
  private let file: String
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let text: UnsafeMutableBufferPointer<UInt8>

  /// - Throws: `ConfigError` when there is no memory for a parser.
  init(_ text: String, file: String) throws {
    self.file = file
    self.text = .allocate(capacity: max(text.utf8.count, 1))
    _ = self.text.initialize(from: text.utf8)
    parser = .allocate(capacity: 1)
    parser.initialize(to: yaml_parser_t())
    guard yaml_parser_initialize(parser) == 1 else {
      throw ConfigError("there is no memory to read YAML.", at: SourceLocation(file: file, line: 1))
    }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, self.text.baseAddress, text.utf8.count)
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
    text.deallocate()
  }

  /// The next event.
  /// - Throws: `ConfigError` with the line where the text is not YAML.
  func next() throws -> YAMLEvent {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw failure }
    defer { yaml_event_delete(&event) }
    func string(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? { pointer.map { String(cString: $0) } }
    func made(
      _ kind: YAMLEvent.Kind, tag: UnsafeMutablePointer<yaml_char_t>? = nil,
      anchor: UnsafeMutablePointer<yaml_char_t>? = nil
    ) -> YAMLEvent {
      YAMLEvent(kind: kind, tag: string(tag), anchor: string(anchor), line: Int(event.start_mark.line) + 1)
    }
    switch event.type {
    case YAML_STREAM_START_EVENT: return made(.streamStart)
    case YAML_DOCUMENT_START_EVENT: return made(.documentStart)
    case YAML_DOCUMENT_END_EVENT: return made(.documentEnd)
    case YAML_ALIAS_EVENT: return made(.alias(string(event.data.alias.anchor) ?? ""))
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      let value = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      return made(
        .scalar(value, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE), tag: scalar.tag, anchor: scalar.anchor)
    case YAML_SEQUENCE_START_EVENT:
      return made(.sequenceStart, tag: event.data.sequence_start.tag, anchor: event.data.sequence_start.anchor)
    case YAML_MAPPING_START_EVENT:
      return made(.mappingStart, tag: event.data.mapping_start.tag, anchor: event.data.mapping_start.anchor)
    case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: return made(.end)
    default: return made(.streamEnd)
    }
  }

  private var failure: ConfigError {
    let state = parser.pointee
    func string(_ pointer: UnsafePointer<CChar>?) -> String? { pointer.map { String(cString: $0) } }
    if state.error == YAML_READER_ERROR {
      return ConfigError(
        "this is not text: \(string(state.problem) ?? "it cannot be read") (at byte \(state.problem_offset)).",
        at: SourceLocation(file: file, line: 1))
    }
    let reason = [string(state.context), string(state.problem)].compactMap { $0 }.joined(separator: " ")
    return ConfigError(
      "this is not YAML: \(reason).", at: SourceLocation(file: file, line: Int(state.problem_mark.line) + 1))
  }
}
