// The plugins' numbers for element types.

import AccelerandoCore

extension DType {
  /// The number of the type in PJRT.
  var pluginCode: Int32 {
    switch self {
    case .bool: 1
    case .int8: 2
    case .int32: 4
    case .int64: 5
    case .uint8: 6
    case .uint32: 8
    case .float16: 10
    case .float32: 11
    case .float64: 12
    case .bfloat16: 13
    }
  }
}
