// Everything that the commands say goes through here: results to standard output, messages to standard error. In this
// module `print` is this one and not Swift's, which does not notice when its text is lost.

import Accelerando
import Foundation

/// Prints results. If they are lost, the command ends with an error; see `Entry`.
func print(_ items: Any..., separator: String = " ", terminator: String = "\n") {
  StandardStream.output.print(items.map { "\($0)" }.joined(separator: separator) + terminator)
}

/// Prints a value as JSON, over several lines.
func printJSON<Value: Encodable>(_ value: Value, snakeCase: Bool = false) throws {
  print(try JSON(encoding: value, snakeCase: snakeCase).text(.indented))
}

/// Writes a line to standard error: what a person may want to know and no script reads.
func tell(_ text: String) {
  StandardStream.errors.show("\(text)\n")
}

/// Writes a file, whole or not at all, or to standard output where the path is `-`.
/// - Throws: `FormatError` when the file cannot be written.
func writeFile(_ bytes: [UInt8], to path: String) throws {
  if path == "-" {
    StandardStream.output.print(bytes)
  } else {
    try AtomicFile.write(to: URL(fileURLWithPath: path)) { try $0.write(bytes) }
  }
}

/// Members of a JSON object followed by the values of metrics. A metric with the name of another member is prefixed
/// with `metric:`, so that no name is repeated.
func adding(_ metrics: [(String, Double)], to members: [(String, JSON)]) -> [(key: String, value: JSON)] {
  let taken = Set(members.map { ExactName($0.0) } + [ExactName("weights_sha256")])
  return members.map { (key: $0.0, value: $0.1) }
    + metrics.map { name, number in
      (key: taken.contains(ExactName(name)) ? "metric:\(name)" : name, value: JSON.number(number))
    }
}

/// ` Did you mean 'train'?`, or nothing where no word is near.
func suggestion(for word: String, among words: [String]) -> String {
  nearestWord(to: word, among: words).map { " Did you mean '\($0)'?" } ?? ""
}
