// Convolutions for which there is no microkernel.

import AccelerandoCore

/// A convolution in any number type and with any attributes, element by element.
struct GenericConvolutionKernel: Kernel {
  let operation: Convolution
  let input: View
  let kernel: View
  let result: Int
  let type: TensorType
  private let strides: [Int]
  private let taps: [Int]
  private let tapStrides: [Int]

  init(operation: Convolution, input: View, kernel: View, result: Int, type: TensorType) {
    self.operation = operation
    self.input = input
    self.kernel = kernel
    self.result = result
    self.type = type
    strides = type.shape.rowMajorStrides
    taps = operation.dimensions.kernelSpatial.map { kernel.type.shape[$0] }
    tapStrides = taps.rowMajorStrides
  }

  var label: String { "\(type.dtype.rawValue) convolution \(input.type.shape) · \(kernel.type.shape)" }

  var cost: Cost { Cost(flops: 60 * Double(type.elementCount) * Double(kernel.type.elementCount)) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(
      work: (type.shape + kernel.type.shape).elementCount, threads: threads, minimumPerTask: 50_000)
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    type.dtype.visit(
      Visitor(kernel: self, elements: portion(range, of: tasks, extent: type.elementCount), memory: memory))
  }

  private struct Visitor: ElementVisitor {
    let kernel: GenericConvolutionKernel
    let elements: Range<Int>
    let memory: Memory

    func visit<E: Element>(_: E.Type) {
      let op = kernel.operation
      let d = op.dimensions
      let (x, w) = (kernel.input, kernel.kernel)
      let input = memory.elements(x.root, E.self) + x.offset
      let weights = memory.elements(w.root, E.self) + w.offset
      let out = memory.elements(kernel.result, E.self)
      let (strides, taps, tapStrides) = (kernel.strides, kernel.taps, kernel.tapStrides)
      let spatial = op.strides.count
      let features = w.type.shape[d.kernelInput]
      let outputsPerGroup = max(w.type.shape[d.kernelOutput] / op.featureGroups, 1)
      let outputsPerBatchGroup = max(w.type.shape[d.kernelOutput] / op.batchGroups, 1)
      let batch = kernel.type.shape[d.outputBatch]
      for element in elements {
        func index(_ axis: Int) -> Int { element / strides[axis] % max(kernel.type.shape[axis], 1) }
        let o = index(d.outputFeature)
        let n = index(d.outputBatch) + o / outputsPerBatchGroup * (op.batchGroups > 1 ? batch : 0)
        let group = op.featureGroups > 1 ? o / outputsPerGroup : 0
        var sum = E.Compute.zero
        tap: for tap in 0..<taps.elementCount {
          var at = n * x.strides[d.inputBatch] + group * features * x.strides[d.inputFeature]
          var weight = o * w.strides[d.kernelOutput]
          for axis in 0..<spatial {
            let k = tap / tapStrides[axis] % taps[axis]
            let place = index(d.outputSpatial[axis]) * op.strides[axis] - op.paddingLow[axis]
            let position = place + k * op.kernelDilation[axis]
            guard position >= 0, position % op.inputDilation[axis] == 0,
              position / op.inputDilation[axis] < x.type.shape[d.inputSpatial[axis]]
            else { continue tap }
            at += position / op.inputDilation[axis] * x.strides[d.inputSpatial[axis]]
            weight += (op.reversal[axis] ? taps[axis] - 1 - k : k) * w.strides[d.kernelSpatial[axis]]
          }
          for i in 0..<features {
            let product = input[at + i * x.strides[d.inputFeature]].compute
              .times(weights[weight + i * w.strides[d.kernelInput]].compute)
            sum = sum.plus(product)
          }
        }
        out[element] = E(compute: sum)
      }
    }
  }
}
