// The names that arrays have in a file of several: `x_train` and `y_train`, `x_test` and `y_test` for validation, and with
// the names of inputs and outputs behind where a model has several.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain

/// The names of the arrays of one part of the data.
struct ArchiveNames {
  /// What the arrays are for.
  enum Part: String {
    case train, test
  }

  /// An array, by the names that it may have, the preferred one first.
  struct Wanted {
    /// The name of the input or the output; nil for the only one.
    let name: String?
    let names: [String]
  }

  let inputs: [Wanted]
  let targets: [Wanted]

  /// - Parameters:
  ///   - inputs: the names of the model's inputs; empty for one that has none.
  ///   - targets: the names of the outputs that have labels; empty for one that has none.
  init(_ part: Part, _ inputs: [String], _ targets: [String]) {
    func wanted(_ letter: String, _ names: [String]) -> [Wanted] {
      let plain = ["\(letter)_\(part.rawValue)"] + (part == .train ? [letter] : [])
      if names.isEmpty { return [Wanted(name: nil, names: plain)] }
      return names.map { name in
        var all = ["\(letter)_\(part.rawValue)_\(name)"] + (part == .train ? ["\(letter)_\(name)"] : [])
        if names.count == 1 { all = plain + all }
        return Wanted(name: name, names: all)
      }
    }
    // The only input is found by its place.
    self.inputs = wanted("x", inputs).map { Wanted(name: inputs.count > 1 ? $0.name : nil, names: $0.names) }
    self.targets = wanted("y", targets)
  }

  /// The names that messages tell people to use.
  var preferred: [String] { (inputs + targets).map { $0.names[0] } }

  /// The name that an array has in a file; nil if it is not there.
  func found(_ wanted: Wanted, in archive: NPZArchive) -> String? {
    wanted.names.first { archive.names.contains($0) }
  }

  /// The names of the arrays that are there.
  func present(in archive: NPZArchive) -> [String] { (inputs + targets).compactMap { found($0, in: archive) } }

  /// The names of all arrays.
  /// - Throws: `FormatError` when one is not there.
  func all(in archive: NPZArchive) throws -> (inputs: [String], targets: [String]) {
    let names = (inputs.map { found($0, in: archive) }, targets.map { found($0, in: archive) })
    let (first, second) = (names.0.compactMap { $0 }, names.1.compactMap { $0 })
    guard first.count == inputs.count, second.count == targets.count else { throw lacks(archive) }
    return (first, second)
  }

  func read(_ archive: NPZArchive) throws -> LabelledArrays {
    let names = try all(in: archive)
    func parts(_ wanted: [Wanted], _ names: [String]) throws -> [LabelledArrays.Part] {
      try zip(wanted, names).compactMap { wanted, name in
        try archive.array(name).map { (wanted.name, $0, "\(name) of \(archive.file)") }
      }
    }
    return try LabelledArrays(inputs: parts(inputs, names.inputs), targets: parts(targets, names.targets))
  }

  private func lacks(_ archive: NPZArchive) -> FormatError {
    let missing = (inputs + targets).filter { found($0, in: archive) == nil }.map { $0.names[0] }
    let used = Set((inputs + targets).flatMap(\.names))
    let others = archive.names.filter { !used.contains($0) }
    let nearest = missing.compactMap { name in nearestWord(to: name, among: others).map { "'\($0)' to '\(name)'" } }
    return FormatError(
      file: archive.file,
      reason: "should hold \(preferred.joined(separator: preferred.count > 2 ? ", " : " and ")); it holds "
        + (archive.names.isEmpty ? "no arrays" : archive.names.joined(separator: ", ")),
      remedy: nearest.isEmpty ? nil : "Rename \(nearest.joined(separator: ", "))")
  }
}
