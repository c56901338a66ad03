// Penalties that keep weights or activities small, or apart. A regularizer is a formula for one tensor: layers say which of
// their weights and results it is for, and steps add the penalties to the loss.

import AccelerandoCore

/// A penalty on the values of a tensor, which is added to the loss.
public protocol Regularizer: Sendable {
  /// The penalty: a scalar of the tensor's type.
  func penalty(_ x: Tensor) -> Tensor

  /// Whether the penalty of a tensor is the sum of those of its elements. Then workers that share a batch can each compute
  /// the penalty of the activities of their part; false, the default, is always right.
  var isElementwise: Bool { get }
}

extension Regularizer {
  public var isElementwise: Bool { false }
}

/// `factor · Σ|x|`.
public struct L1: Regularizer, Hashable {
  /// The factor.
  public let factor: Double

  /// Makes the regularizer.
  public init(_ factor: Double = 0.01) { self.factor = factor }

  public var isElementwise: Bool { true }
  public func penalty(_ x: Tensor) -> Tensor { x.abs().sum() * factor }
}

/// `factor · Σx²`.
public struct L2: Regularizer, Hashable {
  /// The factor.
  public let factor: Double

  /// Makes the regularizer.
  public init(_ factor: Double = 0.01) { self.factor = factor }

  public var isElementwise: Bool { true }
  public func penalty(_ x: Tensor) -> Tensor { x.squared().sum() * factor }
}

/// `l1 · Σ|x| + l2 · Σx²`.
public struct L1L2: Regularizer, Hashable {
  /// The factor of the sum of magnitudes.
  public let l1: Double
  /// The factor of the sum of squares.
  public let l2: Double

  /// Makes the regularizer.
  public init(l1: Double = 0, l2: Double = 0) {
    self.l1 = l1
    self.l2 = l2
  }

  public var isElementwise: Bool { true }

  public func penalty(_ x: Tensor) -> Tensor {
    let parts = (l1 == 0 ? [] : [L1(l1).penalty(x)]) + (l2 == 0 ? [] : [L2(l2).penalty(x)])
    return parts.dropFirst().reduce(parts.first ?? x.scalar(0), +)
  }
}

/// `factor` times the mean magnitude of the products of different rows, or columns, of a matrix, each of length 1: zero where
/// they are orthogonal.
public struct OrthogonalRegularizer: Regularizer, Hashable {
  /// What is to be orthogonal to each other.
  public enum Mode: String, Hashable, Sendable, CaseIterable {
    case rows
    case columns
  }

  /// The factor.
  public let factor: Double
  /// What is to be orthogonal to each other.
  public let mode: Mode

  /// Makes the regularizer.
  public init(_ factor: Double = 0.01, mode: Mode = .rows) {
    self.factor = factor
    self.mode = mode
  }

  public func penalty(_ x: Tensor) -> Tensor {
    guard x.rank == 2 else {
      return x.rejected("needs a matrix for the orthogonal regularizer; received \(x.shape).").scalar(0)
    }
    let vectors = mode == .rows ? x : x.transposed()
    let count = vectors.shape[0]
    // One vector has nothing to be orthogonal to.
    guard count > 1 else { return x.scalar(0) }
    let unit = vectors.unit(axes: [1])
    let products = unit.matmul(unit.transposed())
    let type = TensorType(.int32, products.shape)
    let isOther = products.iota(type, axis: 0).notEqual(to: products.iota(type, axis: 1))
    let pairs = Double(count) * Double(count - 1) / 2
    return select(isOther, products.abs(), products.zerosLike()).sum() * (factor * 0.5 / pairs)
  }
}

extension Regularizer where Self == L1 {
  /// `factor · Σ|x|`.
  public static func l1(_ factor: Double = 0.01) -> Self { L1(factor) }
}

extension Regularizer where Self == L2 {
  /// `factor · Σx²`.
  public static func l2(_ factor: Double = 0.01) -> Self { L2(factor) }
}

extension Regularizer where Self == L1L2 {
  /// `l1 · Σ|x| + l2 · Σx²`.
  public static func l1l2(l1: Double = 0.01, l2: Double = 0.01) -> Self { L1L2(l1: l1, l2: l2) }
}

extension Regularizer where Self == OrthogonalRegularizer {
  /// A penalty on rows, or columns, of a matrix that are not orthogonal.
  public static func orthogonal(_ factor: Double = 0.01, mode: OrthogonalRegularizer.Mode = .rows) -> Self {
    OrthogonalRegularizer(factor, mode: mode)
  }
}
