// Texts in files: the classes are folders, or files of lines.

import AccelerandoData
import AccelerandoFormats
import AccelerandoNN
import Foundation

/// `text: DIRECTORY`, with a folder for each class and a file for each text, or a file for each class and a text on each line.
struct TextRecipeSource: ColumnSource {
  static let key = "text"
  static let about =
    "Texts in a folder for each class, with a file (.txt) for each text; or in a file for each class, with a text on each line. "
    + "A layer that reads text, such as TextVectorization, stands in front of the model."

  let path: String
  let stage: StageSettings
  let split: SplitSettings
  let names: DataNames
  let validationPath: String?
  let testPath: String?
  private let encoding: TextEncoding

  init(_ reader: ConfigReader, for model: DataNames) throws {
    names = model
    path = try reader.string(Self.key, about: "The directory of the folders or files")
    var stage = StageSettings()
    stage.features = .only(["text"])
    stage.targets = .only(["label"])
    stage.id = "origin"
    try stage.readLabels(reader)
    self.stage = stage
    encoding = try reader.choice("encoding", default: TextEncoding.utf8, about: "How the bytes of the files are read")
    validationPath = try reader.optionalString("validation", about: "A directory of the same kind for validation")
    testPath = try reader.optionalString("test", about: "A directory of the same kind for 'evaluate'")
    split = try SplitSettings(reader, hasColumns: false)
    for (path, key, size) in [
      (validationPath, "validation", split.validation), (testPath, "test", split.test),
    ] where path != nil && size > 0 {
      throw ConfigError(
        "\(reader.subject): the samples for \(key) come from '\(key)' or '\(key)_split', not from both.",
        at: reader.value(key)?.location)
    }
    guard !model.textLayers.isEmpty || reader.isDescribing else {
      throw ConfigError(
        "\(reader.subject): 'text' needs a layer that reads text, such as TextVectorization, in front of the others.",
        at: reader.config.location)
    }
  }

  func open(_ url: URL, hasTargets: Bool) throws -> RawSamples {
    let read = try LabelledTexts(url, encoding: encoding)
    var columns = [Column("text", text: read.texts), Column("origin", text: read.origins)]
    if !read.labels.isEmpty {
      columns.append(Column("label", text: read.labels.map { read.classNames[$0] }))
    } else if hasTargets {
      throw FormatError(
        file: url.path, reason: "has texts without classes",
        remedy:
          "Make a folder for each class with a file for each text, or a file for each class with a text on each line")
    }
    return RawSamples(try Table(columns, name: url.path))
  }
}
