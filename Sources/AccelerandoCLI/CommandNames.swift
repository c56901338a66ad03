// The parser takes the name of a command that does not exist for an argument too many; people mean a command by it.

import Accelerando
import ArgumentParser
import Foundation

/// The names of commands among the words after the program's name.
enum CommandNames {
  /// Looks at the names, as far as they go.
  /// - Throws: `ValidationError` with the nearest name for one that does not exist.
  static func check(_ words: some Sequence<String>, of root: any ParsableCommand.Type) throws {
    var command = root
    for word in words.drop(while: { $0 == "help" }) where !command.configuration.subcommands.isEmpty {
      guard !word.hasPrefix("-"), word != "help" else { return }
      let known = command.configuration.subcommands
      guard let next = known.first(where: { names($0).contains(word) }) else {
        throw ValidationError(
          "there is no command '\(word)'.\(suggestion(for: word, among: known.flatMap(names))) "
            + "Known: \(known.flatMap(names).joined(separator: ", ")).")
      }
      command = next
    }
  }

  private static func names(_ command: any ParsableCommand.Type) -> [String] {
    [command._commandName] + command.configuration.aliases
  }
}
