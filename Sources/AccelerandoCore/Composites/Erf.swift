// The error function and its inverse, which StableHLO does not have: rational and polynomial approximations, fitted so
// that the result is as good as the element type allows.

/// The error function 2/√π ∫₀ˣ e^(−t²) dt, elementwise: within 2 units in the last place for `float32`, within 1e-15
/// for `float64`; the 16-bit types are computed in `float32`.
public struct Erf: Composite {
  /// Makes the operation.
  public init() {}

  public var name: String { "erf" }
  public var hasOwnPullback: Bool { true }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    try requireFloating(operands[0])
    return [operands[0]]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let x = operands[0]
    switch x.dtype {
    case .float64: return [doublePrecision(x)]
    case .float32: return [singlePrecision(x)]
    default: return [singlePrecision(x.converted(to: .float32)).converted(to: x.dtype)]
    }
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let x = context.operand
    let slope = (-(x * x)).exp() * (2 / Double.pi.squareRoot())
    return [context.gradient * slope]
  }

  /// x·P(x²)/Q(x²) on [−4, 4]; beyond, the nearest `float32` is ±1. Relative error of the fit: 2.5e-8.
  private func singlePrecision(_ x: Tensor) -> Tensor {
    let limited = x.clamped(-4...4)
    let square = limited * limited
    let numerator = polynomial(
      square,
      [
        1.1283791382055559, 0.19371318705340032, 0.053123730761730985, 0.00389042018481739, 0.00028469974322494927,
        1.9851978975802595e-06,
      ])
    let denominator = polynomial(
      square,
      [
        1, 0.50500637195262732, 0.11541924471512378, 0.015221529238561005, 0.0011872347176571439,
        3.7410668747931417e-05,
      ])
    return (limited * numerator / denominator).clamped(-1...1)
  }

  /// Below 1 as above with a finer fit; from 1 to 6, 1 − e^(−x²)·R(x).
  private func doublePrecision(_ x: Tensor) -> Tensor {
    let small = x.clamped(-1...1)
    let square = small * small
    let inner =
      small
      * polynomial(
        square,
        [
          1.1283791670955126, 0.14350650594167655, 0.045483592789093474, 0.0018774054510399681,
          0.00019688452449205833, 7.770879513065406e-08,
        ])
      / polynomial(
        square,
        [
          1, 0.46051266287649345, 0.093813005554847145, 0.010693066634318054, 0.00069249693675629473,
          2.0810199831778812e-05,
        ])
    let size = x.abs().clamped(1...6)
    let tail =
      (-(size * size)).exp()
      * polynomial(
        size,
        [
          0.9999999922513364, 1.8454165759830556, 1.6794175281168369, 0.9463593163041607, 0.3532520815299679,
          0.087377225594633928, 0.01338973643167748, 0.0010090362920311116,
        ])
      / polynomial(
        size,
        [
          1, 2.9737956585744625, 4.0349870401068113, 3.2778102525068755, 1.7539275659220273, 0.63798878590197583,
          0.1557663658399604, 0.023732688856781627, 0.0017884702783586145,
        ])
    return select(x.abs().less(than: x.onesLike()), inner, x.sign() * (1 - tail))
  }
}

/// The inverse of the error function on (−1, 1), elementwise; ±∞ at ±1 and NaN outside. Within 1e-6 relative for
/// `float32`, 1e-13 for `float64`. Normal random numbers are computed from uniform ones with it.
public struct ErfInverse: Composite {
  /// Makes the operation.
  public init() {}

  public var name: String { "erf_inv" }
  public var hasOwnPullback: Bool { true }

  public func infer(_ operands: [TensorType]) throws(GraphError) -> [TensorType] {
    try requireCount(operands, 1)
    try requireFloating(operands[0])
    return [operands[0]]
  }

  public func expand(_ operands: [Tensor]) -> [Tensor] {
    let y = operands[0]
    if y.dtype == .float32 { return [estimate(y)] }
    guard y.dtype == .float64 else {
      return [estimate(y.converted(to: .float32)).converted(to: y.dtype)]
    }
    // Two Newton steps extend the seven digits of the estimate to the precision of erf.
    var x = estimate(y)
    let isInner = x.abs().less(than: x.filled(.infinity))
    for _ in 0..<2 {
      let error = x.graph.add(Erf(), x) - y
      let step = error * (x * x).exp() * (Double.pi.squareRoot() / 2)
      x = select(isInner, x - step, x)
    }
    return [x]
  }

  public func pullback(_ context: PullbackContext) -> [Tensor?] {
    let x = context.result
    return [context.gradient * (x * x).exp() * (Double.pi.squareRoot() / 2)]
  }

  /// y times a polynomial in w = −log(1 − y²), or in √w in the tails.
  private func estimate(_ y: Tensor) -> Tensor {
    let w = -(-(y * y)).log1p()
    let middle = polynomial(
      w - 2.5,
      [
        1.5014094190250844, 0.24664072595445025, -0.0041777074552719756, -0.0012537081125914146,
        0.00021860218791952207, -4.3966995109876996e-06, -3.5288104247186648e-06, 3.4373399845382217e-07,
        2.8528133384192925e-08,
      ])
    // Capped where the fits end (1 − |y| about 4e-8 and 1e-16), so that the powers stay finite for 1 itself.
    let root = w.maximum(5).minimum(37).sqrt()
    var tail = polynomial(
      root.minimum(17.0.squareRoot()) - 3,
      [
        2.8329770341460243, 1.0016743361137135, 0.0094340159300194022, -0.0076280469964437802,
        0.0057718455438545788, -0.0036497723474527119, 0.0012789508465531395, 7.5837431627273053e-05,
        -0.00015028104148797237,
      ])
    if y.dtype == .float64 {
      // float32 has no numbers so close to 1.
      let far = polynomial(
        root - 5,
        [
          4.8499064063186452, 1.0103003721037993, -0.00013884992355983839, -0.0002142617445068228,
          7.6409562674500356e-05, -2.1327654192334131e-05, 4.3784635264328674e-06,
        ])
      tail = select(w.less(than: w.filled(17)), tail, far)
    }
    let inside = y * select(w.less(than: w.filled(5)), middle, tail)
    let isEdge = y.abs().equal(to: y.onesLike())
    return select(isEdge, y * Double.infinity, inside)
  }
}

extension Tensor {
  /// The error function, elementwise.
  public func erf() -> Tensor { graph.add(Erf(), self) }
  /// The inverse of the error function, elementwise.
  public func erfInverse() -> Tensor { graph.add(ErfInverse(), self) }
}

/// Σ cᵢ·xⁱ by Horner's rule, the constant first.
func polynomial(_ x: Tensor, _ coefficients: [Double]) -> Tensor {
  guard let last = coefficients.last else { return x.zerosLike() }
  return coefficients.dropLast().reversed().reduce(x.filled(last)) { $0 * x + $1 }
}

/// Checks that the elements are floating-point numbers, for type rules.
func requireFloating(_ operand: TensorType) throws(GraphError) {
  guard operand.dtype.isFloating else {
    throw GraphError("takes floating-point numbers; received \(operand). Convert the tensor first.")
  }
}
