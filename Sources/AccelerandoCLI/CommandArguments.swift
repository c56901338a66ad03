// The command line before it is parsed, for cases in which the parser's own messages would be misleading.

import Accelerando
import ArgumentParser
import Foundation

/// The words after the program's name.
struct CommandArguments {
  /// The words for the parser: a negative number is joined to the option before it, which would otherwise be reported
  /// to have no value.
  let values: [String]

  init(_ words: some Sequence<String>) {
    var values: [String] = []
    var isOption = false
    for word in words {
      if isOption, word.hasPrefix("-"), Double(word) != nil, let option = values.popLast() {
        values.append("\(option)=\(word)")
        isOption = false
      } else {
        values.append(word)
        isOption = word.hasPrefix("--") && word.count > 2 && !word.contains("=")
      }
    }
    self.values = values
  }

  /// Looks at the names of commands, as far as they go.
  /// - Throws: `ValidationError` with the nearest name for one that does not exist.
  func checkCommand(_ root: any ParsableCommand.Type) throws {
    var command = root
    for word in values.drop(while: { $0 == "help" }) where !command.configuration.subcommands.isEmpty {
      guard !word.hasPrefix("-"), word != "help" else { return }
      let known = command.configuration.subcommands
      guard let next = known.first(where: { Self.names($0).contains(word) }) else {
        throw ValidationError(
          "there is no command '\(word)'.\(suggestion(for: word, among: known.flatMap(Self.names))) "
            + "Known: \(known.flatMap(Self.names).joined(separator: ", ")).")
      }
      command = next
    }
  }

  private static func names(_ command: any ParsableCommand.Type) -> [String] {
    [command._commandName] + command.configuration.aliases
  }
}
