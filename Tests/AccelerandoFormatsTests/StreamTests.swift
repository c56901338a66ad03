import Foundation
import Testing

import AccelerandoFormats

/// Streams that are full, closed or slow, and pipes as files.
@Suite struct StreamTests {
  private func pipe() throws -> (read: Int32, write: Int32) {
    var ends: [Int32] = [0, 0]
    try #require(Foundation.pipe(&ends) == 0)
    return (ends[0], ends[1])
  }

  @Test func aLostResultIsAnErrorAndALostDisplayIsNot() throws {
    StandardStream.prepareProcess()
    let ends = try pipe()
    close(ends.read)
    #if os(Linux)
      let full = open("/dev/full", O_WRONLY)
      let places = [(full, "No space left"), (ends.write, "Broken pipe"), (Int32(9999), "Bad file descriptor")]
    #else
      let places = [(ends.write, "Broken pipe"), (Int32(9999), "Bad file descriptor")]
    #endif
    for (descriptor, reason) in places {
      let display = StandardStream(descriptor, name: "the display")
      for _ in 0..<3 { display.show("epoch\n") }
      #expect(throws: Never.self) { try display.finish() }
      let results = StandardStream(descriptor, name: "the results")
      for _ in 0..<10_000 { results.print("0\t1\t0.5000\n") }
      let error = #expect(throws: FormatError.self) { try results.finish() }
      #expect(
        error?.description.contains("the results: cannot write the output: \(reason)") == true,
        "\(error?.description ?? "")")
    }
  }

  @Test func aStreamThatDoesNotBlockGetsEveryByteInOrder() async throws {
    let ends = try pipe()
    _ = fcntl(ends.write, F_SETFL, O_NONBLOCK)
    let reading = Task.detached {
      let handle = FileHandle(fileDescriptor: ends.read, closeOnDealloc: true)
      return try handle.readToEnd() ?? Data()
    }
    let stream = StandardStream(ends.write, name: "a pipe")
    for index in 0..<100_000 { stream.print("\(index)\n") }
    stream.show("shown\n")
    stream.print("last\n")
    try stream.finish()
    close(ends.write)
    let expected = (0..<100_000).map { "\($0)\n" }.joined() + "shown\nlast\n"
    #expect(try await reading.value == Data(expected.utf8))
  }

  @Test func nobodyWaitsForADisplayThatIsNotRead() throws {
    let ends = try pipe()
    _ = fcntl(ends.write, F_SETFL, O_NONBLOCK)
    let stream = StandardStream(ends.write, name: "a pipe")
    // More than a pipe holds: this returns at all.
    for _ in 0..<200 { stream.show(String(repeating: "x", count: 1 << 16)) }
    try stream.finish()
    close(ends.read)
    close(ends.write)
  }

  @Test func aPipeIsReadToItsEnd() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("pipe")
      try #require(mkfifo(url.path, 0o600) == 0)
      let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
      let path = url.path
      let writer = Thread {
        let descriptor = open(path, O_WRONLY)
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        for start in stride(from: 0, to: bytes.count, by: 100_000) {
          try? handle.write(contentsOf: Data(bytes[start..<start + 100_000]))
          usleep(20_000)
        }
      }
      writer.start()
      let contents = try FileContents(url)
      #expect(contents.withUnsafeBytes { $0.elementsEqual(bytes) })
    }
  }

  @Test func whatIsNoFileIsRefusedAndNotWaitedForForEver() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("pipe")
      try #require(mkfifo(url.path, 0o600) == 0)
      for (place, reason) in [
        (url, "no program writes into the pipe"), (directory, "is a directory"),
        (URL(fileURLWithPath: "/dev/zero"), "is a device"),
      ] {
        let error = #expect(throws: FormatError.self) { try FileContents(place) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
      }
    }
  }
}
