// The elementwise functions (and softmax) that follow a layer, with Keras' names. Where a function has a kink, its
// gradient there is TensorFlow's, which is why selections are written as `select` on the input instead of `maximum`.

import AccelerandoCore

/// The function that a layer applies to its result.
public enum Activation: Hashable, Sendable {
  case linear, relu, sigmoid, tanh, softmax, silu, selu, softplus, softsign, relu6, exponential, mish
  case hardSigmoid, hardSilu, hardTanh, logSoftmax, logSigmoid, squareplus
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
    case .leakyRelu(let slope):
      return select(x.greater(than: x.zerosLike()), x, x * slope)
    }
  }
}

extension Tensor {
  /// log(1 + eˣ) without overflow.
  fileprivate func softplus() -> Tensor {
    let tail = (-abs()).exp().log1p()
    return maximum(0) + tail
  }
}
