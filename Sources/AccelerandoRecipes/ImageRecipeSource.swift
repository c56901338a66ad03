// Images: a folder for each class, or a table with the names of files and what belongs to them.

import AccelerandoCore
import AccelerandoData
import AccelerandoFormats
import AccelerandoNN
import Foundation

/// `images: DIRECTORY`, with a folder for each class, or `images: FILE`, a CSV with a column of file names.
struct ImageRecipeSource: ColumnSource {
  static let key = "images"
  static let about =
    "Images: a folder for each class, or a CSV with a column of file names. Bytes, decoded beside the steps and kept."

  /// What channels are called in recipes, as in Keras.
  private enum ColorMode: String, CaseIterable {
    case grayscale, rgb, rgba

    var channels: ImageChannels {
      switch self {
      case .grayscale: .gray
      case .rgb: .rgb
      case .rgba: .rgba
      }
    }
  }

  /// Where decoded images are kept.
  private enum CacheMode: String, CaseIterable {
    case auto, memory, file, none

    var storage: ImageCache.Storage {
      switch self {
      case .auto: .automatic
      case .memory: .memory
      case .file: .file()
      case .none: .none
      }
    }
  }

  var classNames: [String]? { stage.classNames }

  /// The columns that a directory has.
  static let (fileColumn, classColumn) = ("file", "class")

  let path: String
  let stage: StageSettings
  let split: SplitSettings
  let names: DataNames
  let validationPath: String?
  let testPath: String?
  private let form: ImageForm
  private let skips: Bool
  private let storage: ImageCache.Storage
  private let imageColumn: String?

  init(_ reader: ConfigReader, for model: DataNames) throws {
    names = model
    path = try reader.string(
      Self.key, about: "The directory, with a folder for each class; or a CSV with a row for each image")
    let size = try reader.optionalPair("image_size")
    let channels = try reader.choice("color_mode", default: ColorMode.rgb).channels
    let interpolation = try reader.choice("interpolation", default: Interpolation.bilinear)
    let crops = try reader.bool(
      "crop_to_aspect_ratio", default: false, about: "Whether the middle is cut out of images of other proportions")
    let pads = try reader.bool(
      "pad_to_aspect_ratio", default: false, about: "Whether images of other proportions get black margins")
    if crops, pads { throw reader.refused("pad_to_aspect_ratio", "false where 'crop_to_aspect_ratio' is true") }
    form = ImageForm(
      size: size.map { ImageForm.Size(height: $0.0, width: $0.1) }, channels: channels, interpolation: interpolation,
      aspectRatio: crops ? .crop : pads ? .pad : .stretch)
    skips = try reader.bool("skip", default: false, about: "Whether images that cannot be read are left out")
    storage = try reader.choice("cache", default: CacheMode.auto, about: "Where decoded images are kept").storage
    imageColumn = try reader.optionalString("image_column", about: "The column of a CSV with the names of the files")
    var stage = try StageSettings(reader)
    validationPath = try reader.optionalString(
      "validation", about: "A directory or a file of the same kind for validation")
    testPath = try reader.optionalString("test", about: "A directory or a file of the same kind for 'evaluate'")
    split = try SplitSettings(reader, hasColumns: true)
    for (path, key, size) in [
      (validationPath, "validation", split.validation), (testPath, "test", split.test),
    ] where path != nil && size > 0 {
      throw ConfigError(
        "\(reader.subject): the samples for \(key) come from '\(key)' or '\(key)_split', not from both.",
        at: reader.value(key)?.location)
    }
    if case .unsaid = stage.targets, !Self.isTable(path) { stage.targets = .only([Self.classColumn]) }
    if stage.id == nil, !Self.isTable(path) { stage.id = Self.fileColumn }
    self.stage = stage
  }

  private static func isTable(_ path: String) -> Bool {
    [".csv", ".tsv", ".csv.gz", ".tsv.gz"].contains { path.lowercased().hasSuffix($0) }
  }

  func open(_ url: URL, hasTargets: Bool) throws -> RawSamples {
    if Self.isTable(url.path) { return try openTable(url) }
    let images = try ImageFolder(
      url, form: form, skip: skips, storage: storage, classNames: hasTargets ? classNames : nil)
    guard !hasTargets || !images.classNames.isEmpty else {
      throw FormatError(
        file: url.path, reason: "has images, but no folders, which say their classes",
        remedy: "Make a folder for each class")
    }
    let prefix = "\(url.path)/"
    let files = images.paths.map { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : $0 }
    var columns = [Column(Self.fileColumn, text: files)]
    if !images.classNames.isEmpty {
      columns.append(Column(Self.classColumn, text: images.labels.map { images.classNames[$0] }))
    }
    return RawSamples(try Table(columns, name: url.path), picture: try Self.picture(images))
  }

  private func openTable(_ url: URL) throws -> RawSamples {
    let table = try Table(contentsOf: url)
    let folder = url.deletingLastPathComponent()
    let column = try imageColumn.map { try table.column($0) } ?? Self.fileColumn(of: table)
    let files = try column.strings.enumerated().map { row, name in
      guard let name, !name.isEmpty else {
        throw FormatError(file: url.path, reason: "row \(row + 1) has no file name in the column '\(column.name)'")
      }
      return name.hasPrefix("/") ? name : folder.appendingPathComponent(name).path
    }
    let images = try ImageFolder(paths: files, name: url.path, form: form, skip: skips, storage: storage)
    let rows = images.keptRows
    return RawSamples(rows.count == files.count ? table : try table.rows(rows), picture: try Self.picture(images))
  }

  /// The column whose values end as image files do.
  private static func fileColumn(of table: Table) throws -> Column {
    let found = table.columns.first { column in
      guard let name = column.strings.lazy.compactMap({ $0 }).first else { return false }
      return ImageFile.fileExtensions.contains((name as NSString).pathExtension.lowercased())
    }
    guard let found else {
      throw FormatError(
        file: table.name, reason: "has no column with the names of image files",
        remedy: "Name it in the recipe: 'image_column: COLUMN'")
    }
    return found
  }

  private static func picture(_ images: ImageFolder) throws -> PictureInput {
    PictureInput(type: images.imageType, identity: try images.identity) { try images.images($0) }
  }
}
