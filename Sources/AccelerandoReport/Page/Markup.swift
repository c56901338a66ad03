// Text that people chose, such as names of runs and recipes, must never become part of a page's structure. So a piece of a page is
// a value that only this file can make: elements by fixed names, and text that is escaped on its way in.

/// A piece of a page: well-formed HTML.
public struct Markup: Sendable, Hashable {
  /// The piece as text.
  public let html: String

  private init(html: String) { self.html = html }

  /// Text as it is read, whatever characters it has.
  public static func text(_ text: String) -> Markup { Markup(html: escaped(text)) }

  /// Text that the program's source has, with its elements: a style sheet.
  static func verbatim(_ text: StaticString) -> Markup { Markup(html: "\(text)") }

  /// Several pieces, one after the other.
  static func all(_ pieces: [Markup]) -> Markup { Markup(html: pieces.map(\.html).joined()) }

  /// An element with its content.
  static func element(
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String>, _ content: [Markup]
  ) -> Markup {
    Markup(html: "<\(name)\(written(attributes))>" + content.map(\.html).joined() + "</\(name)>")
  }

  /// An element with a text as its content.
  static func element(
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String>, _ text: String
  ) -> Markup {
    element(name, attributes, [.text(text)])
  }

  /// An element without attributes.
  static func element(_ name: StaticString, _ content: [Markup]) -> Markup { element(name, [:], content) }

  /// An element without attributes, with a text as its content.
  static func element(_ name: StaticString, _ text: String) -> Markup { element(name, [:], [.text(text)]) }

  /// An element that has no content and no end: `<img …>`.
  static func empty(_ name: StaticString, _ attributes: KeyValuePairs<StaticString, String>) -> Markup {
    Markup(html: "<\(name)\(written(attributes))>")
  }

  private static func written(_ attributes: KeyValuePairs<StaticString, String>) -> String {
    attributes.map { " \($0.key)=\"\(escaped($0.value))\"" }.joined()
  }

  /// Characters that HTML has a meaning for become references. Those that no page may have become U+FFFD.
  private static func escaped(_ text: String) -> String {
    var result = ""
    result.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\n", "\t": result.unicodeScalars.append(scalar)
      case "\u{0}"..<"\u{20}", "\u{7F}"..<"\u{A0}": result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
