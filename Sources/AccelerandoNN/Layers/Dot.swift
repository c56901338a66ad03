// The product of two inputs, sample by sample.

import AccelerandoCore

/// Σ of products along one axis of each of two inputs, for each sample: `[N, T, D]` and `[N, S, D]` along the last axes
/// give `[N, T, S]`; of two vectors, `[N, 1]`.
public struct Dot: MergeLayer, ConfigurableLayer {
  /// The axis of each input; negative ones count from the last.
  public let axes: [Int]
  /// Whether vectors along the axes are scaled to length 1 first, so that products are cosines.
  public let normalizes: Bool
  public let name: String?

  /// Makes the layer.
  /// - Parameters:
  ///   - axes: an axis of the first and of the second input, or one for both; not the batch axis.
  ///   - normalizes: whether the result is the cosine instead of the product.
  ///   - name: the layer's name.
  public init(axes: [Int], normalizes: Bool = false, name: String? = nil) {
    self.axes = axes.count == 1 ? [axes[0], axes[0]] : axes
    self.normalizes = normalizes
    self.name = name
  }

  public func forward(_ inputs: [Tensor]) -> Tensor {
    guard let first = inputs.first else { return Graph().input("no input", TensorType(.float32, [])) }
    guard inputs.count == 2 else { return first.rejected("takes two inputs; received \(inputs.count).") }
    let places = zip(axes, inputs).map { axis, input in axis < 0 ? axis + input.rank : axis }
    guard zip(places, inputs).allSatisfy({ (1..<max($1.rank, 1)).contains($0) }),
      inputs[0].shape[0] == inputs[1].shape[0], inputs[0].shape[places[0]] == inputs[1].shape[places[1]]
    else {
      return first.rejected(
        "needs two inputs of one batch, and axes \(axes) of one size that are not the batch; "
          + "received \(inputs[0].shape) and \(inputs[1].shape).")
    }
    let vectors = normalizes ? zip(inputs, places).map { $0.unit(axes: [$1]) } : inputs
    let product = first.graph.add(
      DotGeneral(
        leftBatching: [0], rightBatching: [0], leftContracting: [places[0]], rightContracting: [places[1]]),
      vectors[0], vectors[1])
    return product.rank == 1 ? product.expandingDims(-1) : product
  }

  public static var summary: String { "Products of two inputs along an axis of each, sample by sample." }

  public init(config: ConfigReader) throws {
    let axes = try config.axes("axes")
    guard axes.count == 1 || axes.count == 2 else { throw config.refused("axes", "a whole number or a list of 2") }
    self.init(
      axes: axes, normalizes: try config.bool("normalize", default: false), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(name: name, [("axes", .ints(axes)), ("normalize", Config(.bool(normalizes)))])
  }
}

extension ConfigReader {
  /// One or several axes, which have to be there.
  fileprivate func axes(_ key: String) throws -> [Int] {
    try required(key, "a whole number or a list of 2", sample: [-1]) { _ in try ints(key, default: []) }
  }
}
