// Joining branches along an axis.

import AccelerandoCore

/// Joins the inputs along an axis; their other axes have the same sizes.
public struct Concatenate: MergeLayer, ConfigurableLayer {
  /// The axis; negative ones count from the last.
  public let axis: Int
  public let name: String?

  /// As in Keras: an input without a mask counts everywhere. Along other axes than the positions, a position counts that does
  /// in one of the inputs.
  public func outputMask(of inputs: [Tensor]) -> Tensor? {
    guard let mask = inputs.lazy.compactMap(\.mask).first, let rank = inputs.first?.rank else { return nil }
    let along = axis < 0 ? axis + rank : axis
    let masks = inputs.map { input in
      input.mask ?? mask.scalar(1).converted(to: .bool).broadcast(to: Array(input.shape.prefix(mask.rank)))
    }
    guard masks.allSatisfy({ $0.rank == mask.rank }), along > 0 else { return nil }
    if along < mask.rank { return Tensor.concatenating(masks, axis: along) }
    return masks.dropFirst().reduce(masks[0]) { $0.type == $1.type ? $0.or($1) : $0 }
  }

  /// Makes the layer.
  public init(axis: Int = -1, name: String? = nil) {
    self.axis = axis
    self.name = name
  }

  public func forward(_ inputs: [Tensor]) -> Tensor {
    guard let first = inputs.first else { return Graph().input("no input", TensorType(.float32, [])) }
    let along = axis < 0 ? axis + first.rank : axis
    let fits = inputs.allSatisfy { input in
      input.rank == first.rank && input.shape.indices.contains(along) && along != 0
        && input.shape.indices.allSatisfy { $0 == along || input.shape[$0] == first.shape[$0] }
    }
    guard fits else {
      return first.rejected(
        "needs inputs whose shapes agree but for axis \(axis), which is not the batch; "
          + "received \(inputs.map { "\($0.shape)" }.joined(separator: ", ")).")
    }
    return Tensor.concatenating(inputs, axis: along)
  }

  public static var summary: String { "Joins several inputs along an axis." }

  public init(config: ConfigReader) throws {
    self.init(axis: try config.int("axis", default: -1), name: try config.optionalString("name"))
  }

  public func config() -> Config {
    Config(["name": name.map { Config(.string($0)) }, "axis": Config(.int(axis))])
  }
}

extension Concatenate {
  public func channelFlow(of inputs: [TensorType]) -> ChannelFlow {
    guard let rank = inputs.first?.rank, axis == -1 || axis == rank - 1 else { return .separate }
    return ChannelFlow(.concatenated)
  }
}
