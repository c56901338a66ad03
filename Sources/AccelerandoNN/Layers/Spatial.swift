// What layers over sequences, images and volumes share: one, two or three spatial axes between the batch and the channels,
// in either order of files and papers. Formulas are written for channels last; other inputs are turned first.

import AccelerandoCore

/// Where the channels are among the axes of a sample.
public enum DataFormat: String, Hashable, Sendable, CaseIterable {
  /// `[N, spatial…, C]`.
  case channelsLast = "channels_last"
  /// `[N, C, spatial…]`.
  case channelsFirst = "channels_first"
}

/// What is added or cut off at both ends of an axis.
struct Margin: Hashable, Sendable {
  let low: Int
  let high: Int

  init(_ low: Int, _ high: Int) {
    self.low = low
    self.high = high
  }

  var config: Config { .ints([low, high]) }
}

/// A layer over sequences, images or volumes.
public protocol SpatialLayer: ConfigurableLayer {
  /// The number of spatial axes.
  static var spatialRank: Int { get }
}

extension SpatialLayer {
  /// A size that holds for every spatial axis.
  static func everyAxis(_ size: Int) -> [Int] { [Int](repeating: size, count: spatialRank) }
}

extension DataFormat {
  /// The format in files; nil for the usual one.
  var config: Config? { self == .channelsLast ? nil : Config(.string(rawValue)) }
}

extension ConfigReader {
  /// Where the channels are.
  func dataFormat() throws -> DataFormat { try choice("data_format", default: .channelsLast) }
}

extension Tensor {
  /// The tensor as `[N, spatial…, C]` if it has so many spatial axes; otherwise reports what is missing.
  func asSpatial(_ rank: Int, _ format: DataFormat = .channelsLast) -> Tensor? {
    let letters = ["L", "H, W", "D, H, W"][Swift.min(Swift.max(rank, 1), 3) - 1]
    if self.rank == rank + 2 {
      return format == .channelsLast ? self : transposed([0] + Array(2..<rank + 2) + [1])
    }
    var advice = ""
    if self.rank == rank + 1 {
      let sizes = shape.dropFirst()
      let target = format == .channelsLast ? Array(sizes) + [1] : [1] + sizes
      advice = " Add a channel axis: a Reshape to \(target) before it."
    } else if rank == 2, self.rank == 2 {
      advice = " Images keep their height and width; do not flatten them before."
    }
    let axes = format == .channelsLast ? "[N, \(letters), C]" : "[N, C, \(letters)]"
    graph.report(GraphError("needs a rank-\(rank + 2) input \(axes); received \(shape).\(advice)"))
    return nil
  }

  /// A result `[N, spatial…, C]` in the order that the layer's input has.
  func inFormat(_ format: DataFormat) -> Tensor {
    format == .channelsLast || rank < 3 ? self : transposed([0, rank - 1] + Array(1..<rank - 1))
  }

  /// Whether the spatial axes are at least as large as a window that may not reach over the edge; otherwise reports that
  /// they are not.
  func holds(window: [Int], dilation: [Int], _ padding: Padding) -> Bool {
    if padding != .valid { return true }
    let extents = zip(window, dilation).map { ($0 - 1) * $1 + 1 }
    if zip(extents, shape.dropFirst()).allSatisfy({ $0 <= $1 }) { return true }
    let kind = ["a sequence", "an image", "a volume"][Swift.min(window.count, 3) - 1]
    graph.report(
      GraphError(
        "needs \(kind) of at least its window \(extents); received \(shape). "
          + "Use the padding 'same', or fewer or smaller layers before it."))
    return false
  }
}
