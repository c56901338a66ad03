import AccelerandoCore
import AccelerandoFormats
import Foundation
import Testing

@testable import AccelerandoData

@Suite struct InspectionTests {
  private func withDirectory(_ body: (URL) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("inspect-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    try body(directory)
  }

  private func summary(
    _ text: String, target: String? = nil, validation: String? = nil
  ) throws -> DataSummary {
    var result: DataSummary?
    try withDirectory { directory in
      let (url, other) = (directory.appending(path: "a.csv"), directory.appending(path: "b.csv"))
      try Data(text.utf8).write(to: url)
      try validation.map { try Data($0.utf8).write(to: other) }
      result = try DataInspection.summary(
        of: url, InspectionSettings(target: target, validation: validation == nil ? nil : other))
    }
    return try #require(result)
  }

  private func expect(_ summary: DataSummary, suspects text: String) {
    #expect(summary.suspicions.contains { $0.contains(text) }, "\(summary.suspicions)")
  }

  @Test func rangesMeansAndMissingValuesAreThoseOfTheColumns() throws {
    let summary = try summary("x,kind,day\n1,a,2020-01-01\n2,b,2020-01-03\n,a,2020-01-02\n5,a,2020-01-02\n")
    #expect(summary.count == 4)
    let (x, kind, day) = (summary.columns[0], summary.columns[1], summary.columns[2])
    #expect((x.type, x.missing, x.distinct, x.minimum, x.maximum) == ("int", 1, 3, "1", "5"))
    #expect(abs(try #require(x.mean) - 8.0 / 3) < 1e-12)
    #expect(abs(try #require(x.deviation) - (26.0 / 9).squareRoot()) < 1e-12)
    #expect((kind.type, kind.distinct, kind.minimum, kind.maximum) == ("text", 2, "a", "b"))
    #expect((day.type, day.minimum, day.maximum) == ("date", "2020-01-01", "2020-01-03"))
  }

  @Test func classesAreCountedTheLargestFirst() throws {
    let rows = (0..<30).map { "\($0 % 3 == 0 ? "cat" : "dog"),\(Double($0) * 1.7)\n" }.joined()
    let summary = try summary("kind,size\n" + rows)
    #expect(summary.balances.map(\.name) == ["kind"])
    #expect(summary.balances[0].classes.map(\.name) == ["dog", "cat"])
    #expect(summary.balances[0].classes.map(\.count) == [20, 10])
  }

  @Test func whatLooksWrongIsTold() throws {
    var text = "id,name,always,twin,size,gone,grade\n"
    for row in 0..<40 { text += "\(row),n\(row),7,\(row % 9).5,\(row % 9).5,,\(row == 5 ? "oops" : String(row))\n" }
    let unique = try self.summary(text)
    let summary = try self.summary(text + "3,n3,7,3.5,3.5,,3\n", target: "size")
    expect(summary, suspects: "'always' is always '7'")
    expect(summary, suspects: "'size' is a copy of 'twin'")
    expect(summary, suspects: "'gone' has no values")
    expect(summary, suspects: "1 row is equal to an earlier one")
    expect(summary, suspects: "'grade' is text because of 2.4 % of its values, such as 'oops'")
    expect(unique, suspects: "'id' is different in every row")
    expect(unique, suspects: "'name' is different in every row")
    #expect(!unique.suspicions.contains { $0.contains("earlier one") })
  }

  @Test func rowsOfTheValidationDataThatAreAlsoHereAreCounted() throws {
    let summary = try summary("a,b\n1,x\n2,y\n3,z\n", validation: "a,b\n2,y\n4,y\n3,z\n")
    expect(summary, suspects: "2 of the 3 rows of")
  }

  @Test func arraysAndArchivesAreDescribed() throws {
    try withDirectory { directory in
      let url = directory.appending(path: "x.npz")
      let images = try NDArray((0..<24).map { Float($0) }, shape: [6, 2, 2])
      try NPZ.write(
        [
          ("x_train", images), ("y_train", NDArray([Int32(0), 1, 1, 0, 1, 4])), ("x_test", try images.rows(4..<6)),
          ("y_test", NDArray([Float(0), .nan])),
        ], to: url)
      let summary = try DataInspection.summary(of: url)
      #expect(summary.kind == "NPZ")
      #expect(summary.columns.map(\.type) == ["float32 [2, 2]", "int32", "float32 [2, 2]", "float32"])
      expect(summary, suspects: "'y_train' has 3 different labels from 0 to 4")
      expect(summary, suspects: "2 of the 2 samples of 'x_test' are also in 'x_train'")
      expect(summary, suspects: "'y_test' has 1 elements that are no number")
      let array = directory.appending(path: "x.npy")
      try NPY.write(images, to: array)
      #expect(try DataInspection.summary(of: array).columns.first?.maximum == "23")
    }
  }

  @Test func whatIsNotThereIsRefused() {
    let nowhere = URL(fileURLWithPath: "/nowhere/x.csv")
    let error = #expect(throws: FormatError.self) { try DataInspection.summary(of: nowhere) }
    #expect(error?.description.contains("does not exist") == true)
  }

  @Test func theSummaryIsWholeInJSON() throws {
    let json = try summary("a,b\n1,x\n2,\n").json.text()
    #expect(json.contains("\"name\": \"a\", \"type\": \"int\", \"missing\": 0, \"distinct\": 2"))
    #expect(json.contains("\"min\": \"1\", \"max\": \"2\", \"mean\": 1.5"))
    #expect(json.contains("\"suspicious\": ["))
  }
}
