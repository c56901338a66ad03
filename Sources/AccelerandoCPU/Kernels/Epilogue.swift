// What follows a product or a convolution and is computed before its result is stored.

import AccelerandoCore
import CKernels

/// What a product or convolution does to its result before storing it.
struct Epilogue: Sendable, Hashable {
  /// A value with one element for each column.
  var bias: Int?
  /// A value of the result's shape that is added; only for convolutions.
  var residual: Int?
  var relu = false

  var label: String {
    (bias == nil ? "" : " + bias") + (residual == nil ? "" : " + residual") + (relu ? " + relu" : "")
  }

  func withPointer<Result>(_ memory: Memory, _ body: (UnsafePointer<AccEpilogue>?) -> Result) -> Result {
    if self == Epilogue() { return body(nil) }
    var epilogue = AccEpilogue(
      bias: bias.map { UnsafePointer(memory.elements($0, Float.self)) },
      residual: residual.map { UnsafePointer(memory.elements($0, Float.self)) },
      activation: Int32((relu ? accActivationRelu : accActivationNone).rawValue))
    return withUnsafePointer(to: &epilogue) { body($0) }
  }
}

extension Lowering {
  /// Absorbs a bias along the last axis, a residual if the kernel adds one, and a relu, if only these use the result of the
  /// kernel at `index`. `result` becomes the value that the kernel then writes.
  func takeEpilogue(of result: inout Int, at index: Int, addsResidual: Bool = false) -> Epilogue {
    var epilogue = Epilogue()
    if let user = onlyUser(of: result) {
      let instruction = program.instructions[user]
      if let add = instruction.operation as? Binary, add.function == .add, instruction.operands.count == 2 {
        let other = instruction.operands[0] == result ? instruction.operands[1] : instruction.operands[0]
        if other != result, let bias = biasVector(other, along: type(result)) {
          epilogue.bias = bias
          result = instruction.results.lowerBound
          absorb(user)
        }
      }
    }
    if addsResidual, let user = onlyUser(of: result) {
      let instruction = program.instructions[user]
      if let add = instruction.operation as? Binary, add.function == .add {
        let other = instruction.operands[instruction.operands[0] == result ? 1 : 0]
        if other != result, let residual = stored(other) {
          epilogue.residual = residual
          result = instruction.results.lowerBound
          absorb(user)
        }
      }
    }
    if let user = onlyUser(of: result), (program.instructions[user].operation as? Relu) == Relu() {
      epilogue.relu = true
      result = program.instructions[user].results.lowerBound
      absorb(user)
    }
    return epilogue
  }

  /// Where a value is in memory in row-major order and alone, if it is there already.
  private func stored(_ value: Int) -> Int? {
    guard let view = views[value], view.isContiguous, isStored(view.root),
      byteCounts[view.root] == type(value).byteCount
    else { return nil }
    finishLoop(computing: view.root)
    return view.root
  }

  /// The contiguous vector that `value` repeats along all axes but the last, if it is already computed.
  func biasVector(_ value: Int, along type: TensorType) -> Int? {
    guard let columns = type.shape.last else { return nil }
    var source = value
    var shape: [Int]?
    // A broadcast that comes later in the program may still read something that is already computed; one to a single
    // row is a reshape.
    if views[value] == nil, let producer = producers[value] {
      let operation = program.instructions[producer].operation
      source = program.instructions[producer].operands[0]
      let isRow = operation is Reshape && type.elementCount == columns
      let isBroadcast = (operation as? BroadcastInDim)?.axes.last == type.rank - 1
      guard isRow || isBroadcast, program.types[source].elementCount == columns else { return nil }
      shape = [columns]
      while views[source] == nil, let producer = producers[source],
        program.instructions[producer].operation is Reshape
      {
        source = program.instructions[producer].operands[0]
      }
    }
    guard isAvailable(source) else { return nil }
    let view = view(source)
    if shape == nil {
      guard zip(view.type.shape, view.strides).dropLast().allSatisfy({ $0 == 1 || $1 == 0 }),
        columns == 1 || view.strides.last == 1,
        view.type.shape == type.shape
      else { return nil }
    } else {
      guard view.isDense else { return nil }
    }
    guard view.offset == 0 else { return nil }
    finishLoop(computing: view.root)
    return view.root
  }
}
