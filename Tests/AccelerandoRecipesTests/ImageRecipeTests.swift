// Images in recipes: folders and tables of files become an input that is read when a batch needs it.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN
import AccelerandoTrain
import Foundation
import Testing

@testable import AccelerandoRecipes

@Suite struct ImageRecipeTests {
  /// Ten gray pictures of each of two classes, bright and dark, with a table of the files beside the folders.
  private func withPictures(_ body: (URL) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("pictures-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: directory) }
    var table = "file,height,kind\n"
    for (kind, level) in [("bright", 200), ("dark", 40)] {
      let folder = directory.appendingPathComponent("pictures/\(kind)")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      for number in 0..<10 {
        let pixels = (0..<30).map { UInt8(level + number + $0 % 7) }
        try Data(Array("P5 6 5 255\n".utf8) + pixels).write(to: folder.appendingPathComponent("\(number).pgm"))
        table += "pictures/\(kind)/\(number).pgm,\(number),\(kind)\n"
      }
    }
    try table.write(to: directory.appendingPathComponent("pictures.csv"), atomically: true, encoding: .utf8)
    try body(directory)
  }

  private func recipe(_ data: String, in directory: URL) throws -> Recipe {
    try Recipe(
      yaml: """
        data: {\(data)}
        layers:
          - RandomFlip
          - RandomCrop: {height: 4, width: 4, padding: 1, fill_mode: reflect}
          - Rescaling: {scale: 0.0039}
          - Flatten
          - Dense: {units: 2, activation: softmax}
        compile: {optimizer: {name: adam, learning_rate: 0.05}, loss: sparse_categorical_crossentropy, metrics: [accuracy]}
        """, name: "pictures", file: "pictures.yaml", directory: directory)
  }

  @Test func aFolderForEachClassIsReadWhenABatchNeedsIt() throws {
    try withPictures { directory in
      let recipe = try recipe(
        "images: pictures, color_mode: grayscale, validation_split: 0.2, stratify: true", in: directory)
      let data = try recipe.data.load(in: directory)
      #expect(data.classNames == ["bright", "dark"])
      #expect(data.train.count == 16 && data.validation?.count == 4)
      #expect(data.train.inputTypes == [TensorType(.uint8, [5, 6, 1])])
      let labels = try #require(data.train.targets.first).elements(as: Int32.self)
      #expect(labels.count { $0 == 0 } == 8)
      let batches = try data.train.dataset().shuffled(false).batches(of: 16)
      let batch = try #require(try batches.next())
      let pixels = try #require(batch.features.first)
      #expect(pixels.shape == [16, 5, 6, 1])
      for (row, label) in labels.enumerated() {
        let first = try pixels.rows(row..<row + 1).elements(as: Int32.self)[0]
        #expect(label == 0 ? first >= 200 : first < 60)
      }
    }
  }

  @Test(arguments: [
    "images: pictures, image_size: [5, 6], color_mode: grayscale",
    "images: pictures.csv, target: kind, color_mode: grayscale", "images: pictures, color_mode: rgb, cache: none",
  ])
  func aModelLearnsFromThem(_ data: String) throws {
    try withPictures { directory in
      let recipe = try recipe(data, in: directory)
      let data = try recipe.data.load(in: directory)
      let model = try recipe.makeModel(for: data.train.inputTypes, backend: CPUBackend())
      let history = try model.fit(data.train.dataset(), epochs: 12, batchSize: 8)
      #expect((history["accuracy"].last ?? 0) > 0.9)
    }
  }

  @Test func settingsThatDoNotGoTogetherAreRefused() throws {
    for (settings, complaint) in [
      ("images: pictures, crop_to_aspect_ratio: true, pad_to_aspect_ratio: true", "'pad_to_aspect_ratio' needs false"),
      ("images: pictures, color_mode: grey", "'color_mode' needs one of"),
      ("images: pictures, validation: other, validation_split: 0.5", "not from both"),
      ("images: pictures, image_size: 0", "'image_size' needs"),
    ] {
      let error = #expect(throws: ConfigError.self) {
        try recipe(settings, in: URL(fileURLWithPath: "/nowhere"))
      }
      #expect(error?.description.contains(complaint) == true, "\(settings): \(String(describing: error))")
    }
  }

  @Test func aTableWithoutFilesSaysSo() throws {
    try withPictures { directory in
      try "a,b\n1,2\n3,4\n".write(to: directory.appendingPathComponent("x.csv"), atomically: true, encoding: .utf8)
      let error = #expect(throws: FormatError.self) {
        let recipe = try recipe("images: x.csv, target: b", in: directory)
        _ = try recipe.data.load(in: directory)
      }
      #expect(error?.description.contains("has no column with the names of image files") == true)
    }
  }
}
