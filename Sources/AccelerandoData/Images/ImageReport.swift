// Before training on images one wants to see them: how many of each class, what sizes, which files cannot be read, which are
// there twice, and some of them on one sheet.

import AccelerandoCore
import AccelerandoFormats
import Foundation

/// What is in a set of image files.
public struct ImageReport: Sendable {
  /// The number of files.
  public let count: Int
  /// The number of images of each class, in the order of the classes.
  public let classCounts: [(name: String, count: Int)]
  /// The sizes with the number of images of each, the most frequent first.
  public let sizes: [(size: ImageForm.Size, count: Int)]
  /// The formats with the number of images of each.
  public let formats: [(name: String, count: Int)]
  /// The numbers of channels with the number of images of each.
  public let channels: [(channels: ImageChannels, count: Int)]
  /// The files that cannot be read.
  public let unreadable: [ImageFolder.Unreadable]
  /// Files with the same bytes, together.
  public let duplicates: [[String]]
  /// The files by their bytes' digests.
  let files: [String: [String]]

  /// Reads all files.
  /// - Parameters:
  ///   - paths: the files.
  ///   - labels: the index of each file's class; empty for none.
  ///   - classNames: the names of the classes.
  /// - Throws: `FormatError` when the system cannot compute checksums.
  public init(paths: [String], labels: [Int] = [], classNames: [String] = []) throws {
    let looks = inParallel(paths.count) { row in try Look(paths[row]) }
    count = paths.count
    classCounts = classNames.enumerated().map { label, name in (name, labels.count { $0 == label }) }
    var unreadable: [ImageFolder.Unreadable] = []
    var known: [Look] = []
    var members: [String: [String]] = [:]
    for (path, look) in zip(paths, looks) {
      switch look {
      case .success(let look):
        known.append(look)
        members[look.digest, default: []].append(path)
      case .failure(let error): unreadable.append(ImageFolder.Unreadable(path: path, reason: "\(error)"))
      }
    }
    self.unreadable = unreadable
    func counted<Key: Hashable>(_ key: (Look) -> Key) -> [(Key, Int)] {
      Dictionary(known.map { (key($0), 1) }, uniquingKeysWith: +)
        .sorted { ($0.value, "\($1.key)") > ($1.value, "\($0.key)") }.map { ($0.key, $0.value) }
    }
    sizes = counted { ImageForm.Size(height: $0.header.height, width: $0.header.width) }.map { (size: $0, count: $1) }
    formats = counted(\.header.format).map { (name: $0, count: $1) }
    channels = counted(\.header.channels).map { (channels: $0, count: $1) }
    files = members
    duplicates = members.values.filter { $0.count > 1 }.sorted { $0[0] < $1[0] }
  }

  /// What one file shows.
  private struct Look: Sendable {
    let header: ImageHeader
    let digest: String

    /// Decodes the whole file: only that tells whether it can be read.
    init(_ path: String) throws {
      let contents = try FileContents(URL(fileURLWithPath: path))
      header = try ImageFile.header(contents)
      _ = try ImageFile.pixels(contents, channels: nil)
      let sum = try SHA256Digest()
      try contents.withUnsafeBytes { try sum.update($0) }
      digest = try sum.finish()
    }
  }
}

extension ImageFolder {
  /// Images side by side, the classes one below the other: a picture of the data.
  /// - Parameters:
  ///   - perClass: the most images of each class; the first ones.
  ///   - side: the height and the width of each.
  /// - Returns: uint8 `[height, width, channels]`, for `PNG.encoded(_:)`.
  /// - Throws: `FormatError` for an image that cannot be read.
  public func contactSheet(perClass: Int = 12, side: Int = 64) throws -> NDArray {
    let classes =
      classNames.isEmpty
      ? [Array(paths.indices)]
      : classNames.indices.map { label in
        labels.indices.filter { labels[$0] == label }
      }
    // Without classes, the rows are filled up.
    let columns = max(perClass, 1)
    let rows =
      classNames.isEmpty
      ? stride(from: 0, to: min(count, columns * columns), by: columns).map { Array(($0..<min($0 + columns, count))) }
      : classes.map { Array($0.prefix(columns)) }
    let (gap, side) = (2, max(side, 8))
    let width = gap + columns * (side + gap)
    let channels = form.channels.rawValue
    var sheet = [UInt8](repeating: 255, count: (gap + rows.count * (side + gap)) * width * channels)
    let wanted = ImageForm(
      size: ImageForm.Size(height: side, width: side), channels: form.channels, interpolation: .area, aspectRatio: .pad)
    for (line, members) in rows.enumerated() {
      let pictures = try inParallel(members.count) { place in
        try ImageFile.pixels(FileContents(URL(fileURLWithPath: self.paths[members[place]])), channels: wanted.channels)
          .resized(to: ImageForm.Size(height: side, width: side), wanted).bytes
      }.map { try $0.get() }
      for (column, picture) in pictures.enumerated() {
        for row in 0..<side {
          let start = ((gap + line * (side + gap) + row) * width + gap + column * (side + gap)) * channels
          sheet.replaceSubrange(
            start..<start + side * channels, with: picture[row * side * channels..<(row + 1) * side * channels])
        }
      }
    }
    return try NDArray(sheet, shape: [sheet.count / (width * channels), width, channels])
  }
}
