// The symbolic tensor: a handle to a value of the graph that is being traced. Arithmetic on it records operations.
// Operands of different shapes are broadcast as NumPy does, by explicit broadcast_in_dim operations, so that gradients
// are summed back in one place only: that operation's pullback.

/// A tensor in a program that is being traced. It has a type but no value.
public struct Tensor {
  /// The graph that records operations on the tensor.
  public let graph: Graph
  let id: Int

  /// The element type and shape.
  public var type: TensorType { graph.type(of: id) }
  /// Where a tensor is: the same for two handles of one value.
  package struct Place: Hashable {
    let graph: ObjectIdentifier
    let value: Int
  }

  /// Where the tensor is.
  package var place: Place { Place(graph: ObjectIdentifier(graph), value: graph.resolve(id)) }

  /// The element type.
  public var dtype: DType { type.dtype }
  /// The size of each dimension.
  public var shape: [Int] { type.shape }
  /// The number of dimensions.
  public var rank: Int { type.rank }

  /// The operation that computes the tensor, with its operands; nil for an input of the program. Layers and losses may
  /// use it to choose a better formula, such as log-softmax of logits instead of the log of a softmax.
  public var definition: (operation: any Operation, operands: [Tensor])? {
    let producer = graph.producers[graph.resolve(id)]
    guard producer >= 0 else { return nil }
    let node = graph.nodes[producer]
    return (node.operation, node.operands.map { Tensor(graph: graph, id: graph.resolve($0)) })
  }

  /// The size of a dimension; negative axes count from the last. 1, and an error in the trace, if there is no such
  /// axis.
  public func dim(_ axis: Int) -> Int {
    let positive = axis < 0 ? axis + rank : axis
    guard shape.indices.contains(positive) else {
      graph.report(GraphError("needs a tensor with an axis \(axis); received \(type).", path: graph.path))
      return 1
    }
    return shape[positive]
  }

  /// `axis` counted from the first; reports an error and gives 0 if there is no such axis.
  func normalized(_ axis: Int, extent: Int? = nil) -> Int {
    let extent = extent ?? rank
    let positive = axis < 0 ? axis + extent : axis
    guard (0..<extent).contains(positive) else {
      graph.report(GraphError("needs an axis in -\(extent)..<\(extent) for \(type); received axis \(axis)."))
      return 0
    }
    return positive
  }

  /// Axes counted from the first, in order; all axes for nil.
  func normalized(_ axes: [Int]?) -> [Int] {
    guard let axes else { return Array(0..<rank) }
    return Array(Set(axes.map { normalized($0) })).sorted()
  }

  /// A constant in the same graph.
  public func constant(_ value: NDArray) -> Tensor { graph.add(Constant(value)) }

  /// A scalar constant of the tensor's element type.
  public func scalar(_ value: Double) -> Tensor {
    constant(NDArray(repeating: value, type: TensorType(dtype, [])))
  }

  /// A tensor of the same type with all elements equal to `value`.
  public func filled(_ value: Double) -> Tensor { scalar(value).broadcast(to: shape) }

  /// A tensor of the same type, all zeros.
  public func zerosLike() -> Tensor { filled(0) }

  /// A tensor of the same type, all ones.
  public func onesLike() -> Tensor { filled(1) }
}

/// Broadcasts two tensors to the shape that NumPy's rules give for them.
func broadcasting(_ a: Tensor, _ b: Tensor) -> (Tensor, Tensor) {
  if a.shape == b.shape { return (a, b) }
  guard let shape = broadcastShape(a.shape, b.shape) else { return (a, b) }
  return (a.broadcast(to: shape), b.broadcast(to: shape))
}

/// The shape that two shapes broadcast to by NumPy's rules: aligned at the last axis, sizes equal or 1; nil if they do
/// not.
public func broadcastShape(_ a: [Int], _ b: [Int]) -> [Int]? {
  let rank = max(a.count, b.count)
  var shape: [Int] = []
  for axis in 0..<rank {
    let x = axis < rank - a.count ? 1 : a[axis - rank + a.count]
    let y = axis < rank - b.count ? 1 : b[axis - rank + b.count]
    guard x == y || x == 1 || y == 1 else { return nil }
    shape.append(x == 1 ? y : x)
  }
  return shape
}
