// What was seen inside of a model while it trained: a line of JSON for each look, so that a run that ends early has left all of them.

import AccelerandoFormats
import Foundation

/// One look into a model that trains.
public struct InspectionRecord: Sendable, Hashable {
  /// The steps that were done in all epochs.
  public var step: Int
  /// What was seen of each layer.
  public var layers: [Layer]
  /// What was seen of the gradient of each parameter.
  public var gradients: [Gradient]

  /// The outputs of one layer.
  public struct Layer: Sendable, Hashable {
    /// The path to the layer.
    public var name: String
    /// The mean of its outputs.
    public var mean: Double
    /// Their standard deviation.
    public var deviation: Double
    /// The part of them that is 0.
    public var zeros: Double
    /// For layers that cut off, such as a ReLU: the part of their units that were 0 for every sample.
    public var dead: Double?

    /// Describes the outputs of a layer.
    public init(name: String, mean: Double, deviation: Double, zeros: Double, dead: Double?) {
      (self.name, self.mean, self.deviation, self.zeros, self.dead) = (name, mean, deviation, zeros, dead)
    }
  }

  /// The gradient of one parameter.
  public struct Gradient: Sendable, Hashable {
    /// The parameter's name.
    public var name: String
    /// The square root of the sum of its squares.
    public var norm: Double
    /// How its elements are spread.
    public var histogram: Histogram

    /// Describes a gradient.
    public init(name: String, norm: Double, histogram: Histogram) {
      (self.name, self.norm, self.histogram) = (name, norm, histogram)
    }
  }

  /// Makes a record.
  public init(step: Int, layers: [Layer], gradients: [Gradient]) {
    (self.step, self.layers, self.gradients) = (step, layers, gradients)
  }

  /// The norm of all gradients together.
  public var gradientNorm: Double { gradients.reduce(0) { $0 + $1.norm * $1.norm }.squareRoot() }

  /// The file in the directory of a run.
  package static let file = "inspection.jsonl"

  /// The record as a line of a file, without its end.
  package var json: String {
    JSON([
      ("step", JSON(.int(step))),
      (
        "layers",
        JSON(
          .array(
            layers.map { layer in
              JSON([
                ("name", JSON(.string(layer.name))), ("mean", JSON.number(layer.mean)),
                ("deviation", JSON.number(layer.deviation)), ("zeros", JSON.number(layer.zeros)),
                ("dead", layer.dead.map(JSON.number) ?? JSON(.null)),
              ])
            }))
      ),
      (
        "gradients",
        JSON(
          .array(
            gradients.map { gradient in
              JSON([
                ("name", JSON(.string(gradient.name))), ("norm", JSON.number(gradient.norm)),
                ("from", JSON.number(gradient.histogram.range.lowerBound)),
                ("to", JSON.number(gradient.histogram.range.upperBound)),
                ("counts", JSON(.array(gradient.histogram.counts.map { JSON(.int($0)) }))),
                ("zeros", JSON(.int(gradient.histogram.zeros))),
                ("not_finite", JSON(.int(gradient.histogram.notFinite))),
              ])
            }))
      ),
    ]).text(.compact)
  }

  /// Reads the records of a run.
  /// - Returns: none for a run without any.
  /// - Throws: `FormatError` when a line is damaged.
  public static func ofRun(_ directory: String) throws -> [InspectionRecord] {
    let url = URL(fileURLWithPath: directory, isDirectory: true).appendingPathComponent(file)
    guard FileManager.default.fileExists(atPath: url.path) else { return [] }
    return try RunRecord.text(url).split(whereSeparator: \.isNewline).enumerated().map { number, line in
      let json: JSON
      do {
        json = try JSON(parsing: Array(line.utf8))
      } catch let error as JSONError {
        throw FormatError(
          file: "\(url.path), line \(number + 1)", reason: "is not the JSON expected: \(error.message)",
          remedy: "The file is damaged")
      }
      return try InspectionRecord(RecordReader(json, file: url.path))
    }
  }

  private init(_ reader: RecordReader) throws {
    step = try reader.int("step")
    layers = try reader.array("layers").map { layer in
      let dead = try layer.number("dead")
      return Layer(
        name: try layer.string("name"), mean: try layer.number("mean"), deviation: try layer.number("deviation"),
        zeros: try layer.number("zeros"), dead: dead.isNaN ? nil : dead)
    }
    gradients = try reader.array("gradients").map { gradient in
      let (low, high) = (try gradient.number("from"), try gradient.number("to"))
      return Gradient(
        name: try gradient.string("name"), norm: try gradient.number("norm"),
        histogram: Histogram(
          range: low < high ? low...high : 0...1, counts: try gradient.ints("counts"), zeros: try gradient.int("zeros"),
          notFinite: try gradient.int("not_finite")))
    }
  }
}
