import AccelerandoData
import AccelerandoFormats
import Foundation
import Testing

@Suite struct LabelledTextsTests {
  /// Makes files of text in a new folder and reads it.
  private func read(_ files: [String: String], encoding: TextEncoding = .utf8, at path: String = "")
    throws -> LabelledTexts
  {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent(
      "texts-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    for (name, text) in files {
      let url = root.appendingPathComponent(name)
      try FileManager.default.createDirectory(
        at: name.hasSuffix("/") ? url : url.deletingLastPathComponent(), withIntermediateDirectories: true)
      if !name.hasSuffix("/") { try Data(text.utf8).write(to: url) }
    }
    return try LabelledTexts(root.appendingPathComponent(path), encoding: encoding)
  }

  @Test func foldersAreClassesAndFilesTexts() throws {
    let texts = try read([
      "pos/b.txt": "second", "pos/a.txt": "first", "neg/x.txt": "bad\nlines",
      "neg/.hidden.txt": "no", "neg/notes.md": "no",
      "Zed/deep/er.txt": "z",
    ])
    #expect(texts.classNames == ["Zed", "neg", "pos"])
    #expect(texts.texts == ["z", "bad\nlines", "first", "second"])
    #expect(texts.labels == [0, 1, 2, 2])
    #expect(texts.origins[2].hasSuffix("pos/a.txt"))
  }

  @Test func filesOfLinesAreClassesToo() throws {
    let texts = try read(["good.txt": "yes\nfine\n", "bad.txt": "no\r\n\r\nnever"])
    #expect(texts.classNames == ["bad", "good"])
    #expect(texts.texts == ["no", "", "never", "yes", "fine"])
    #expect(texts.labels == [0, 0, 0, 1, 1])
    #expect(texts.emptyTexts == [1])
    #expect(texts.origins[4].hasSuffix("good.txt:2"))
  }

  @Test func oneFileHasATextOnEachLineAndNoClasses() throws {
    let texts = try read(["all.txt": "a\nb\n"], at: "all.txt")
    #expect(texts.texts == ["a", "b"])
    #expect(texts.labels.isEmpty && texts.classNames.isEmpty)
  }

  @Test(arguments: [
    (["a/x.txt": "x", "b/": ""], "class without any text"),
    (["a.txt": "x", "b.txt": ""], "class without any text"),
    (["a/x.txt": "x", "b.txt": "y"], "side by side"), (["a.csv": "x"], "no text files"),
  ])
  func foldersThatAreNoDataSayWhy(_ files: [String: String], _ words: String) throws {
    #expect { try read(files) } throws: { "\($0)".contains(words) }
    #expect { try read(["empty.txt": ""], at: "empty.txt") } throws: {
      "\($0)".contains("is empty")
    }
    #expect { try read(["a/x.txt": "x"], at: "b") } throws: { "\($0)".contains("does not exist") }
  }
}
