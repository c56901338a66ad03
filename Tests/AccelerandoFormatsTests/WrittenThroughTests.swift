import AccelerandoFormats
import Foundation
import Testing

/// Files that are more than their bytes: links, pipes, devices, permissions.
@Suite struct WrittenThroughTests {
  private func withDirectory(_ body: (URL) throws -> Void) throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("formats-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    try body(url)
  }

  private func mode(_ url: URL) -> mode_t {
    var status = stat()
    stat(url.path, &status)
    return status.st_mode
  }

  private func text(_ url: URL) throws -> String { try String(contentsOf: url, encoding: .utf8) }

  /// Both ways of writing a file.
  private let writers: [(URL, String) throws -> Void] = [
    { url, text in try AtomicFile.write(to: url) { try $0.write(Array(text.utf8)) } },
    { url, text in try LogFile(url, continues: false).write(text) },
  ]

  @Test func linksStayLinks() throws {
    for write in writers {
      try withDirectory { directory in
        let (link, second) = (directory.appendingPathComponent("link"), directory.appendingPathComponent("second"))
        let target = directory.appendingPathComponent("target")
        try FileManager.default.createSymbolicLink(atPath: link.path, withDestinationPath: "second")
        try FileManager.default.createSymbolicLink(atPath: second.path, withDestinationPath: "target")
        // Also where there is nothing yet.
        for content in ["first", "again"] {
          try write(link, content)
          #expect(try text(target) == content)
          for url in [link, second] {
            #expect(
              try FileManager.default.attributesOfItem(atPath: url.path)[.type] as? FileAttributeType
                == .typeSymbolicLink)
          }
        }
      }
    }
  }

  @Test func pipesAndDevicesAreWrittenTo() throws {
    for write in writers {
      try withDirectory { directory in
        let pipe = directory.appendingPathComponent("pipe")
        try #require(mkfifo(pipe.path, 0o600) == 0)
        let reader = open(pipe.path, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        try write(pipe, "through")
        var bytes = [UInt8](repeating: 0, count: 32)
        #expect(read(reader, &bytes, 32) == 7 && String(decoding: bytes[..<7], as: UTF8.self) == "through")
        #expect(mode(pipe) & S_IFMT == S_IFIFO)
        try write(URL(fileURLWithPath: "/dev/null"), "nowhere")
        #expect(mode(URL(fileURLWithPath: "/dev/null")) & S_IFMT == S_IFCHR)
        #expect(throws: FormatError.self) { try write(URL(fileURLWithPath: "/dev/full"), "nowhere") }
      }
    }
  }

  @Test func permissionsAreKept() throws {
    for write in writers {
      try withDirectory { directory in
        let url = directory.appendingPathComponent("secret")
        try Data("x".utf8).write(to: url)
        chmod(url.path, 0o600)
        try write(url, "y")
        #expect(mode(url) & 0o777 == 0o600)
      }
    }
    try withDirectory { directory in
      let place = directory.appendingPathComponent("d")
      func write(_ content: String) throws {
        try replaceDirectory(place, contents: ["a"]) { fresh in
          try Data(content.utf8).write(to: fresh.appendingPathComponent("a"))
        }
      }
      try write("1")
      chmod(place.path, 0o700)
      chmod(place.appendingPathComponent("a").path, 0o600)
      try write("2")
      #expect(mode(place) & 0o777 == 0o700 && mode(place.appendingPathComponent("a")) & 0o777 == 0o600)
      #expect(try text(place.appendingPathComponent("a")) == "2")
    }
  }

  @Test func whatWasLeftHalfWrittenGoesAndWhatIsBeingWrittenStays() throws {
    try withDirectory { directory in
      let names = [".f.abc.partial", ".f.def.partial"]
      for name in names { try Data("half".utf8).write(to: directory.appendingPathComponent(name)) }
      let held = open(directory.appendingPathComponent(names[0]).path, O_RDONLY)
      defer { close(held) }
      try #require(flock(held, LOCK_EX | LOCK_NB) == 0)
      try AtomicFile.write(to: directory.appendingPathComponent("f")) { try $0.write([1]) }
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == [names[0], "f"])
    }
  }

  @Test func aDirectoryThatWasPutAsideComesBack() throws {
    try withDirectory { directory in
      let place = directory.appendingPathComponent("model")
      // Killed between the two renames of a file system that cannot exchange names.
      let aside = directory.appendingPathComponent(".model.abc.old")
      try FileManager.default.createDirectory(at: aside, withIntermediateDirectories: true)
      try Data("1".utf8).write(to: aside.appendingPathComponent("a"))
      recoverDirectory(place)
      #expect(try text(place.appendingPathComponent("a")) == "1")
      #expect(!FileManager.default.fileExists(atPath: aside.path))
    }
  }

  @Test func whatIsSomebodysIsNeverReplaced() throws {
    try withDirectory { directory in
      let place = directory.appendingPathComponent("d")
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      try replaceDirectory(place, contents: ["a"]) { try Data().write(to: $0.appendingPathComponent("a")) }
      try Data("mine".utf8).write(to: place.appendingPathComponent("b"))
      #expect(throws: FormatError.self) {
        try replaceDirectory(place, contents: ["a"]) { try Data().write(to: $0.appendingPathComponent("a")) }
      }
      #expect(try text(place.appendingPathComponent("b")) == "mine")
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["d"])
    }
  }
}
