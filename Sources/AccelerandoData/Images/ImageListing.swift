// The files of a directory in an order that does not depend on the file system: classes by name, then files by name.

import AccelerandoFormats
import Foundation

/// The images below a directory.
struct ImageListing {
  var paths: [String] = []
  var labels: [Int] = []
  var classNames: [String] = []

  /// Lists a directory: a folder for each class, or only images.
  /// - Parameter refusesEmptyClasses: whether a folder without images is an error.
  init(_ directory: URL, classNames given: [String]?, refusesEmptyClasses: Bool = true) throws {
    let root = directory.path
    let entries = try Self.entries(of: root)
    let folders = entries.filter(\.isDirectory).map(\.name)
    if let given {
      if let absent = given.first(where: { !folders.contains($0) }) {
        throw FormatError(
          file: root, reason: "there is no folder of the class '\(absent)'",
          remedy: folders.isEmpty ? "The directory has no folders" : "There are \(Self.list(folders))")
      }
      if let twice = given.first(where: { name in given.count { $0 == name } > 1 }) {
        throw FormatError(file: root, reason: "the class '\(twice)' is named twice")
      }
    }
    classNames = given ?? folders
    for (label, name) in classNames.enumerated() {
      let before = paths.count
      try add("\(root)/\(name)", depth: 0)
      guard paths.count > before || !refusesEmptyClasses else {
        throw FormatError(
          file: "\(root)/\(name)", reason: "the folder of the class '\(name)' has no images in it",
          remedy: "Remove the folder, or name the classes that count")
      }
      labels += [Int](repeating: label, count: paths.count - before)
    }
    if classNames.isEmpty { paths = entries.filter(\.isImage).map { "\(root)/\($0.name)" } }
  }

  /// Adds the images of a folder, then those of the folders in it.
  private mutating func add(_ folder: String, depth: Int) throws {
    guard depth < 32 else { throw FormatError(file: folder, reason: "folders are nested too deeply here") }
    let entries = try Self.entries(of: folder)
    paths += entries.filter(\.isImage).map { "\(folder)/\($0.name)" }
    for entry in entries where entry.isDirectory { try add("\(folder)/\(entry.name)", depth: depth + 1) }
  }

  private struct Entry {
    var name: String
    var isDirectory: Bool
    var isImage: Bool
  }

  /// What a folder has, sorted by name; names that begin with a dot are left out.
  private static func entries(of folder: String) throws -> [Entry] {
    guard let handle = opendir(folder) else { throw FormatError.system("read the directory", file: folder) }
    defer { closedir(handle) }
    var result: [Entry] = []
    while let entry = readdir(handle) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name.hasPrefix(".") { continue }
      var isDirectory = entry.pointee.d_type == UInt8(DT_DIR)
      if [UInt8(DT_LNK), UInt8(DT_UNKNOWN)].contains(entry.pointee.d_type) {
        var status = stat()
        isDirectory = stat("\(folder)/\(name)", &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
      }
      result.append(Entry(name: name, isDirectory: isDirectory, isImage: !isDirectory && isImage(name)))
    }
    return result.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }

  /// Whether a file is an image, by the ending of its name.
  static func isImage(_ path: String) -> Bool {
    ImageFile.fileExtensions.contains((path as NSString).pathExtension.lowercased())
  }

  private static func list(_ names: [String]) -> String {
    names.prefix(10).joined(separator: ", ") + (names.count > 10 ? " and \(names.count - 10) more" : "")
  }
}
