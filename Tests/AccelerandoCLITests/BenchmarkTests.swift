import Foundation
import Testing

@Suite struct BenchmarkTests {
  private struct Line: Decodable {
    let work: String
    let seconds: Double
    let count: Int
    let threads: Int
    let instructionSet: String
    let peakBytes: Int
    let loss: Double?
  }

  private func lines(_ text: String) throws -> [Line] {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try text.split(separator: "\n").map { try decoder.decode(Line.self, from: Data($0.utf8)) }
  }

  @Test func everyKindOfWorkIsMeasuredInAnySize() throws {
    try withTemporaryDirectory { directory in
      let works = [
        "product/5x7x3", "product/3x2x9/at", "product/4x6x1/bt", "convolution/2x5x7x3-4/forward",
        "convolution/2x5x7x3-4/backward-data", "convolution/1x4x4x1-3/backward-weights", "train/odd-mlp/3",
        "latency/odd-mlp",
      ]
      let outcome = try Command.run(
        arguments: ["benchmark"] + works + ["--seconds", "0", "--threads", "1", "--json"], in: directory)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let found = try lines(outcome.output)
      #expect(found.map(\.work) == works)
      #expect(found.allSatisfy { $0.seconds > 0 && $0.count > 0 && $0.threads == 1 && $0.peakBytes > 0 })
      #expect(found.map { $0.loss != nil } == works.map { $0.hasPrefix("train") })
    }
  }

  @Test func aTableNamesTheInstructionSet() throws {
    try withTemporaryDirectory { directory in
      let outcome = try Command.run(
        "benchmark", "product/8x8x8", "--seconds", "0", "--instruction-set", "baseline", in: directory)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.output.contains("baseline"))
      #expect(outcome.output.contains("GFLOP/s"))
    }
  }

  @Test(arguments: [
    "product/0x1x1", "product/2x2", "product/2x2x2/tt", "train/nothing/32", "train/mlp/0", "convolution/1x4x4x1-3/up",
    "latency", "wish",
  ])
  func whatIsNoWorkIsWrongUsage(_ work: String) throws {
    try withTemporaryDirectory { directory in
      let outcome = try Command.run("benchmark", work, in: directory)
      #expect(outcome.status == 64)
      #expect(outcome.errors.contains("'\(work)' is no work"))
    }
  }
}
