// The mean of each window of an image.

import AccelerandoCore

/// The mean over windows, of each channel: `[N, H, W, C]` to `[N, H', W', C]`. In windows that extend over the edge,
/// the mean of the elements inside.
public struct AveragePooling2D: ConfigurableLayer {
  /// The window's height and width.
  public let poolSize: [Int]
  /// The window's steps down and to the right.
  public let strides: [Int]
  /// How windows lie at the edges.
  public let padding: Padding
  public let name: String?

  /// Makes the layer.
  /// - Parameters:
  ///   - poolSize: the window's height and width.
  ///   - strides: the window's steps; its size for nil, so that windows do not overlap.
  ///   - padding: how windows are placed at the edges.
  ///   - name: the layer's name.
  public init(
    poolSize: (Int, Int) = (2, 2), strides: (Int, Int)? = nil, padding: Padding = .valid, name: String? = nil
  ) {
    self.poolSize = [poolSize.0, poolSize.1]
    self.strides = strides.map { [$0.0, $0.1] } ?? self.poolSize
    self.padding = padding
    self.name = name
  }

  public func forward(_ x: Tensor) -> Tensor {
    guard let window = x.poolingWindow(poolSize, strides, padding) else { return x }
    let sums = x.graph.add(ReduceWindow(.sum, window), x)
    if (window.paddingLow + window.paddingHigh).allSatisfy({ $0 == 0 }) {
      return sums * (1 / Double(poolSize.elementCount))
    }
    // Shapes are static, so how many elements each window has is known now.
    let counts = (1...2).map { axis in
      (0..<sums.shape[axis]).map { place -> Int in
        let start = place * window.strides[axis] - window.paddingLow[axis]
        return max(min(start + window.size[axis], x.shape[axis]) - max(start, 0), 0)
      }
    }
    var shares = NDArray(zeros: TensorType(.float32, [1, counts[0].count, counts[1].count, 1]))
    shares.withUnsafeMutableBytes { bytes in
      let elements = bytes.bindMemory(to: Float.self)
      for (row, height) in counts[0].enumerated() {
        for (column, width) in counts[1].enumerated() {
          elements[row * counts[1].count + column] = 1 / Float(max(height * width, 1))
        }
      }
    }
    return sums * x.constant(shares.converted(to: x.dtype))
  }

  public static var summary: String {
    "The mean over windows of images, each channel separately: [N, H, W, C] to [N, H', W', C]."
  }

  public init(config: ConfigReader) throws {
    self.init(
      poolSize: try config.pair("pool_size", default: (2, 2)), strides: try config.optionalPair("strides"),
      padding: try config.choice("padding", default: .valid), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "pool_size": .ints(poolSize), "strides": .ints(strides),
      "padding": Config(.string(padding.rawValue)),
    ])
  }
}
