// When two tensors count as equal: integers to the bit, floating-point numbers within a distance that is said in terms of
// their type's precision, and special values only with themselves.

import AccelerandoCore

/// How far floating-point results may lie apart.
public struct Tolerance: Hashable, Sendable {
  /// The distance allowed, as a share of the larger magnitude.
  public var relative: Double
  /// The distance allowed in any case.
  public var absolute: Double

  /// Makes a tolerance.
  public init(relative: Double, absolute: Double = 0) {
    self.relative = relative
    self.absolute = absolute
  }

  /// What is allowed for results of a type.
  /// - Parameters:
  ///   - dtype: the type of the results.
  ///   - ulps: the distance in units of the type's precision.
  ///   - terms: for sums, the size that the partial sums may reach; sums are carried in `float32` at least.
  public static func of(_ dtype: DType, ulps: Double = 8, terms: Double = 0) -> Tolerance {
    let carried = dtype == .float64 ? dtype.precision : DType.float32.precision
    return Tolerance(
      relative: dtype.precision * ulps, absolute: carried * terms * 4 + dtype.leastNormalMagnitude * ulps)
  }
}

extension DType {
  /// The distance from 1 to the next number of a floating-point type; 0 for others.
  public var precision: Double {
    switch self {
    case .float16: 0x1p-10
    case .bfloat16: 0x1p-7
    case .float32: 0x1p-23
    case .float64: 0x1p-52
    default: 0
    }
  }

  /// The smallest number that has the full precision.
  var leastNormalMagnitude: Double {
    switch self {
    case .float16: 0x1p-14
    case .bfloat16, .float32: 0x1p-126
    case .float64: 0x1p-1022
    default: 0
    }
  }

  /// The largest finite number of a floating-point type.
  var greatestFiniteMagnitude: Double {
    switch self {
    case .float16: 65504
    case .bfloat16: 0x1.FEp127
    case .float32: Double(Float.greatestFiniteMagnitude)
    default: .greatestFiniteMagnitude
    }
  }
}

/// Says how two tensors differ, at the element where they differ most; nil when they agree.
/// - Parameters:
///   - received: the tensor to judge.
///   - expected: what it should be.
///   - tolerance: what is allowed between floating-point numbers; by the type for nil.
public func difference(_ received: NDArray, from expected: NDArray, _ tolerance: Tolerance? = nil) -> String? {
  guard received.type == expected.type else { return "expected \(expected.type), received \(received.type)" }
  let found =
    expected.dtype.isFloating
    ? worstReal(received, expected, tolerance ?? .of(expected.dtype)) : firstInteger(received, expected)
  guard let (position, count) = found else { return nil }
  let index = zip(expected.shape.rowMajorStrides, expected.shape).map { position / $0 % $1 }
  let (a, b) =
    expected.dtype.isFloating
    ? ("\(expected.elements(as: Double.self)[position])", "\(received.elements(as: Double.self)[position])")
    : ("\(expected.integerElements()[position])", "\(received.integerElements()[position])")
  return "\(count) of \(expected.elementCount) elements differ, most at \(index): expected \(a), received \(b)"
}

private func firstInteger(_ received: NDArray, _ expected: NDArray) -> (position: Int, count: Int)? {
  let (a, b) = (received.integerElements(), expected.integerElements())
  let wrong = a.indices.filter { a[$0] != b[$0] }
  return wrong.first.map { ($0, wrong.count) }
}

private func worstReal(_ received: NDArray, _ expected: NDArray, _ tolerance: Tolerance) -> (Int, Int)? {
  let limit = expected.dtype.greatestFiniteMagnitude
  var worst = (position: 0, excess: 1.0)
  var count = 0
  let (a, b) = (received.elements(as: Double.self), expected.elements(as: Double.self))
  for (position, (x, y)) in zip(a, b).enumerated() where x != y && !(x.isNaN && y.isNaN) {
    var excess = Double.infinity
    if !x.isNaN, !y.isNaN {
      // Infinity is as far as the largest number: where one side overflows, the other may just not.
      let (p, q) = (max(-limit, min(x, limit)), max(-limit, min(y, limit)))
      let allowed = tolerance.relative * max(p.magnitude, q.magnitude) + tolerance.absolute
      excess = (p - q).magnitude / allowed
    }
    guard excess > 1 else { continue }
    count += 1
    if excess > worst.excess { worst = (position, excess) }
  }
  return count > 0 ? (worst.position, count) : nil
}
