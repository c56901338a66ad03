import AccelerandoCore
import AccelerandoFormats
import Foundation
import Testing

@testable import AccelerandoData

@Suite struct ImageFolderTests {
  private func withTemporaryDirectory(_ body: (URL) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("images-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    try body(directory)
  }

  /// A gray image whose pixels say which one it is.
  private func write(_ number: Int, to url: URL, height: Int = 4, width: Int = 6) throws {
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    let pixels = (0..<height * width).map { UInt8(truncatingIfNeeded: number * 31 + $0) }
    try Data(Array("P5 \(width) \(height) 255\n".utf8) + pixels).write(to: url)
  }

  private func pixels(_ number: Int, count: Int = 24) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: number * 31 + $0) }
  }

  /// Two classes, b and a, with folders inside.
  private func fill(_ directory: URL) throws {
    for (number, name) in ["b/2.pgm", "b/1.pgm", "a/x.PGM", "a/deep/y.pgm", "a/deep/z.pgm"].enumerated() {
      try write(number, to: directory.appendingPathComponent(name))
    }
    try Data("notes".utf8).write(to: directory.appendingPathComponent("a/notes.txt"))
    try write(9, to: directory.appendingPathComponent(".hidden/w.pgm"))
    try write(9, to: directory.appendingPathComponent("a/.w.pgm"))
  }

  private let gray = ImageForm(channels: .gray)

  @Test func classesAndFilesComeInTheOrderOfTheirNames() throws {
    try withTemporaryDirectory { directory in
      try fill(directory)
      let folder = try ImageFolder(directory, form: gray)
      #expect(folder.classNames == ["a", "b"])
      #expect(folder.labels == [0, 0, 0, 1, 1])
      let names = ["a/x.PGM", "a/deep/y.pgm", "a/deep/z.pgm", "b/1.pgm", "b/2.pgm"]
      #expect(folder.paths == names.map { "\(directory.path)/\($0)" })
      #expect(folder.imageType == TensorType(.uint8, [4, 6, 1]))
      let reversed = try ImageFolder(directory, form: gray, classNames: ["b", "a"])
      #expect(reversed.labels == [0, 0, 1, 1, 1])
    }
  }

  @Test(arguments: [ImageCache.Storage.none, .memory, .automatic, .file()])
  func rowsAreReadInAnyOrderAndAgain(_ storage: ImageCache.Storage) throws {
    try withTemporaryDirectory { directory in
      try fill(directory.appendingPathComponent("data"))
      let place = directory.appendingPathComponent("cache")
      let storage = storage == .file() ? ImageCache.Storage.file(directory: place) : storage
      let folder = try ImageFolder(directory.appendingPathComponent("data"), form: gray, storage: storage)
      // The numbers that `fill` gave the files, in the order of the rows.
      let numbers = [2, 3, 4, 1, 0]
      for rows in [[3, 0, 3], [4], [], [2, 1], [0, 1, 2, 3, 4], [4, 4]] {
        let images = try folder.images(rows)
        #expect(images.shape == [rows.count, 4, 6, 1])
        #expect(images.elements(as: UInt8.self) == rows.flatMap { pixels(numbers[$0]) })
      }
      #expect(throws: FormatError.self) { try folder.images([5]) }
    }
  }

  @Test func aCacheOnDiskIsFoundAgainAndForgottenWhenAFileChanges() throws {
    try withTemporaryDirectory { directory in
      let (data, place) = (directory.appendingPathComponent("data"), directory.appendingPathComponent("cache"))
      try fill(data)
      func folder() throws -> ImageFolder {
        try ImageFolder(data, form: gray, storage: .file(directory: place))
      }
      func files() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: place.path) }
      let first = try folder()
      _ = try first.images([0, 1])
      #expect(try files().allSatisfy { $0.hasPrefix(".") && $0.hasSuffix(".partial") })
      let all = try first.images(0..<5)
      #expect(try files().count == 1 && files()[0].hasSuffix(".pixels"))
      // A file of the same size and time with other pixels: what is kept is what was read first.
      let changed = data.appendingPathComponent("b/1.pgm")
      let time = try FileManager.default.attributesOfItem(atPath: changed.path)[.modificationDate]
      #expect(time != nil)
      #expect(try folder().images(0..<5) == all)
      try write(7, to: changed)
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSince1970: 1e9)], ofItemAtPath: changed.path)
      #expect(try folder().images([3]).elements(as: UInt8.self) == pixels(7))
    }
  }

  @Test func manyThreadsReadTheSameBytes() throws {
    try withTemporaryDirectory { directory in
      for number in 0..<40 { try write(number, to: directory.appendingPathComponent("c/\(100 + number).pgm")) }
      let folder = try ImageFolder(directory, form: gray)
      let rows = (0..<200).map { $0 * 7 % 40 }
      let results = inParallel(8) { _ in try folder.images(rows) }
      for result in results { #expect(try result.get().elements(as: UInt8.self) == rows.flatMap { pixels($0) }) }
    }
  }

  @Test func imagesOfSeveralSizesNeedASize() throws {
    try withTemporaryDirectory { directory in
      try fill(directory)
      try write(0, to: directory.appendingPathComponent("b/3.pgm"), height: 5)
      let error = #expect(throws: FormatError.self) { try ImageFolder(directory, form: gray) }
      #expect(error?.description.contains("b/3.pgm: the image has 6 × 5 pixels; the first image has 6 × 4") == true)
      #expect(error?.description.contains("Set an image size") == true)
      let form = ImageForm(size: ImageForm.Size(height: 3, width: 2), channels: .rgb)
      #expect(try ImageFolder(directory, form: form).images(0..<6).shape == [6, 3, 2, 3])
    }
  }

  @Test func anUnreadableImageIsAnErrorOrLeftOutAndCounted() throws {
    try withTemporaryDirectory { directory in
      try fill(directory)
      let broken = directory.appendingPathComponent("a/deep/y.pgm")
      try Data("P5 6 4 255\nshort".utf8).write(to: broken)
      let folder = try ImageFolder(directory, form: gray)
      for _ in 0..<2 {
        let error = #expect(throws: FormatError.self) { try folder.images([0, 1, 2]) }
        #expect(error?.description.hasPrefix("\(broken.path), byte") == true)
      }
      #expect(try folder.images([0, 2]).shape[0] == 2)
      let rest = try ImageFolder(directory, form: gray, skip: true)
      #expect(rest.count == 4 && rest.labels == [0, 0, 1, 1])
      #expect(rest.skipped.map(\.path) == [broken.path])
      #expect(rest.skipped[0].reason.contains("the file ends before its 6 × 4 pixels do"))
      #expect(try rest.images([1]).elements(as: UInt8.self) == pixels(4))
    }
  }

  @Test func directoriesWithoutImagesAreRefused() throws {
    try withTemporaryDirectory { directory in
      let nothing = #expect(throws: FormatError.self) { try ImageFolder(directory) }
      #expect(nothing?.description.contains("there are no images here") == true)
      try fill(directory)
      try FileManager.default.createDirectory(
        at: directory.appendingPathComponent("c"), withIntermediateDirectories: true)
      let empty = #expect(throws: FormatError.self) { try ImageFolder(directory) }
      #expect(empty?.description.contains("the folder of the class 'c' has no images in it") == true)
      #expect(try ImageFolder(directory, form: gray, classNames: ["a", "b"]).count == 5)
      let absent = #expect(throws: FormatError.self) { try ImageFolder(directory, classNames: ["a", "d"]) }
      #expect(absent?.description.contains("no folder of the class 'd'") == true)
      #expect(throws: FormatError.self) { try ImageFolder(directory.appendingPathComponent("nowhere")) }
    }
  }

  @Test func imagesWithoutFoldersHaveNoClass() throws {
    try withTemporaryDirectory { directory in
      for number in 0..<3 { try write(number, to: directory.appendingPathComponent("\(number).pgm")) }
      let folder = try ImageFolder(directory, form: gray)
      #expect(folder.count == 3 && folder.labels.isEmpty && folder.classNames.isEmpty)
    }
  }
}
