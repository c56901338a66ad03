// Random numbers of the usual distributions, each a short formula over random bits. Floating-point numbers are drawn as
// `float32` and converted to other types, so that a model draws the same numbers whatever precision it computes in.

extension Tensor {
  /// Numbers uniform in `low ..< high`, drawn with this key: 2²³ equally likely values.
  public func randomUniform(
    _ shape: [Int], low: Double = 0, high: Double = 1, dtype: DType = .float32
  ) -> Tensor {
    // 23 bits are exact in float32, and dividing by a power of two keeps them so.
    let bits = randomBits(shape)
    let units = bits.shiftRightLogical(bits.filled(9)).converted(to: .float32) * 0x1p-23
    if low == 0, high == 1 { return units.converted(to: dtype) }
    return (units * (high - low) + low).maximum(low).converted(to: dtype)
  }

  /// Normally distributed numbers, drawn with this key: √2·erf⁻¹ of numbers uniform in (−1, 1), so at most
  /// 5.42 standard deviations from the mean.
  public func randomNormal(
    _ shape: [Int], mean: Double = 0, deviation: Double = 1, dtype: DType = .float32
  ) -> Tensor {
    scaled(randomUniform(shape, low: -0x1.fffffep-1, high: 1), mean, deviation, dtype)
  }

  /// Normally distributed numbers truncated at two standard deviations from the mean, drawn with this key.
  public func randomTruncatedNormal(
    _ shape: [Int], mean: Double = 0, deviation: Double = 1, dtype: DType = .float32
  ) -> Tensor {
    let edge = 0.9544997361036416  // erf(2/√2)
    let normal = scaled(randomUniform(shape, low: -edge, high: edge), 0, 1, .float32).clamped(-2...2)
    return (normal * deviation + mean).converted(to: dtype)
  }

  /// Whether an event of the given probability occurs, for each element, drawn with this key.
  public func randomBernoulli(_ shape: [Int], probability: Double) -> Tensor {
    let uniform = randomUniform(shape)
    return uniform.less(than: uniform.filled(probability))
  }

  private func scaled(_ uniform: Tensor, _ mean: Double, _ deviation: Double, _ dtype: DType) -> Tensor {
    let normal = uniform.erfInverse() * 2.0.squareRoot()
    return (deviation == 1 && mean == 0 ? normal : normal * deviation + mean).converted(to: dtype)
  }
}
