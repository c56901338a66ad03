// A layer says which values it needs and holds none of them: a parameter is a declaration. Its shape is stated where it
// is used, so layers have no build phase, and copying a model copies nothing but descriptions.

import AccelerandoCore
import Synchronization

/// What happens to a parameter's value while training.
public enum ParameterRole: String, Hashable, Sendable, CaseIterable, Codable {
  /// Changed by the optimizer, along its gradient.
  case trainable
  /// Changed by the layer itself with `Parameter.update(_:)`, like a moving average.
  case state
}

/// The declaration of a value that a layer needs: its initializer and its role. Copies of a parameter are the same
/// parameter, so a layer that is used twice shares its values.
public struct Parameter: Sendable {
  /// How the initial value is made.
  public let initializer: Initializer
  /// Who changes the value.
  public let role: ParameterRole
  /// The element type of the value.
  public let dtype: DType
  /// Whether the value is read in its own element type even if the model computes in another.
  public let keepsPrecision: Bool
  /// Whether zeros in it can pay: pruning never touches others.
  public let isPrunable: Bool
  /// The penalty on the value, unless the layer's options say another; nil for none.
  public let regularizer: (any Regularizer)?
  /// What holds for the value after each step, unless the layer's options say something else; nil for nothing.
  public let constraint: (any Constraint)?
  let key = ParameterKey()

  /// Declares a parameter. It must be a stored property of a layer (directly, or inside arrays, optionals,
  /// dictionaries, structs or classes that the layer stores): its name is the path of the properties that lead to it.
  /// - Parameters:
  ///   - initializer: how the initial value is made.
  ///   - role: who changes the value.
  ///   - dtype: the element type of the value.
  ///   - keepsPrecision: whether it is read in its own element type even if the model computes in 16 bits.
  ///   - isPrunable: whether it may be pruned, if it is a matrix or a kernel. Small parameters do harm without zeros being of use.
  ///   - regularizer: the penalty on the value, which is added to the loss.
  ///   - constraint: what holds for the value after each step of training.
  public init(
    _ initializer: Initializer, role: ParameterRole = .trainable, dtype: DType = .float32, keepsPrecision: Bool = false,
    isPrunable: Bool = true, regularizer: (any Regularizer)? = nil, constraint: (any Constraint)? = nil
  ) {
    self.regularizer = regularizer
    self.constraint = constraint
    self.keepsPrecision = keepsPrecision
    self.isPrunable = isPrunable
    self.initializer = initializer
    self.role = role
    self.dtype = dtype
  }

  /// The parameter's tensor in the current trace. The first use declares the shape.
  /// Outside a trace of a model, or with another shape than before, the trace gets an error.
  public subscript(_ shape: Int...) -> Tensor { self[shape: shape] }

  /// The parameter's tensor of a shape that is known as an array.
  public subscript(shape shape: [Int]) -> Tensor {
    guard let scope = Scope.current else {
      // There is no trace to report to; a tensor of a graph of its own makes any use of it fail there, by name.
      return Graph().input("a parameter that is used outside a model", TensorType(dtype, shape))
    }
    return scope.read(self, shape)
  }

  /// Records the value that the parameter will have after this step. Later reads in the same trace see it.
  /// - Parameter value: a tensor of the parameter's type; a parameter of role `.state`.
  public func update(_ value: Tensor) {
    if let scope = Scope.current { scope.update(self, value) }
  }
}

/// The identity of a parameter: an object, so that it is unique without a counter that everybody shares.
final class ParameterKey: Sendable, Hashable {
  private let learned = Atomic<Bool>(false)
  private let memory = Mutex<(any Sendable)?>(nil)

  /// Where the model that trained the parameter last has its value; nil before there is such a model. What it is, only
  /// models know.
  var home: (any Sendable)? {
    get { memory.withLock { $0 } }
    set { memory.withLock { $0 = newValue } }
  }

  /// Whether some model has trained values of the parameter, or was given them. Values belong to models; this only lets a
  /// second model of the same layers say that it has none of them.
  var hasLearned: Bool {
    get { learned.load(ordering: .relaxed) }
    set { learned.store(newValue, ordering: .relaxed) }
  }

  static func == (a: ParameterKey, b: ParameterKey) -> Bool { a === b }
  func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// A parameter's description after tracing: everything that is needed to make its initial value.
public struct ParameterSpec: Hashable, Sendable {
  /// The path of properties to it: `layers.0.weight`.
  public let name: String
  /// The type of its value.
  public let type: TensorType
  /// Who changes it.
  public let role: ParameterRole
  /// How its initial value is made.
  public let initializer: Initializer

  /// Describes a parameter.
  public init(name: String, type: TensorType, role: ParameterRole, initializer: Initializer) {
    self.name = name
    self.type = type
    self.role = role
    self.initializer = initializer
  }
}
