// Which parameters can be pruned. Matrices and kernels can, also of custom layers; biases, normalization and depthwise
// kernels are small and pruning them hurts, so they never are.

import AccelerandoCore
import AccelerandoNN

extension NamedParameter {
  /// Whether zeros in it can pay.
  var isPrunable: Bool {
    guard spec.role == .trainable, spec.type.rank >= 2, spec.type.dtype.isFloating, spec.type.elementCount > 0
    else { return false }
    switch owner {
    case is any DepthwiseConvolutionLayer, is BatchNormalization, is AccelerandoNN.LayerNormalization,
      is GroupNormalization, is RMSNormalization, is PReLU:
      return false
    case is any SeparableConvolutionLayer: return !spec.name.hasSuffix("depthwiseKernel")
    default: return true
    }
  }
}
