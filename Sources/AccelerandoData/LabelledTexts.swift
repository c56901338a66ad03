// Texts in files: a folder for each class with a file for each text, or a file for each class with a text on each line.
// They are read in the order of their names, so that the same folder is the same data everywhere.

import AccelerandoFormats
import Foundation

/// Texts and the class of each.
public struct LabelledTexts: Hashable, Sendable {
  /// The texts.
  public private(set) var texts: [String] = []
  /// The index of each text's class; empty where there are no classes.
  public private(set) var labels: [Int] = []
  /// The names of the classes, in the order of their bytes; empty where there are none.
  public private(set) var classNames: [String] = []
  /// Where each text comes from: its file, with the line if it is one of several.
  public private(set) var origins: [String] = []
  /// The texts that are empty or white space, by their numbers: most likely a mistake.
  public private(set) var emptyTexts: [Int] = []

  /// The number of texts.
  public var count: Int { texts.count }

  /// The endings of the names of text files.
  static let endings = ["txt", "text"]

  /// Reads what is at a place: a file with a text on each line, a folder with a file of lines for each class, or a folder
  /// with a folder for each class and a file for each text.
  /// - Parameters:
  ///   - url: the file or the folder.
  ///   - encoding: how bytes are read.
  /// - Throws: `FormatError` when there is nothing to read, a class has no texts, or bytes are no text.
  public init(_ url: URL, encoding: TextEncoding = .utf8) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
      throw FormatError(file: url.path, reason: "does not exist", remedy: "Check the path")
    }
    guard isFolder.boolValue else {
      try addLines(of: url, encoding)
      guard count > 0 else {
        throw FormatError(file: url.path, reason: "is empty: there is no line of text in it")
      }
      return
    }
    let (folders, files) = try Self.entries(of: url)
    switch (folders.isEmpty, files.isEmpty) {
    case (true, true):
      throw FormatError(
        file: url.path, reason: "has no folders of text files, and no text files (.txt)",
        remedy:
          "Make a folder for each class with a file for each text, or a file for each class with a text on each line"
      )
    case (false, false):
      throw FormatError(
        file: url.path,
        reason:
          "has folders ('\(folders[0].lastPathComponent)') and text files ('\(files[0].lastPathComponent)') side by side",
        remedy:
          "Classes are folders with a file for each text, or files with a text on each line; move the others away"
      )
    case (true, false):
      for file in files {
        try addClass(file.deletingPathExtension().lastPathComponent, file) {
          try $0.addLines(of: file, encoding)
        }
      }
    case (false, true):
      for folder in folders {
        try addClass(folder.lastPathComponent, folder) { texts in
          for file in try Self.files(under: folder) {
            try texts.add(TextFile.read(file, encoding: encoding), file.path)
          }
        }
      }
    }
  }

  private mutating func addClass(
    _ name: String, _ url: URL, _ add: (inout LabelledTexts) throws -> Void
  ) throws {
    let before = count
    try add(&self)
    guard count > before else {
      throw FormatError(
        file: url.path, reason: "is a class without any text",
        remedy: "Put .txt files or lines into it, or remove it")
    }
    labels += [Int](repeating: classNames.count, count: count - before)
    classNames.append(name)
  }

  private mutating func addLines(of file: URL, _ encoding: TextEncoding) throws {
    for (number, line) in try TextFile.lines(file, encoding: encoding).enumerated() {
      try add(line, "\(file.path):\(number + 1)")
    }
  }

  private mutating func add(_ text: String, _ origin: String) throws {
    if text.allSatisfy(\.isWhitespace) { emptyTexts.append(count) }
    texts.append(text)
    origins.append(origin)
  }

  /// The folders and text files directly inside a folder, in the order of their names. Hidden ones are left out.
  private static func entries(of folder: URL) throws -> (folders: [URL], files: [URL]) {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { !$0.hasPrefix(".") }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    var (folders, files): ([URL], [URL]) = ([], [])
    for name in names {
      let url = folder.appendingPathComponent(name)
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
        continue
      }
      if isFolder.boolValue {
        folders.append(url)
      } else if endings.contains(url.pathExtension.lowercased()) {
        files.append(url)
      }
    }
    return (folders, files)
  }

  /// The text files inside a folder and the folders in it, in the order of their paths.
  private static func files(under folder: URL, depth: Int = 0) throws -> [URL] {
    // Links may lead in a circle.
    guard depth < 32 else {
      throw FormatError(
        file: folder.path, reason: "is a folder more than 32 folders deep",
        remedy: "Is there a link to a folder above?")
    }
    let (folders, files) = try entries(of: folder)
    return try files + folders.flatMap { try self.files(under: $0, depth: depth + 1) }
  }
}
