// Series in recipes: what a model sees of them, and what is refused before it is trained.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoFormats
import Foundation
import Testing

@testable import AccelerandoRecipes

@Suite struct SeriesRecipeTests {
  /// 40 days, the last one first.
  private static let table: String = {
    var text = "day,warm,cold,sky\n"
    for day in (0..<40).reversed() {
      let date = String(format: "2020-%02d-%02d", 1 + day / 28, 1 + day % 28)
      text += "\(date),\(day).5,\(-day),blue\n"
    }
    return text
  }()

  private func load(_ settings: String, text: String? = nil) throws -> LoadedData {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("series-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    try Data((text ?? Self.table).utf8).write(to: directory.appendingPathComponent("days.csv"))
    let recipe = try Recipe(
      yaml: """
        data: {series: days.csv, \(settings)}
        layers: [Flatten, {Dense: {units: 1}}]
        compile: {loss: mean_squared_error}
        """, name: "days", file: "days.yaml", directory: directory)
    return try recipe.data.load(in: directory)
  }

  private func problem(_ settings: String, text: String? = nil) -> String {
    do { _ = try load(settings, text: text) } catch { return "\(error)" }
    return "no error"
  }

  @Test func windowsAreInputsAndWhatFollowsIsTheTarget() throws {
    let data = try load("time: day, features: [cold, warm], target: warm, sequence_length: 3, horizon: 2")
    // 40 rows, of which a window with its target spans 5.
    #expect(data.train.inputs.map(\.shape) == [[36, 3, 2]])
    #expect(try data.train.inputs[0].rows(0..<1).elements(as: Float.self) == [0, 0.5, -1, 1.5, -2, 2.5])
    #expect(data.train.targets.map(\.shape) == [[36, 1]])
    #expect(data.train.targets[0].elements(as: Float.self).prefix(2) == [4.5, 5.5])
  }

  @Test func partsFollowEachOtherInTime() throws {
    let data = try load("time: day, features: warm, target: warm, sequence_length: 2, validation_split: 0.25")
    let validation = try #require(data.validation)
    #expect(data.train.targets[0].elements(as: Float.self).max() == 29.5)
    #expect(validation.inputs[0].elements(as: Float.self).min() == 30.5)
    #expect(validation.count == 8)
  }

  @Test func whatMakesNoWindowsIsRefusedBeforeTraining() {
    #expect(problem("time: day, sequence_length: 40").contains("spans 41 rows; this part has 40"))
    #expect(problem("time: day, sequence_length: 20, validation_split: 0.2").contains("this part has 8"))
    #expect(problem("time: day, sequence_length: 3, target: wram").contains("has no column 'wram'"))
    #expect(problem("time: day, sequence_length: 3, features: sky").contains("'sky' is text"))
    #expect(problem("time: day").contains("sequence_length"))
    #expect(problem("sequence_length: 0").contains("sequence_length"))
    #expect(problem("sequence_length: 2", text: "a\n1\n\"\"\n3\n").contains("row 2 has no number in the column 'a'"))
  }
}
