// Which operations run in fused loops, and with which instructions of the vector machine. 16-bit types are computed in
// float32 and rounded after every operation; 8-bit types in 32 bits and wrapped.

import AccelerandoCore
import CKernels

extension LoopCode {
  /// Whether a fused loop can run the operation on elements of these types.
  static func supports(_ operation: any Operation, _ dtypes: [DType]) -> Bool {
    guard !dtypes.contains(.int64), !dtypes.contains(.float64) else { return false }
    switch operation {
    case is Unary, is Binary, is Compare, is Select, is Clamp, is Convert, is Iota, is Relu: return true
    case is ThreeWayCompare, is Threefry: return true
    case is Erf: return dtypes.allSatisfy { $0 == .float32 }
    default: return false
    }
  }

  /// Writes the instructions of an operation; returns the register with the result.
  mutating func apply(_ operation: any Operation, _ x: [Int], _ types: [TensorType], result: TensorType) -> Int {
    switch operation {
    case let operation as Unary: return fitted(unary(operation.function, x[0], types[0].dtype), result.dtype)
    case let operation as Binary:
      return fitted(binary(operation.function, x[0], x[1], types[0].dtype), result.dtype)
    case let operation as Compare: return compare(operation.direction, x[0], x[1], types[0].dtype)
    case is Select: return emit(accOpSelect, x[0], x[1], x[2])
    case is Clamp:
      let op: AccOp =
        switch Lane(result.dtype) {
        case .float: accOpClampF
        case .unsigned: accOpClampU
        default: accOpClampI
        }
      return emit(op, x[0], x[1], x[2])
    case let operation as Convert: return convert(x[0], from: types[0].dtype, to: operation.dtype)
    case let operation as Iota: return iota(operation.type, axis: operation.axis)
    case let operation as Relu:
      if Lane(result.dtype) == .float {
        let rectified = emit(accOpMaxImmF, x[0], bits: Float(0).bitPattern)
        guard let limit = operation.limit else { return rectified }
        return fitted(emit(accOpMinImmF, rectified, bits: Float(limit).bitPattern), result.dtype)
      }
      return emit(accOpMaxI, x[0], constant(bits: 0))
    case is ThreeWayCompare: return threeWayCompare(x[0], x[1], types[0].dtype)
    case is Erf: return unaryF(accOpErfF, x[0])
    case let operation as Threefry:
      let op: AccOp =
        switch operation.word {
        case .first: accOpThreefryFirst
        case .second: accOpThreefrySecond
        case .xor: accOpThreefryXor
        }
      return emit(op, x[0], x[1], x[2])
    default: return x.first ?? 0
    }
  }

  /// This engine computes a value once, so that two comparisons agree.
  private mutating func threeWayCompare(_ a: Int, _ b: Int, _ dtype: DType) -> Int {
    var (isLarger, isSmaller) = (compare(.greater, a, b, dtype), compare(.less, a, b, dtype))
    if dtype.isFloating {
      let (isNumber, isOtherNumber) = (compare(.equal, a, a, dtype), compare(.equal, b, b, dtype))
      isLarger = emit(accOpOr, isLarger, emit(accOpAnd, unaryF(accOpNot, isNumber), isOtherNumber))
      isSmaller = emit(accOpOr, isSmaller, emit(accOpAnd, unaryF(accOpNot, isOtherNumber), isNumber))
    }
    let rest = emit(accOpSelect, isSmaller, constant(bits: .max), constant(bits: 0))
    return emit(accOpSelect, isLarger, constant(bits: 1), rest)
  }

  private mutating func unaryF(_ op: AccOp, _ x: Int) -> Int { emit(op, x) }

  /// Converts a result computed in 32 bits back to its type.
  private mutating func fitted(_ x: Int, _ dtype: DType) -> Int {
    switch dtype {
    case .float16: unaryF(accOpRoundF16, x)
    case .bfloat16: unaryF(accOpRoundBF16, x)
    case .int8: unaryF(accOpWrapI8, x)
    case .uint8: unaryF(accOpWrapU8, x)
    default: x
    }
  }

  private mutating func unary(_ function: Unary.Function, _ x: Int, _ dtype: DType) -> Int {
    let lane = Lane(dtype)
    switch function {
    case .negate: return unaryF(lane == .float ? accOpNegF : accOpNegI, x)
    case .abs: return unaryF(lane == .float ? accOpAbsF : accOpAbsI, x)
    case .sign: return unaryF(lane == .float ? accOpSignF : accOpSignI, x)
    case .exponential: return unaryF(accOpExpF, x)
    case .exponentialMinusOne: return unaryF(accOpExpm1F, x)
    case .log: return unaryF(accOpLogF, x)
    case .logPlusOne: return unaryF(accOpLog1pF, x)
    case .sqrt: return unaryF(accOpSqrtF, x)
    case .rsqrt: return unaryF(accOpRsqrtF, x)
    case .cbrt: return unaryF(accOpCbrtF, x)
    case .tanh: return unaryF(accOpTanhF, x)
    case .logistic: return unaryF(accOpLogisticF, x)
    case .sine: return unaryF(accOpSinF, x)
    case .cosine: return unaryF(accOpCosF, x)
    case .tan: return unaryF(accOpTanF, x)
    case .floor: return unaryF(accOpFloorF, x)
    case .ceil: return unaryF(accOpCeilF, x)
    case .roundNearestEven: return unaryF(accOpRoundEvenF, x)
    case .roundNearestAfz: return unaryF(accOpRoundAwayF, x)
    case .isFinite: return unaryF(accOpIsFiniteF, x)
    case .not: return unaryF(accOpNot, x)
    case .popcnt: return unaryF(accOpPopcount, dtype == .int8 ? unaryF(accOpWrapU8, x) : x)
    case .countLeadingZeros:
      guard dtype.byteCount == 1 else { return unaryF(accOpClz, x) }
      let zeros = unaryF(accOpClz, unaryF(accOpWrapU8, x))
      return emit(accOpSubI, zeros, constant(bits: 24))
    }
  }

