// The elementwise functions (and softmax) that follow a layer, with Keras' names. Where a function has a kink, its
// gradient there is TensorFlow's, which is why selections are written as `select` on the input instead of `maximum`.

import AccelerandoCore

/// The function that a layer applies to its result.
public enum Activation: Hashable, Sendable {
  case linear, relu, sigmoid, tanh, softmax, silu, selu, softplus, softsign, relu6, exponential, mish
  case hardSigmoid, hardSilu, hardTanh, logSoftmax, logSigmoid, squareplus, tanhShrink, sparsePlus, sparseSigmoid
  /// The nearest distribution to x along the last axis, with zeros (Martins and Astudillo, 2016).
  case sparsemax
  /// The first half of an axis times the sigmoid of the second.
  case glu(axis: Int = -1)
  /// x beyond ± `threshold`, 0 between.
  case hardShrink(threshold: Double = 0.5)
  /// x moved towards 0 by `threshold`, 0 between ± `threshold`.
  case softShrink(threshold: Double = 0.5)
  /// x above `threshold`, another number elsewhere.
  case threshold(Double, default: Double)
  /// x·Φ(x), or its approximation by tanh.
  case gelu(approximate: Bool = false)
  /// x where positive, α(eˣ − 1) elsewhere.
  case elu(alpha: Double = 1)
  /// max(0, x) + min(0, α(e^(x/α) − 1)).
  case celu(alpha: Double = 1)
  /// x where positive, `negativeSlope`·x elsewhere.
  case leakyRelu(negativeSlope: Double = 0.2)

  /// Exact gelu.
  public static let gelu = Activation.gelu(approximate: false)
  /// elu with α = 1.
  public static let elu = Activation.elu(alpha: 1)
  /// celu with α = 1.
  public static let celu = Activation.celu(alpha: 1)
  /// Leaky relu with Keras' slope 0.2.
  public static let leakyRelu = Activation.leakyRelu(negativeSlope: 0.2)
  /// Another name for silu.
  public static let swish = Activation.silu

  /// The activation applied to a tensor; softmax and log-softmax run along the last axis.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .linear: return x
    case .relu: return x.relu()
    case .sigmoid: return x.sigmoid()
    case .tanh: return x.tanh()
    case .softmax: return x.softmax()
    case .logSoftmax: return x.logSoftmax()
    case .gelu(let approximate): return x.gelu(approximate: approximate)
    case .silu: return x.silu()
    case .exponential: return x.exp()
    case .softplus: return x.softplus()
    case .logSigmoid: return -((-x).softplus())
    case .mish: return x * x.softplus().tanh()
    case .softsign: return x / (1 + x.abs())
    case .squareplus: return (x + (x * x + 4).sqrt()) * 0.5
    case .relu6: return x.relu(limit: 6)
    case .hardSigmoid: return (x + 3).relu(limit: 6) / 6
    case .hardSilu: return x * ((x + 3).relu(limit: 6) / 6)
    case .hardTanh: return x.clamped(-1...1)
    case .elu(let alpha):
      let zero = x.zerosLike()
      let positive = x.greater(than: zero)
      return select(positive, x, select(positive, zero, x).expm1() * alpha)
    case .celu(let alpha):
      let zero = x.zerosLike()
      let positive = x.greater(than: zero)
      return select(positive, x, (select(positive, zero, x) / alpha).expm1() * alpha)
    case .selu:
      // From Klambauer et al. (2017): the fixed point of zero mean and unit variance.
      let (scale, alpha) = (1.0507009873554805, 1.6732632423543772)
      let zero = x.zerosLike()
      let negative = x.less(than: zero)
      return select(negative, select(negative, x, zero).expm1() * (scale * alpha), x * scale)
    case .tanhShrink: return x - x.tanh()
    case .sparsePlus:
      let (one, zero) = (x.onesLike(), x.zerosLike())
      let curve = (x + 1).squared() * 0.25
      return select(x.lessOrEqual(to: -one), zero, select(x.less(than: one), curve, x))
    case .sparseSigmoid:
      let (one, zero) = (x.onesLike(), x.zerosLike())
      return select(x.lessOrEqual(to: -one), zero, select(x.greaterOrEqual(to: one), one, (x + 1) * 0.5))
    case .sparsemax: return x.sparsemax()
    case .glu(let axis): return x.gatedLinear(axis)
    case .hardShrink(let threshold): return select(x.abs().greater(than: x.filled(threshold)), x, x.zerosLike())
    case .softShrink(let threshold):
      let below = select(x.less(than: x.filled(-threshold)), x + threshold, x.zerosLike())
      return select(x.greater(than: x.filled(threshold)), x - threshold, below)
    case .threshold(let threshold, let value):
      return select(x.greater(than: x.filled(threshold)), x, x.filled(value))
    case .leakyRelu(let slope):
      return select(x.greater(than: x.zerosLike()), x, x * slope)
    }
  }
}

extension Activation {
  /// Whether each element of the result depends on one element alone.
  package var isElementwise: Bool {
    switch self {
    case .softmax, .logSoftmax, .sparsemax, .glu: false
    default: true
    }
  }
}

extension Tensor {
  /// The projection onto distributions along the last axis: x − τ where that is positive, with τ such that the sum is 1.
  fileprivate func sparsemax() -> Tensor {
    guard rank >= 1, dim(-1) > 0 else { return self }
    let axis = rank - 1
    let sorted = sorted(descending: true)
    let sums = sorted.cumulativeSum(axis: axis)
    let ranks = iota(type, axis: axis) + 1
    let isInside = (sorted - (sums - 1) / ranks).greater(than: zerosLike())
    let count = isInside.converted(to: dtype).sum(axes: [axis], keepDims: true)
    let total = select(isInside, sorted, zerosLike()).sum(axes: [axis], keepDims: true)
    return (self - (total - 1) / count).maximum(0)
  }

  fileprivate func gatedLinear(_ axis: Int) -> Tensor {
    let along = axis < 0 ? axis + rank : axis
    guard shape.indices.contains(along), shape[along] % 2 == 0 else {
      return rejected("needs an axis \(axis) of even size for glu; received \(shape).")
    }
    let half = shape[along] / 2
    return sliced(axis: along, 0..<half) * sliced(axis: along, half..<shape[along]).sigmoid()
  }

  /// log(1 + eˣ) without overflow.
  fileprivate func softplus() -> Tensor {
    let tail = (-abs()).exp().log1p()
    return maximum(0) + tail
  }
}
