// Elementwise operations on 64-bit types, which the vector machine does not support. One operation per pass: such
// tensors are rare in training, and small.

import AccelerandoCore
import Foundation

/// Runs one elementwise operation in Double or Int64, whatever the element types.
struct WideElementwise: Kernel {
  let operation: any AccelerandoCore.Operation
  let operands: [Int]
  let types: [TensorType]
  let result: Int
  let resultType: TensorType
  private let kind: Kind

  /// The operation, looked up once: asking for its type at each element would take longer than computing it.
  private enum Kind {
    case iota(Iota)
    case unary(Unary.Function)
    case binary(Binary.Function)
    case compare(Compare.Direction)
    case select, clamp
    case convert(DType)
    case relu
  }

  init(
    operation: any AccelerandoCore.Operation, operands: [Int], types: [TensorType], result: Int,
    resultType: TensorType
  ) {
    self.operation = operation
    self.operands = operands
    self.types = types
    self.result = result
    self.resultType = resultType
    kind =
      switch operation {
      case let operation as Iota: .iota(operation)
      case let operation as Unary: .unary(operation.function)
      case let operation as Binary: .binary(operation.function)
      case let operation as Compare: .compare(operation.direction)
      case is Select: .select
      case is Clamp: .clamp
      case is Relu: .relu
      default: .convert(resultType.dtype)
      }
  }

  var label: String { "\(operation.name) \(resultType)" }

  var cost: Cost { Cost(flops: 40 * Double(resultType.elementCount)) }

  func taskCount(threads: Int) -> Int {
    AccelerandoCPU.taskCount(work: resultType.elementCount, threads: threads, minimumPerTask: 20_000)
  }

  func slicings(_ units: Units) -> [Slicing] {
    // The elements of an iota follow from their place among all.
    if case .iota = kind { return [] }
    return elementwiseSlicing(units, elementCount: resultType.elementCount, operands: operands)
  }

  func run(_ range: Range<Int>, of tasks: Int, _ memory: Memory, scratch: UnsafeMutableRawPointer) {
    let part = portion(range, of: tasks, extent: resultType.elementCount, grain: 64)
    let out = memory[result]
    if case .iota(let iota) = kind {
      let inner = iota.type.shape[(iota.axis + 1)...].reduce(1, *)
      let size = iota.type.shape[iota.axis]
      for i in part {
        Scalar64.integer(Int64(i / inner % size)).converted(to: iota.type.dtype).store(out, i, resultType.dtype)
      }
      return
    }
    // No operation has more than three operands; with fewer, the last is repeated.
    func operand(_ position: Int, _ i: Int) -> Scalar64 {
      let place = min(position, operands.count - 1)
      return Scalar64.load(memory[operands[place]], i, types[place].dtype)
    }
    for i in part { apply((operand(0, i), operand(1, i), operand(2, i))).store(out, i, resultType.dtype) }
  }

  private func apply(_ x: (Scalar64, Scalar64, Scalar64)) -> Scalar64 {
    switch kind {
    case .unary(let function):
      switch x.0 {
      case .float(let a): return Self.unary(function, a)
      case .integer(let a): return .integer(Self.unary(function, a, types[0].dtype))
      }
    case .binary(let function):
      switch (x.0, x.1) {
      case (.float(let a), .float(let b)): return .float(Self.binary(function, a, b))
      case (.integer(let a), .integer(let b)):
        return .integer(Self.binary(function, a, b, bits: Int64(types[0].dtype.byteCount * 8)))
      default: return x.0
      }
    case .compare(let direction): return .integer(Self.compare(direction, x.0, x.1) ? 1 : 0)
    case .select: return x.0.isTrue ? x.1 : x.2
    case .clamp: return x.1.larger(x.0).smaller(x.2)
    case .convert(let dtype): return x.0.converted(to: dtype)
    case .relu: return x.0.larger(.zero(like: x.0))
    case .iota: return x.0
    }
  }

