// float16 has so small a range that gradients vanish in it. So the loss is multiplied by a scale before they are
// computed; they are divided by it afterwards, in 32 bits. The scale follows what the gradients allow: halved at the
// first that is not finite, whose step is left out, and doubled after many good steps. Constants as in Keras, whose
// scale falls below 1 where gradients are large; beyond Keras, it stays a number that can be divided by.

import AccelerandoCore
import AccelerandoNN

/// The scale of the loss, as state of a training step.
enum LossScale {
  static let initial = Float(32768)
  private static let growthSteps = 2000.0
  /// The scale stays between these powers of two, 2⁻¹²⁶ and 2¹²⁷.
  static let smallest = Double(Float.leastNormalMagnitude)
  static let largest = 0x1p127
  /// The scale, and the steps since it changed; `float32` scalars.
  static let scaleName = "loss_scale/scale"
  static let goodStepsName = "loss_scale/good_steps"

  /// Gradients of the loss, computed at the scale.
  /// - Parameter gradients: returns the gradients of a scalar, summed over the workers.
  /// - Returns: the gradients, whether all of them are finite (a scalar `bool`), and scale and good steps after this
  ///   step.
  static func gradients(
    of loss: Tensor, scale: Tensor, goodSteps: Tensor, _ gradients: (Tensor) -> [Tensor]
  ) -> (gradients: [Tensor], isFinite: Tensor, scale: Tensor, goodSteps: Tensor) {
    let gradients = gradients(loss.converted(to: .float32) * scale).map { $0 / scale }
    // Elements that are infinite or no number.
    let wrong = gradients.map { gradient in
      let isGood = gradient.abs().less(than: gradient.filled(.infinity)).converted(to: .float32)
      return (1 - isGood).sum()
    }.reduce(scale.scalar(0), +)
    let isFinite = wrong.equal(to: wrong.scalar(0))
    let grows = (goodSteps + 1).greaterOrEqual(to: goodSteps.scalar(growthSteps))
    let grown = (scale.minimum(largest / 2)) * 2
    let next = select(isFinite, select(grows, grown, scale), scale.maximum(2 * smallest) / 2)
    let steps = select(isFinite, select(grows, goodSteps.scalar(0), goodSteps + 1), goodSteps.scalar(0))
    return (gradients, isFinite, next, steps)
  }
}
