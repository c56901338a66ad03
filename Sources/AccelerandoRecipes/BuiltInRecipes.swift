// The recipes that come with the program: two models to start with, to train as they are or to copy and change. They
// are part of the program, so that it can be copied anywhere.

/// A recipe that comes with the program.
public struct BuiltInRecipe: Sendable {
  /// The recipe's name.
  public let name: String
  /// A description in one line.
  public let summary: String
  /// The recipe's text.
  public let yaml: String

  /// All built-in recipes.
  public static let all = [mlp, cnn]

  /// The recipe with a name.
  public static func named(_ name: String) -> BuiltInRecipe? { all.first { $0.name == name } }

  static let mlp = BuiltInRecipe(
    name: "mlp", summary: "Dense 128 relu, Dense 10 softmax on Fashion-MNIST: 101,770 parameters",
    yaml: """
      # Two dense layers on the 784 pixels of an image.
      data:
        name: fashion-mnist

      layers:
        - Rescaling: {scale: 0.00392156862745098} # 0…255 to 0…1
        - Flatten
        - Dense: {units: 128, activation: relu}
        - Dense: {units: 10, activation: softmax}

      compile:
        optimizer: {name: adam, learning_rate: 0.001}
        loss: sparse_categorical_crossentropy
        metrics: [accuracy]

      fit:
        epochs: 10
        batch_size: 32

      """)

  static let cnn = BuiltInRecipe(
    name: "cnn", summary: "Conv2D 32 3×3 relu, MaxPooling2D, Dense 10 softmax on Fashion-MNIST: 54,410 parameters",
    yaml: """
      # One convolution, pooled, and a dense layer.
      data:
        name: fashion-mnist

      layers:
        - Rescaling: {scale: 0.00392156862745098} # 0…255 to 0…1
        - Conv2D: {filters: 32, kernel_size: 3, activation: relu}
        - MaxPooling2D: {pool_size: 2}
        - Flatten
        - Dense: {units: 10, activation: softmax}

      compile:
        optimizer: {name: adam, learning_rate: 0.001}
        loss: sparse_categorical_crossentropy
        metrics: [accuracy]

      fit:
        epochs: 10
        batch_size: 32

      """)
}
