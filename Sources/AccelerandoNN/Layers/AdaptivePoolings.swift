// Pooling to a given size, whatever the size of the input: window i of an axis goes from ⌊i · n / out⌋ to ⌈(i + 1) · n / out⌉.

import AccelerandoCore

/// A statistic of each channel in each of so many windows: `[N, spatial…, C]` to `[N, outputSize…, C]`.
public protocol AdaptivePoolingLayer: SpatialLayer {
  /// What is computed.
  static var function: PoolingFunction { get }
  /// The sizes of the result's spatial axes.
  var outputSize: [Int] { get }
  /// Where the channels are.
  var dataFormat: DataFormat { get }

  /// Makes the layer.
  init(sizes: [Int], dataFormat: DataFormat, name: String?)
}

extension AdaptivePoolingLayer {
  /// Makes the layer, with the same size along every spatial axis.
  public init(_ outputSize: Int, dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.init(sizes: Self.everyAxis(outputSize), dataFormat: dataFormat, name: name)
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard let images = x.asSpatial(Self.spatialRank, dataFormat) else { return x }
    guard images.type.elementCount > 0 else { return x.rejected("needs an input with elements; received \(x.shape).") }
    // The windows of all axes are independent of each other, and so are means of means and maxima of maxima.
    var result = images
    for (index, size) in outputSize.enumerated() {
      guard let next = result.pooled(axis: index + 1, to: size, Self.function) else { return x }
      result = next
    }
    return result.inFormat(dataFormat)
  }

  public init(config: ConfigReader) throws {
    self.init(
      sizes: try config.sizes("output_size", rank: Self.spatialRank), dataFormat: try config.dataFormat(),
      name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("output_size", .ints(outputSize)), ("data_format", dataFormat.config)])
  }
}

extension Tensor {
  /// One axis reduced to `size` windows; nil, and an error, if there are more than a tensor has elements.
  fileprivate func pooled(axis: Int, to size: Int, _ function: PoolingFunction) -> Tensor? {
    let count = shape[axis]
    func reduced(_ windows: Tensor) -> Tensor {
      function == .max ? windows.max(axes: [axis + 1]) : windows.mean(axes: [axis + 1])
    }
    if count % size == 0 {
      return reduced(reshaped(Array(shape[..<axis]) + [size, count / size] + Array(shape[(axis + 1)...])))
    }
    // The longest windows have one element more than the quotient, or two where they begin and end inside of others'.
    let longest = Swift.min(count / size + 2, count)
    let gathered = Array(shape[..<axis]) + [size, longest] + Array(shape[(axis + 1)...])
    guard size <= 1 << 24, TensorType(dtype, gathered).problem == nil else {
      graph.report(GraphError("cannot pool \(count) elements into \(size) windows: at most 16777216 overlap."))
      return nil
    }
    let starts = (0..<size).map { $0 * count / size }
    let lengths = (0..<size).map { (($0 + 1) * count + size - 1) / size - starts[$0] }
    let places = (0..<size * longest).map { index -> Int32 in
      let window = index / longest
      return Int32(starts[window] + Swift.min(index % longest, lengths[window] - 1))
    }
    let windows = taking(constant(NDArray(places)), axis: axis).reshaped(gathered)
    if function == .max { return windows.max(axes: [axis + 1]) }
    // What repeats the last element of a shorter window counts as nothing.
    let isInside = (0..<size * longest).map { $0 % longest < lengths[$0 / longest] }
    let axes = [axis, axis + 1]
    guard let inside = try? NDArray(isInside).reshaped([size, longest]),
      let shares = try? NDArray(lengths.map { 1 / Float($0) }).converted(to: dtype).reshaped([size])
    else { return nil }
    let kept = select(constant(inside).broadcast(to: gathered, axes: axes), windows, windows.zerosLike())
    let sums = kept.sum(axes: [axis + 1])
    return sums * constant(shares).broadcast(to: sums.shape, axes: [axis])
  }
}

