// Indices of categories as rows of ones or counts, for layers that multiply.

import AccelerandoCore

/// The form in which indices are given on.
public enum CategoryMode: String, CaseIterable, Hashable, Sendable {
  /// The indices themselves, as `int32`.
  case int
  /// For each index a row with a one at its place.
  case oneHot = "one_hot"
  /// For each sample a row with ones at the places of its indices.
  case multiHot = "multi_hot"
  /// For each sample a row that says how often each index occurs.
  case count
}

/// Indices `[N]` or `[N, k]` as rows: a one for each (`oneHot`), or one row for each sample.
///
/// With `count`, a second input of the same shape may have the weight of each index.
public struct CategoryEncoding: MergeLayer, ConfigurableLayer {
  /// The number of indices: they are 0 to `numTokens` − 1.
  public let numTokens: Int
  /// The form of the result: `oneHot`, `multiHot` or `count`.
  public let outputMode: CategoryMode
  public let name: String?
  public var acceptsIntegers: Bool { true }

  /// Makes the layer.
  /// - Parameters:
  ///   - numTokens: the number of indices.
  ///   - outputMode: the form of the result; not `int`.
  ///   - name: the layer's name.
  public init(numTokens: Int, outputMode: CategoryMode = .multiHot, name: String? = nil) {
    self.numTokens = numTokens
    self.outputMode = outputMode
    self.name = name
  }

  public func forward(_ inputs: [Tensor]) -> Tensor {
    guard let x = inputs.first, x.rank >= 1, inputs.count <= 2 else {
      let first = inputs.first ?? Graph().input("no input", TensorType(.float32, []))
      return first.rejected(
        "needs indices [N, …], and with 'count' weights; received \(inputs.count) inputs.")
    }
    if inputs.count == 2, outputMode != .count || inputs[1].shape != x.shape {
      return x.rejected(
        "takes a second input, weights, with 'output_mode: count', of the shape of the indices; received "
          + "\(inputs[1].shape) for \(x.shape) and \(outputMode.rawValue).")
    }
    let indices = x.converted(to: .int32)
    Scope.current?.willLookUp(x, rows: numTokens)
    return indices.encoded(outputMode, depth: numTokens, weights: inputs.dropFirst().first)
  }

  public static var summary: String { "Indices as rows of ones or counts." }

  public init(config: ConfigReader) throws {
    let size = try config.int("num_tokens", in: .counts, about: "The number of indices")
    let mode = try config.choice(
      "output_mode", default: CategoryMode.multiHot, among: [.oneHot, .multiHot, .count])
    try config.refuseSparse()
    self.init(numTokens: size, outputMode: mode, name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config([
      "name": name.map { Config(.string($0)) }, "num_tokens": Config(.int(numTokens)),
      "output_mode": Config(.string(outputMode.rawValue)),
    ])
  }
}

extension Tensor {
  /// Indices `int32[N, …]` in a form.
  /// - Parameters:
  ///   - mode: the form.
  ///   - depth: the number of indices; others are left out.
  ///   - weights: what the indices count, with `count`.
  func encoded(_ mode: CategoryMode, depth: Int, weights: Tensor? = nil) -> Tensor {
    let type = Scope.current?.computeType ?? .float32
    switch mode {
    case .int: return self
    case .oneHot:
      let indices = rank > 1 && shape[rank - 1] == 1 ? reshaped(Array(shape.dropLast())) : self
      return indices.oneHot(depth, dtype: type)
    case .multiHot, .count:
      guard rank <= 2 else {
        return rejected(
          "makes one row of each sample with 'output_mode: \(mode.rawValue)', of one index or a list; received \(shape)."
        )
      }
      let lists = rank == 2 ? self : reshaped([shape[0], 1])
      let ones = lists.oneHot(depth, dtype: type)
      if mode == .multiHot { return ones.max(axes: [1]) }
      guard let weights else { return ones.sum(axes: [1]) }
      let factors = weights.converted(to: type).reshaped(lists.shape + [1])
      return (ones * factors.broadcast(to: ones.shape)).sum(axes: [1])
    }
  }
}

extension ConfigReader {
  /// Arrays are dense here.
  func refuseSparse() throws {
    if try bool("sparse", default: false, about: "Only false: arrays are dense here") {
      throw refused("sparse", "false: arrays are dense here")
    }
  }
}
