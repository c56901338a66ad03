import AccelerandoCore
import AccelerandoFormats
import Foundation
import Testing

@testable import AccelerandoData

@Suite struct SeriesTests {
  private struct Case: Decodable {
    struct Settings: Decodable {
      let length: Int
      let stride: Int
      let samplingRate: Int
      let horizon: Int
    }
    let name: String
    let config: Settings
    let tensors: [String: String]
  }

  @Test func windowsAndTargetsAreThoseOfKeras() throws {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../Goldens/data/windows.safetensors")
    let file = try Safetensors.read(url)
    let tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.value) })
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let cases = try decoder.decode([Case].self, from: Data((file.metadata["cases"] ?? "").utf8))
    #expect(cases.count >= 6)
    for golden in cases {
      func tensor(_ role: String) throws -> NDArray { try #require(tensors[golden.tensors[role] ?? ""]) }
      let series = try Series(tensor("series"))
      let settings = try WindowSettings(
        length: golden.config.length, stride: golden.config.stride, samplingRate: golden.config.samplingRate,
        horizon: golden.config.horizon)
      let starts = try settings.starts(in: 0..<series.count)
      #expect(try series.windows(starts, settings) == tensor("windows"), "\(golden.name)")
      #expect(try series.targets(starts, settings) == tensor("targets"), "\(golden.name)")
    }
  }

  /// `[T, 2]`: the row, and ten times the row.
  private func series(_ count: Int) throws -> Series {
    try Series(
      NDArray((0..<count).flatMap { [Float($0), Float(10 * $0)] }, shape: [count, 2]), names: ["row", "ten"])
  }

  @Test func windowsWithTheirTargetsStayInTheirPart() throws {
    let series = try series(100)
    let settings = try WindowSettings(length: 7, stride: 2, samplingRate: 3, horizon: 4, targetLength: 3)
    for part in [0..<60, 60..<100] {
      let starts = try settings.starts(in: part, source: "x")
      #expect(starts.first == part.lowerBound)
      let (windows, targets) = (
        try series.windows(starts, columns: [0], settings), try series.targets(starts, columns: [0], settings)
      )
      #expect(windows.shape == [starts.count, 7, 1])
      #expect(targets.shape == [starts.count, 3, 1])
      let rows = (windows.elements(as: Int64.self) + targets.elements(as: Int64.self))
      #expect(rows.allSatisfy { part.contains(Int($0)) })
      // No window that would fit is left out.
      #expect(try #require(starts.last) + settings.span + 2 > part.upperBound)
    }
    #expect(try series.targets([0], settings).elements(as: Int64.self) == [22, 220, 23, 230, 24, 240])
  }

  @Test func columnsAreChosenAndOrderedByTime() throws {
    let table = try Table(
      FileContents(Array("day,a,word,b\n2020-01-03,3,x,30\n2020-01-01,1,y,10\n2020-01-02,2,z,20\n".utf8), name: "x.csv")
    )
    let all = try Series(table, time: "day")
    #expect(all.names == ["a", "b"])
    #expect(all.values.elements(as: Int64.self) == [1, 10, 2, 20, 3, 30])
    #expect(try Series(table, columns: ["b"]).values.elements(as: Int64.self) == [30, 10, 20])
  }

  private func reason(_ body: () throws -> Any) -> String {
    let error = #expect(throws: FormatError.self) { _ = try body() }
    return error?.description ?? ""
  }

  @Test func seriesThatMakeNoWindowsAreRefused() throws {
    let series = try series(10)
    #expect(
      reason { try WindowSettings(length: 12).starts(in: 0..<10, source: "x.csv") }
        .contains("x.csv: a window of 12 rows with a target 1 row ahead spans 13 rows; this part has 10"))
    #expect(reason { try WindowSettings(length: 0) }.contains("'length' must be between 1"))
    #expect(reason { try WindowSettings(length: 3, stride: 0) }.contains("'stride'"))
    #expect(reason { try WindowSettings(length: 3, horizon: -1) }.contains("'horizon'"))
    #expect(
      reason { try WindowSettings(length: 1 << 30, samplingRate: 1 << 30).starts(in: 0..<10) }.contains(
        "this part has 10"))
    let settings = try WindowSettings(length: 3)
    #expect(reason { try series.windows([8], settings) }.contains("leaves the series"))
    #expect(reason { try series.windows([-1], settings) }.contains("leaves the series"))
    #expect(reason { try series.windows([0], columns: [2], settings) }.contains("no column 2"))
    #expect(reason { try series.place(of: "x") }.contains("it has row, ten"))
    #expect(reason { try Series(NDArray(zeros: TensorType(.float32, [2, 2, 2]))) }.contains("[T, C]"))
    let gaps = try Table(FileContents(Array("a,b\n1,x\n,y\n".utf8), name: "x.csv"))
    #expect(reason { try Series(gaps) }.contains("row 2 has no number in the column 'a' (1 missing in all)"))
    #expect(reason { try Series(gaps, columns: ["b"]) }.contains("'b' is text"))
    #expect(reason { try Series(gaps, columns: ["c"]) }.contains("no column 'c'"))
    #expect(reason { try Series(gaps, time: "b") }.contains("'b' is text"))
  }
}