/// The mean of each channel of sequences in windows that cover them: `[N, L, C]` to `[N, outputSize…, C]`.
public struct AdaptiveAveragePooling1D: AdaptivePoolingLayer {
  public static var spatialRank: Int { 1 }
  public static var function: PoolingFunction { .mean }
  public let outputSize: [Int]
  public let dataFormat: DataFormat
  public let name: String?

  public init(sizes: [Int], dataFormat: DataFormat, name: String?) {
    outputSize = sizes
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "The mean of each channel of sequences in output_size windows." }
}

/// The mean of each channel of images in windows that cover them: `[N, H, W, C]` to `[N, outputSize…, C]`.
public struct AdaptiveAveragePooling2D: AdaptivePoolingLayer {
  public static var spatialRank: Int { 2 }
  public static var function: PoolingFunction { .mean }
  public let outputSize: [Int]
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(_ outputSize: (Int, Int), dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.init(sizes: [outputSize.0, outputSize.1], dataFormat: dataFormat, name: name)
  }

  public init(sizes: [Int], dataFormat: DataFormat, name: String?) {
    outputSize = sizes
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "The mean of each channel of images in output_size windows." }
}

/// The mean of each channel of volumes in windows that cover them: `[N, D, H, W, C]` to `[N, outputSize…, C]`.
public struct AdaptiveAveragePooling3D: AdaptivePoolingLayer {
  public static var spatialRank: Int { 3 }
  public static var function: PoolingFunction { .mean }
  public let outputSize: [Int]
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(_ outputSize: (Int, Int, Int), dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.init(sizes: [outputSize.0, outputSize.1, outputSize.2], dataFormat: dataFormat, name: name)
  }

  public init(sizes: [Int], dataFormat: DataFormat, name: String?) {
    outputSize = sizes
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "The mean of each channel of volumes in output_size windows." }
}

/// The largest element of each channel of sequences in windows that cover them: `[N, L, C]` to `[N, outputSize…, C]`.
public struct AdaptiveMaxPooling1D: AdaptivePoolingLayer {
  public static var spatialRank: Int { 1 }
  public static var function: PoolingFunction { .max }
  public let outputSize: [Int]
  public let dataFormat: DataFormat
  public let name: String?

  public init(sizes: [Int], dataFormat: DataFormat, name: String?) {
    outputSize = sizes
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "The largest element of each channel of sequences in output_size windows." }
}

/// The largest element of each channel of images in windows that cover them: `[N, H, W, C]` to `[N, outputSize…, C]`.
public struct AdaptiveMaxPooling2D: AdaptivePoolingLayer {
  public static var spatialRank: Int { 2 }
  public static var function: PoolingFunction { .max }
  public let outputSize: [Int]
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(_ outputSize: (Int, Int), dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.init(sizes: [outputSize.0, outputSize.1], dataFormat: dataFormat, name: name)
  }

  public init(sizes: [Int], dataFormat: DataFormat, name: String?) {
    outputSize = sizes
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "The largest element of each channel of images in output_size windows." }
}

/// The largest element of each channel of volumes in windows that cover them: `[N, D, H, W, C]` to `[N, outputSize…, C]`.
public struct AdaptiveMaxPooling3D: AdaptivePoolingLayer {
  public static var spatialRank: Int { 3 }
  public static var function: PoolingFunction { .max }
  public let outputSize: [Int]
  public let dataFormat: DataFormat
  public let name: String?

  /// Makes the layer.
  public init(_ outputSize: (Int, Int, Int), dataFormat: DataFormat = .channelsLast, name: String? = nil) {
    self.init(sizes: [outputSize.0, outputSize.1, outputSize.2], dataFormat: dataFormat, name: name)
  }

  public init(sizes: [Int], dataFormat: DataFormat, name: String?) {
    outputSize = sizes
    self.dataFormat = dataFormat
    self.name = name
  }

  public static var summary: String { "The largest element of each channel of volumes in output_size windows." }
}
