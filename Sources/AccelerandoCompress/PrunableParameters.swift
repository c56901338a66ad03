// Which parameters can be pruned: matrices and kernels, also of custom layers, unless their layer says that they cannot. Biases,
// normalization and depthwise kernels are small, and pruning them hurts.

import AccelerandoCore
import AccelerandoNN

extension NamedParameter {
  /// Whether zeros in it can pay.
  var isPrunable: Bool {
    allowsPruning && spec.role == .trainable && spec.type.rank >= 2 && spec.type.dtype.isFloating
      && spec.type.elementCount > 0
  }
}
