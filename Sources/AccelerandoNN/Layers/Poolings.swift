// Pooling over sequences, images and volumes.

import AccelerandoCore

/// What pooling computes of a window.
public enum PoolingFunction: Sendable {
  case max, mean
}

/// The window of a pooling layer.
public struct PoolingWindow: Hashable, Sendable {
  /// The window's sizes.
  public let size: [Int]
  /// The window's steps.
  public let strides: [Int]
  /// How windows lie at the edges.
  public let padding: Padding
  /// Where the channels are.
  public let dataFormat: DataFormat

  init(_ size: [Int], _ strides: [Int]?, _ padding: Padding, _ dataFormat: DataFormat) {
    self.size = size
    self.strides = strides ?? size
    self.padding = padding
    self.dataFormat = dataFormat
  }
}

/// A statistic of each window, of each channel: `[N, spatial…, C]` to `[N, spatial…, C]`.
public protocol PoolingLayer: SpatialLayer {
  /// What is computed.
  static var function: PoolingFunction { get }
  /// The window.
  var window: PoolingWindow { get }

  /// Makes the layer.
  init(window: PoolingWindow, name: String?)
}

extension PoolingLayer {
  /// Makes the layer, with the same sizes along every spatial axis.
  /// - Parameters:
  ///   - poolSize: the window's size along each axis.
  ///   - strides: the window's steps; its size for nil, so that windows do not overlap.
  ///   - padding: how windows are placed at the edges.
  ///   - dataFormat: where the channels are.
  ///   - name: the layer's name.
  public init(
    poolSize: Int = 2, strides: Int? = nil, padding: Padding = .valid,
    dataFormat: DataFormat = .channelsLast, name: String? = nil
  ) {
    self.init(
      window: PoolingWindow(Self.everyAxis(poolSize), strides.map(Self.everyAxis), padding, dataFormat), name: name)
  }

  /// The window's sizes.
  public var poolSize: [Int] { window.size }
  /// The window's steps.
  public var strides: [Int] { window.strides }
  /// How windows lie at the edges.
  public var padding: Padding { window.padding }
  /// Where the channels are.
  public var dataFormat: DataFormat { window.dataFormat }

  public func forward(_ x: Tensor) -> Tensor {
    guard let images = x.asSpatial(Self.spatialRank, dataFormat),
      images.holds(window: poolSize, dilation: poolSize.map { _ in 1 }, padding)
    else { return x }
    let amounts = poolSize.indices.map {
      padding.amounts(size: images.shape[$0 + 1], window: poolSize[$0], stride: strides[$0])
    }
    let pooled = images.pooled(poolSize, strides, amounts.map { Margin($0.low, $0.high) }, Self.function)
    return (Self.function == .max ? pooled : pooled.divided(by: images.shape, window, amounts)).inFormat(dataFormat)
  }

  public init(config: ConfigReader) throws {
    let rank = Self.spatialRank
    self.init(
      window: PoolingWindow(
        try config.sizes("pool_size", rank: rank, default: [Int](repeating: 2, count: rank)),
        try config.optionalSizes("strides", rank: rank),
        try config.choice("padding", default: .valid, among: [.valid, .same]), try config.dataFormat()),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(
      name: name,
      [
        ("pool_size", .ints(poolSize)), ("strides", .ints(strides)), ("padding", Config(.string(padding.rawValue))),
        ("data_format", dataFormat.config),
      ])
  }
}

extension Tensor {
  /// The largest element or the sum of each window over the spatial axes.
  fileprivate func pooled(
    _ size: [Int], _ strides: [Int], _ margins: [Margin], _ function: PoolingFunction
  ) -> Tensor {
    if size.count == 3 {
      // A window over a volume is one over its planes and then one over the depth: fewer elements are visited, and engines
      // know windows over two axes.
      let (n, channels) = (shape[0], dim(-1))
      let images = reshaped([n * shape[1], shape[2], shape[3], channels])
      let planes = images.pooled(
        Array(size[1...]), Array(strides[1...]), Array(margins[1...]), function)
      let columns = planes.reshaped([n, shape[1], planes.shape[1] * planes.shape[2], channels])
      let result = columns.pooled(
        [size[0], 1], [strides[0], 1], [margins[0], Margin(0, 0)], function)
      return result.reshaped([n, result.shape[1], planes.shape[1], planes.shape[2], channels])
    }
    return graph.add(
      ReduceWindow(
        function == .max ? .max : .sum,
        WindowGeometry(
          size: [1] + size + [1], strides: [1] + strides + [1], paddingLow: [0] + margins.map(\.low) + [0],
          paddingHigh: [0] + margins.map(\.high) + [0])), self)
  }

  /// Sums over windows of an input of `shape`, divided by the numbers of elements in them.
  fileprivate func divided(
    by inputShape: [Int], _ window: PoolingWindow, _ margins: [(low: Int, high: Int)]
  ) -> Tensor {
    if margins.allSatisfy({ $0.low == 0 && $0.high == 0 }) {
      return self * window.size.reduce(1.0) { $0 / Double($1) }
    }
    // Shapes are static, so how many elements each window has is known now.
    var result = self
    for (index, margin) in margins.enumerated() where index + 1 < rank {
      let (size, stride, count) = (window.size[index], window.strides[index], inputShape[index + 1])
      let shares = (0..<shape[index + 1]).map { place -> Float in
        let start = place * stride - margin.low
        return 1 / Float(Swift.max(Swift.min(start + size, count) - Swift.max(start, 0), 1))
      }
      let axis = constant(NDArray(shares).converted(to: dtype))
      result = result * axis.broadcast(to: shape, axes: [index + 1])
    }
    return result
  }
}