  private static func unary(_ function: Unary.Function, _ a: Double) -> Scalar64 {
    switch function {
    case .negate: return .float(-a)
    case .abs: return .float(abs(a))
    case .sign: return .float(a > 0 ? 1 : a < 0 ? -1 : a)
    case .exponential: return .float(exp(a))
    case .exponentialMinusOne: return .float(expm1(a))
    case .log: return .float(log(a))
    case .logPlusOne: return .float(log1p(a))
    case .sqrt: return .float(a.squareRoot())
    case .rsqrt: return .float(1 / a.squareRoot())
    case .cbrt: return .float(cbrt(a))
    case .tanh: return .float(tanh(a))
    case .logistic: return .float(1 / (1 + exp(-a)))
    case .sine: return .float(sin(a))
    case .cosine: return .float(cos(a))
    case .tan: return .float(tan(a))
    case .floor: return .float(a.rounded(.down))
    case .ceil: return .float(a.rounded(.up))
    case .roundNearestEven: return .float(a.rounded(.toNearestOrEven))
    case .roundNearestAfz: return .float(a.rounded(.toNearestOrAwayFromZero))
    case .isFinite: return .integer(a.isFinite ? 1 : 0)
    case .not, .popcnt, .countLeadingZeros: return .float(a)
    }
  }

  private static func unary(_ function: Unary.Function, _ a: Int64, _ dtype: DType) -> Int64 {
    let unused = 64 - dtype.byteCount * 8
    let low = (UInt64(bitPattern: a) << UInt64(unused)) >> UInt64(unused)
    switch function {
    case .negate: return 0 &- a
    case .abs: return a < 0 ? 0 &- a : a
    case .sign: return a.signum()
    case .not: return dtype == .bool ? 1 - a : ~a
    case .popcnt: return Int64(low.nonzeroBitCount)
    case .countLeadingZeros: return Int64(low.leadingZeroBitCount - unused)
    default: return a
    }
  }

  private static func binary(_ function: Binary.Function, _ a: Double, _ b: Double) -> Double {
    switch function {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .divide: a / b
    case .maximum: a.larger(b)
    case .minimum: a.smaller(b)
    case .power: pow(a, b)
    case .remainder: fmod(a, b)
    case .atan2: atan2(a, b)
    case .and, .or, .xor, .shiftLeft, .shiftRightLogical, .shiftRightArithmetic: a
    }
  }

  private static func binary(_ function: Binary.Function, _ a: Int64, _ b: Int64, bits: Int64) -> Int64 {
    switch function {
    case .add: a &+ b
    case .subtract: a &- b
    case .multiply: a &* b
    case .divide: b == 0 ? -1 : a.dividedReportingOverflow(by: b).partialValue
    case .maximum: max(a, b)
    case .minimum: min(a, b)
    case .remainder: b == 0 ? a : b == -1 ? 0 : a % b
    case .power: power(a, b)
    case .atan2: a
    case .and: a & b
    case .or: a | b
    case .xor: a ^ b
    case .shiftLeft: b < 0 || b >= bits ? 0 : a << b
    case .shiftRightLogical: b < 0 || b >= bits ? 0 : Int64(bitPattern: UInt64(bitPattern: a) >> UInt64(b))
    case .shiftRightArithmetic: a >> (b < 0 || b >= bits ? 63 : b)
    }
  }

  private static func power(_ a: Int64, _ b: Int64) -> Int64 {
    if b < 0 { return a == 1 ? 1 : a == -1 ? (b & 1 == 0 ? 1 : -1) : 0 }
    var (result, base, exponent) = (Int64(1), a, b)
    while exponent > 0 {
      if exponent & 1 == 1 { result = result &* base }
      base = base &* base
      exponent >>= 1
    }
    return result
  }

  private static func compare(_ direction: Compare.Direction, _ a: Scalar64, _ b: Scalar64) -> Bool {
    func decide<Number: Comparable>(_ a: Number, _ b: Number) -> Bool {
      switch direction {
      case .equal: a == b
      case .notEqual: a != b
      case .less: a < b
      case .lessOrEqual: a <= b
      case .greater: a > b
      case .greaterOrEqual: a >= b
      }
    }
    switch (a, b) {
    case (.float(let x), .float(let y)): return decide(x, y)
    case (.integer(let x), .integer(let y)): return decide(x, y)
    default: return false
    }
  }
}

/// One element, widened.
enum Scalar64: Sendable {
  case float(Double)
  case integer(Int64)

  static func zero(like other: Scalar64) -> Scalar64 {
    if case .float = other { return .float(0) }
    return .integer(0)
  }

