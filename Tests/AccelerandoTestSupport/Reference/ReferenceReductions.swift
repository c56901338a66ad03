// The operations that combine many elements into one: products, convolutions, reductions, windows. Sums of floating-point
// numbers are carried in Double and rounded once, so that the oracle stands nearer to the truth than any order of adding.

import AccelerandoCore

func dotGeneral(
  _ operation: DotGeneral, _ left: ReferenceArray, _ right: ReferenceArray, _ type: TensorType
) -> ReferenceArray {
  let leftFree = left.shape.indices.filter {
    !operation.leftBatching.contains($0) && !operation.leftContracting.contains($0)
  }
  let rightFree = right.shape.indices.filter {
    !operation.rightBatching.contains($0) && !operation.rightContracting.contains($0)
  }
  let contracted = operation.leftContracting.map { left.shape[$0] }
  return ReferenceArray(type) { index in
    var leftIndex = left.shape
    var rightIndex = right.shape
    var position = 0
    for (a, b) in zip(operation.leftBatching, operation.rightBatching) {
      leftIndex[a] = index[position]
      rightIndex[b] = index[position]
      position += 1
    }
    for axis in leftFree {
      leftIndex[axis] = index[position]
      position += 1
    }
    for axis in rightFree {
      rightIndex[axis] = index[position]
      position += 1
    }
    var sum = ProductSum(type.dtype)
    forEachIndex(contracted) { inner in
      for (offset, axis) in operation.leftContracting.enumerated() { leftIndex[axis] = inner[offset] }
      for (offset, axis) in operation.rightContracting.enumerated() { rightIndex[axis] = inner[offset] }
      sum.add(left[leftIndex], right[rightIndex])
    }
    return sum.total
  }
}

func convolution(
  _ operation: Convolution, _ input: ReferenceArray, _ kernel: ReferenceArray, _ type: TensorType
) -> ReferenceArray {
  let d = operation.dimensions
  let window = d.kernelSpatial.map { kernel.shape[$0] }
  let featuresIn = kernel.shape[d.kernelInput]
  let featuresOut = kernel.shape[d.kernelOutput]
  let batch = type.shape[d.outputBatch]
  return ReferenceArray(type) { index in
    let feature = index[d.outputFeature]
    let featureGroup = feature / max(featuresOut / operation.featureGroups, 1)
    let batchGroup = feature / max(featuresOut / operation.batchGroups, 1)
    var inputIndex = input.shape
    var kernelIndex = kernel.shape
    kernelIndex[d.kernelOutput] = feature
    inputIndex[d.inputBatch] = index[d.outputBatch] + batchGroup * batch
    var sum = ProductSum(type.dtype)
    forEachIndex(window) { offset in
      for axis in window.indices {
        let position =
          index[d.outputSpatial[axis]] * operation.strides[axis] + offset[axis] * operation.kernelDilation[axis]
          - operation.paddingLow[axis]
        inputIndex[d.inputSpatial[axis]] = dilatedPosition(position, by: operation.inputDilation[axis])
        kernelIndex[d.kernelSpatial[axis]] =
          operation.reversal[axis] ? window[axis] - 1 - offset[axis] : offset[axis]
      }
      for inner in 0..<featuresIn {
        inputIndex[d.inputFeature] = featureGroup * featuresIn + inner
        kernelIndex[d.kernelInput] = inner
        if let x = input.element(ifInside: inputIndex) { sum.add(x, kernel[kernelIndex]) }
      }
    }
    return sum.total
  }
}

/// A running sum of products; integers wrap at the end, which comes to the same as wrapping at every step.
private struct ProductSum {
  private let dtype: DType
  private var real = 0.0
  private var integer: Int64 = 0

  init(_ dtype: DType) { self.dtype = dtype }

  mutating func add(_ a: ReferenceScalar, _ b: ReferenceScalar) {
    if dtype.isFloating { real += a.real * b.real } else { integer &+= a.integer &* b.integer }
  }

  var total: ReferenceScalar { dtype.isFloating ? .real(real) : .integer(dtype.wrapped(integer)) }
}

func reduce(_ operation: Reduce, _ x: ReferenceArray, _ type: TensorType) -> ReferenceArray {
  let kept = x.shape.indices.filter { !operation.axes.contains($0) }
  var result = ReferenceArray(repeating: operation.function.identityElement(x.dtype), type)
  forEachIndex(x.shape) { index in
    let place = kept.map { index[$0] }
    result[place] = operation.function.combiner.function.apply(result[place], x[index], x.dtype)
  }
  return result
}

func argMax(_ operation: ArgMax, _ x: ReferenceArray, _ type: TensorType) -> ReferenceArray {
  let better: Compare.Direction = operation.smallest ? .less : .greater
  return ReferenceArray(type) { index in
    func element(_ place: Int) -> ReferenceScalar {
      var full = index
      full.insert(place, at: operation.axis)
      return x[full]
    }
    var chosen = 0
    for place in 1..<max(x.shape[operation.axis], 1) {
      let (a, b) = (element(place), element(chosen))
      let isNaN = (x.dtype.isFloating && a.real.isNaN, x.dtype.isFloating && b.real.isNaN)
      if isNaN.0 ? !isNaN.1 : !isNaN.1 && better.holds(a, b, x.dtype) { chosen = place }
    }
    return .integer(Int64(chosen))
  }
}

func reduceWindow(_ operation: ReduceWindow, _ x: ReferenceArray, _ type: TensorType) -> ReferenceArray {
  let window = operation.window
  return ReferenceArray(type) { index in
    var result = operation.function.identityElement(x.dtype)
    forEachIndex(window.size) { offset in
      if let element = x.element(ifInside: window.source(of: index, offset)) {
        result = operation.function.combiner.function.apply(result, element, x.dtype)
      }
    }
    return result
  }
}

func selectAndScatter(_ operation: SelectAndScatter, _ x: ReferenceArray, _ source: ReferenceArray) -> ReferenceArray {
  let better: Compare.Direction = operation.selectsMax ? .greaterOrEqual : .lessOrEqual
  var result = ReferenceArray(repeating: x.dtype.zero, x.type)
  forEachIndex(source.shape) { index in
    var selected: [Int]?
    forEachIndex(operation.window.size) { offset in
      let place = operation.window.source(of: index, offset)
      guard let candidate = x.element(ifInside: place) else { return }
      // The one selected so far stays when it is as good: the first of equals wins.
      if let current = selected, better.holds(x[current], candidate, x.dtype) { return }
      selected = place
    }
    if let selected {
      result[selected] = Binary.Function.add.apply(result[selected], source[index], x.dtype)
    }
  }
  return result
}

extension Reduce.Function {
  /// The value that changes nothing.
  fileprivate func identityElement(_ dtype: DType) -> ReferenceScalar {
    ReferenceArray(identity(dtype)).elements[0]
  }
}

extension WindowGeometry {
  /// The element that lies at `offset` in the window of result `index`; outside the tensor for padding and gaps.
  fileprivate func source(of index: [Int], _ offset: [Int]) -> [Int] {
    index.indices.map { axis in
      let position = index[axis] * strides[axis] + offset[axis] * windowDilation[axis] - paddingLow[axis]
      return dilatedPosition(position, by: inputDilation[axis])
    }
  }
}
