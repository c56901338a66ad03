// Compiled programs on the disk: used when everything is the same, never when anything differs or is damaged.

import AccelerandoCore
import AccelerandoXLA
import Foundation
import Testing

@Suite(.enabled(if: TestPlugins.isThere, TestPlugins.whySkipped))
struct CompileCacheTests {
  private let type = TensorType(.float32, [8])

  private func program(_ factor: Double) throws -> Program {
    try Program.trace([("x", type)], aliases: [0: 0]) { [$0[0] * factor] }
  }

  private func files(_ directory: URL) throws -> [URL] {
    try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
  }

  private func run(_ backend: XLABackend, _ factor: Double) throws -> Bool {
    let executable = try backend.compiled(try program(factor))
    let buffer = try backend.upload(NDArray(repeating: 2, type: type))
    try executable.bind([buffer]).run()
    #expect(try buffer.read() == NDArray(repeating: 2 * factor, type: type))
    return executable.isFromCache
  }

  @Test func theSecondCompilationIsReadAndAnotherProgramIsNot() throws {
    for plain in TestPlugins.backends {
      try withTemporaryDirectory { directory in
        let backend = try XLABackend(plain.client, cache: CompileCache(directory: directory))
        #expect(try !run(backend, 3))
        #expect(try run(backend, 3))
        #expect(try !run(backend, 5))
        #expect(try files(directory).count == 2)
      }
    }
  }

  @Test func aDamagedFileIsThrownAwayAndTheProgramCompiledAgain() throws {
    for plain in TestPlugins.backends {
      try withTemporaryDirectory { directory in
        let backend = try XLABackend(plain.client, cache: CompileCache(directory: directory))
        _ = try run(backend, 3)
        let file = try #require(try files(directory).first)
        let whole = try Data(contentsOf: file)
        var flipped = whole
        flipped[whole.count - 9] ^= 1
        for damaged in [Data(), whole.prefix(50), whole.prefix(whole.count / 2), flipped, Data(whole.reversed())] {
          try damaged.write(to: file)
          #expect(try !run(backend, 3))
          #expect(try run(backend, 3))
        }
      }
    }
  }

  @Test func theLeastRecentlyUsedGoFirstWhenTheLimitIsReached() throws {
    let plain = try #require(TestPlugins.backends.first)
    try withTemporaryDirectory { directory in
      let unbounded = try XLABackend(plain.client, cache: CompileCache(directory: directory))
      _ = try run(unbounded, 3)
      let first = try #require(try files(directory).first)
      let size = try Data(contentsOf: first).count
      let past = Date(timeIntervalSinceNow: -1000)
      try FileManager.default.setAttributes([.modificationDate: past], ofItemAtPath: first.path)
      let bounded = try XLABackend(plain.client, cache: CompileCache(directory: directory, limit: size * 5 / 2))
      _ = try run(bounded, 5)
      #expect(try run(bounded, 3), "what was used stays young")
      try FileManager.default.setAttributes([.modificationDate: past], ofItemAtPath: first.path)
      _ = try run(bounded, 7)
      #expect(!FileManager.default.fileExists(atPath: first.path))
      #expect(try files(directory).count == 2)
    }
  }

  @Test func aDirectoryThatCannotBeWrittenCostsOnlyTime() throws {
    let plain = try #require(TestPlugins.backends.first)
    let backend = try XLABackend(
      plain.client, cache: CompileCache(directory: URL(fileURLWithPath: "/dev/null/nowhere")))
    #expect(try !run(backend, 3))
    #expect(try !run(backend, 3))
  }
}