  private mutating func binary(_ function: Binary.Function, _ a: Int, _ b: Int, _ dtype: DType) -> Int {
    let lane = Lane(dtype)
    func pick(_ float: AccOp, _ signed: AccOp, _ unsigned: AccOp, _ mask: AccOp) -> AccOp {
      switch lane {
      case .float: float
      case .signed: signed
      case .unsigned: unsigned
      case .mask: mask
      }
    }
    let op: AccOp
    switch function {
    case .add: op = pick(accOpAddF, accOpAddI, accOpAddI, accOpOr)
    case .subtract: op = pick(accOpSubF, accOpSubI, accOpSubI, accOpXor)
    case .multiply: op = pick(accOpMulF, accOpMulI, accOpMulI, accOpAnd)
    case .divide: op = pick(accOpDivF, accOpDivI, accOpDivU, accOpAnd)
    case .maximum: op = pick(accOpMaxF, accOpMaxI, accOpMaxU, accOpOr)
    case .minimum: op = pick(accOpMinF, accOpMinI, accOpMinU, accOpAnd)
    case .remainder: op = pick(accOpRemF, accOpRemI, accOpRemU, accOpAnd)
    case .atan2: op = accOpAtan2F
    case .and: op = accOpAnd
    case .or: op = accOpOr
    case .xor: op = accOpXor
    case .power:
      if lane == .float { return emit(accOpPowF, a, b) }
      return integerPower(a, b, lane)
    case .shiftLeft: op = accOpShl
    case .shiftRightArithmetic:
      // The sign of an unsigned byte is bit 7.
      return emit(accOpShrArithmetic, dtype == .uint8 ? unaryF(accOpWrapI8, a) : a, b)
    case .shiftRightLogical:
      return emit(accOpShrLogical, dtype == .int8 ? unaryF(accOpWrapU8, a) : a, b)
    }
    return emit(op, a, b)
  }

  /// aᵇ by squaring, wrapping; a negative exponent gives 1 for 1, ±1 for −1 and 0 otherwise.
  private mutating func integerPower(_ a: Int, _ b: Int, _ lane: Lane) -> Int {
    let one = constant(bits: 1)
    let zero = constant(bits: 0)
    var result = one
    var base = a
    for bit in 0..<32 {
      let selected = emit(accOpNeU, emit(accOpAnd, b, constant(bits: 1 << UInt32(bit))), zero)
      result = emit(accOpSelect, selected, emit(accOpMulI, result, base), result)
      if bit < 31 { base = emit(accOpMulI, base, base) }
    }
    guard lane == .signed else { return result }
    let minusOne = constant(bits: .max)
    let odd = emit(accOpNeU, emit(accOpAnd, b, one), zero)
    let sign = emit(accOpSelect, odd, minusOne, one)
    let unit = emit(accOpSelect, emit(accOpEqI, a, minusOne), sign, zero)
    let inverse = emit(accOpSelect, emit(accOpEqI, a, one), one, unit)
    return emit(accOpSelect, emit(accOpLtI, b, zero), inverse, result)
  }

  private mutating func compare(_ direction: Compare.Direction, _ a: Int, _ b: Int, _ dtype: DType) -> Int {
    let ops: [AccOp] =
      switch Lane(dtype) {
      case .float: [accOpEqF, accOpNeF, accOpLtF, accOpLeF, accOpGtF, accOpGeF]
      case .signed: [accOpEqI, accOpNeI, accOpLtI, accOpLeI, accOpGtI, accOpGeI]
      default: [accOpEqU, accOpNeU, accOpLtU, accOpLeU, accOpGtU, accOpGeU]
      }
    let index = Compare.Direction.allCases.firstIndex(of: direction) ?? 0
    return emit(ops[index], a, b)
  }

  /// Converts between element types.
  mutating func convert(_ x: Int, from source: DType, to target: DType) -> Int {
    if source == target { return x }
    switch (Lane(source), Lane(target)) {
    case (.float, .float): return fitted(x, target)
    case (.float, .signed): return unaryF(target == .int8 ? accOpFToI8 : accOpFToI, x)
    case (.float, .unsigned): return unaryF(target == .uint8 ? accOpFToU8 : accOpFToU, x)
    case (.float, .mask): return unaryF(accOpFToM, x)
    case (.signed, .float): return fitted(unaryF(accOpIToF, x), target)
    case (.unsigned, .float): return fitted(unaryF(accOpUToF, x), target)
    case (.mask, .float): return unaryF(accOpMToF, x)
    case (.mask, .signed), (.mask, .unsigned): return unaryF(accOpMToI, x)
    case (.signed, .mask), (.unsigned, .mask): return unaryF(accOpIToM, x)
    case (.signed, .signed), (.signed, .unsigned), (.unsigned, .signed), (.unsigned, .unsigned):
      return fitted(x, target)
    case (.mask, .mask): return x
    }
  }
}
