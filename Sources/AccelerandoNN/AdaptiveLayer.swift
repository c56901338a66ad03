// Layers that learn from data before training begins, and not by gradients: the mean of a feature, the bounds of bins.
// They say what they gather; the model finds them, computes what each one reads, and keeps what they have learned.

import AccelerandoCore

/// A layer that learns from the training data before training: Keras' layers with `adapt`.
///
/// What it has learned is stored in parameters that no optimizer changes, and saved with the model.
public protocol AdaptiveLayer: Layer {
  /// The number of elements that the layer has seen, an `int32` scalar: 0 before it is adapted. Nil if what there is to
  /// learn was given with the settings.
  var adaptationCount: Parameter? { get }

  /// Begins to learn, for inputs of a type.
  /// - Parameter input: the type of an input, whose first axis is the batch.
  func makeAdaptation(for input: TensorType) -> any LayerAdaptation
}

/// What a layer gathers from data.
public protocol LayerAdaptation {
  /// Takes in the next samples.
  /// - Parameter samples: `[N, …]`, with finite numbers.
  mutating func add(_ samples: NDArray)

  /// The values of the layer's parameters, `adaptationCount` included.
  /// - Throws: `GraphError` when there were too few samples to learn from.
  func values() throws -> [(parameter: Parameter, value: NDArray)]
}

extension NDArray {
  /// The count of elements as a value of `adaptationCount`.
  static func adaptationCount(_ count: Int) -> NDArray { NDArray(scalar: Int32(clamping: count)) }
}
