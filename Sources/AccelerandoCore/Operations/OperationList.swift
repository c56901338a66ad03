// All operations in one list, so that tests can check that each has examples and runs on every backend.

/// Every kind of operation that a program can contain, composites included.
public let allOperations: [any Operation.Type] = [
  Unary.self, Binary.self, Compare.self, Select.self, Clamp.self, Convert.self,
  Constant.self, Iota.self,
  Reshape.self, Transpose.self, BroadcastInDim.self, Reverse.self, Slice.self, Pad.self, Concatenate.self,
  DynamicSlice.self, DynamicUpdateSlice.self, Gather.self, Scatter.self, Sort.self,
  DotGeneral.self, Convolution.self, Reduce.self, ReduceWindow.self, SelectAndScatter.self,
  ArgMax.self, While.self, Case.self, AllReduce.self,
  Relu.self, Gelu.self, Silu.self, Erf.self, ErfInverse.self, Softmax.self, LogSoftmax.self, LogSumExp.self,
  SoftmaxGradient.self, LogSoftmaxGradient.self, SparseCrossEntropy.self, SparseCrossEntropyGradient.self,
  ScaledDotProductAttention.self, ScaledDotProductAttentionGradient.self,
  Threefry.self, RngBitGenerator.self, RngSplit.self, RngFoldIn.self, Dropout.self,
  ThreeWayCompare.self, CumulativeSum.self, Moments.self, CenteredSums.self, BatchNormTraining.self,
  BatchNormInference.self,
  LayerNormalization.self, LayerNormalizationGradient.self,
  AdamUpdate.self, MomentumUpdate.self,
]