  static func load(_ memory: UnsafeRawPointer, _ index: Int, _ dtype: DType) -> Scalar64 {
    switch dtype {
    case .bool: .integer(memory.load(fromByteOffset: index, as: UInt8.self) == 0 ? 0 : 1)
    case .int8: .integer(Int64(memory.load(fromByteOffset: index, as: Int8.self)))
    case .uint8: .integer(Int64(memory.load(fromByteOffset: index, as: UInt8.self)))
    case .int32: .integer(Int64(memory.load(fromByteOffset: index * 4, as: Int32.self)))
    case .uint32: .integer(Int64(memory.load(fromByteOffset: index * 4, as: UInt32.self)))
    case .int64: .integer(memory.load(fromByteOffset: index * 8, as: Int64.self))
    case .float16: .float(memory.load(fromByteOffset: index * 2, as: Half.self).doubleValue)
    case .bfloat16: .float(memory.load(fromByteOffset: index * 2, as: BFloat16.self).doubleValue)
    case .float32: .float(Double(memory.load(fromByteOffset: index * 4, as: Float.self)))
    case .float64: .float(memory.load(fromByteOffset: index * 8, as: Double.self))
    }
  }

  func store(_ memory: UnsafeMutableRawPointer, _ index: Int, _ dtype: DType) {
    let (float, integer): (Double, Int64) =
      switch self {
      case .float(let x): (x, 0)
      case .integer(let x): (0, x)
      }
    switch dtype {
    case .bool: memory.storeBytes(of: integer != 0, toByteOffset: index, as: Bool.self)
    case .int8: memory.storeBytes(of: Int8(truncatingIfNeeded: integer), toByteOffset: index, as: Int8.self)
    case .uint8: memory.storeBytes(of: UInt8(truncatingIfNeeded: integer), toByteOffset: index, as: UInt8.self)
    case .int32: memory.storeBytes(of: Int32(truncatingIfNeeded: integer), toByteOffset: index * 4, as: Int32.self)
    case .uint32: memory.storeBytes(of: UInt32(truncatingIfNeeded: integer), toByteOffset: index * 4, as: UInt32.self)
    case .int64: memory.storeBytes(of: integer, toByteOffset: index * 8, as: Int64.self)
    case .float16: memory.storeBytes(of: Half(nearestTo: float), toByteOffset: index * 2, as: Half.self)
    case .bfloat16: memory.storeBytes(of: BFloat16(nearestTo: float), toByteOffset: index * 2, as: BFloat16.self)
    case .float32: memory.storeBytes(of: Float(float), toByteOffset: index * 4, as: Float.self)
    case .float64: memory.storeBytes(of: float, toByteOffset: index * 8, as: Double.self)
    }
  }

  var isTrue: Bool {
    switch self {
    case .float(let x): x != 0
    case .integer(let x): x != 0
    }
  }

  func larger(_ other: Scalar64) -> Scalar64 {
    switch (self, other) {
    case (.float(let a), .float(let b)): .float(a.larger(b))
    case (.integer(let a), .integer(let b)): .integer(max(a, b))
    default: self
    }
  }

  func smaller(_ other: Scalar64) -> Scalar64 {
    switch (self, other) {
    case (.float(let a), .float(let b)): .float(a.smaller(b))
    case (.integer(let a), .integer(let b)): .integer(min(a, b))
    default: self
    }
  }

  /// The value converted to the element type: floats truncate toward zero and saturate, integers keep their low bits.
  func converted(to dtype: DType) -> Scalar64 {
    switch self {
    case .float(let x):
      switch dtype {
      case .bool: return .integer(x != 0 ? 1 : 0)
      case .int8: return .integer(Int64(Int8(nearestTo: x)))
      case .uint8: return .integer(Int64(UInt8(nearestTo: x)))
      case .int32: return .integer(Int64(Int32(nearestTo: x)))
      case .uint32: return .integer(Int64(UInt32(nearestTo: x)))
      case .int64: return .integer(Int64(nearestTo: x))
      default: return self
      }
    case .integer(let x):
      if dtype.isFloating { return .float(Double(x)) }
      return dtype == .bool ? .integer(x != 0 ? 1 : 0) : self
    }
  }
}
