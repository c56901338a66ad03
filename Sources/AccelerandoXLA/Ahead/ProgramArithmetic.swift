// How much a program computes and which of its values are large, from the program itself: compilers report different
// parts of it, and nothing is left of a program that was refused for lack of memory.

import AccelerandoCore

/// The arithmetic of a program's products, for which chips have special units.
public struct ProgramArithmetic: Hashable, Sendable {
  /// Floating-point operations in matrix products and convolutions, by the element type of the operands.
  public private(set) var products: [DType: Double] = [:]
  /// Elements that the other operations compute, each counted as one operation.
  public private(set) var elements: Double = 0

  /// The sum of all.
  public var total: Double { products.values.reduce(elements, +) }

  /// Counts a program's arithmetic; the bodies of loops count once.
  /// - Throws: `GraphError` when a composite cannot be expanded.
  public init(_ program: Program) throws {
    add(try program.expandingComposites())
  }

  private mutating func add(_ program: Program) {
    for instruction in program.instructions {
      guard let first = instruction.results.first, instruction.results.upperBound <= program.types.count else {
        continue
      }
      let result = program.types[first]
      let operands = instruction.operands.map { program.types[$0] }
      switch instruction.operation {
      case let dot as DotGeneral where operands.count == 2:
        let inner = dot.leftContracting.reduce(1.0) { $0 * Double(operands[0].shape[$1]) }
        products[operands[0].dtype, default: 0] += 2 * Double(result.elementCount) * inner
      case let convolution as Convolution where operands.count == 2:
        products[operands[0].dtype, default: 0] += Self.flops(convolution, operands[0], operands[1], result)
      case is Constant: break
      default:
        elements += instruction.results.reduce(0) { $0 + Double(program.types[$1].elementCount) }
        for region in instruction.operation.regions where region.instructions.count > 1 { add(region) }
      }
    }
  }

  /// The products that a convolution sums, without those with padding and with the holes of a dilated input.
  private static func flops(
    _ convolution: Convolution, _ input: TensorType, _ kernel: TensorType, _ result: TensorType
  ) -> Double {
    let d = convolution.dimensions
    var work = 2 * Double(result.shape[d.outputBatch]) * Double(result.shape[d.outputFeature])
    work *= Double(kernel.shape[d.kernelInput])
    for axis in convolution.strides.indices {
      let size = input.shape[d.inputSpatial[axis]]
      let dilation = convolution.inputDilation[axis]
      let taps = kernel.shape[d.kernelSpatial[axis]]
      var pairs = 0
      for position in 0..<result.shape[d.outputSpatial[axis]] {
        let start = position * convolution.strides[axis] - convolution.paddingLow[axis]
        for tap in 0..<taps {
          let place = start + tap * convolution.kernelDilation[axis]
          if place >= 0, place % dilation == 0, place / dilation < size { pairs += 1 }
        }
      }
      work *= Double(pairs)
    }
    return work
  }
}

/// A value of a program that takes much memory.
public struct LargeValue: Hashable, Sendable, Encodable {
  /// Its origin: an input's name, or the layer and the operation that compute it.
  public let name: String
  /// Its type: `float32[32, 28, 28, 32]`.
  public let type: String
  /// Its size in bytes.
  public let bytes: Int
  /// Whether it is an input: state or data, stored during the whole step.
  public let isInput: Bool
}

extension LargeValue {
  /// The largest values of a program, largest first: inputs, and results that are read and do not reuse an input's
  /// memory. Compilers avoid storing some of them.
  public static func largest(_ count: Int, of program: Program) -> [LargeValue] {
    var values = program.inputs.map { input in
      LargeValue(name: input.name, type: "\(input.type)", bytes: input.type.byteCount, isInput: true)
    }
    // Views cost nothing, and elementwise results are fused into what uses them.
    let stored: Set<String> = [
      "dot_general", "convolution", "reduce", "reduce_window", "select_and_scatter", "gather", "scatter", "sort",
      "concatenate", "all_reduce",
    ]
    let updated = Set(program.aliases.keys.map { program.outputs[$0] })
    for instruction in program.instructions {
      let isStored = instruction.operation is any Composite || stored.contains(instruction.operation.name)
      for result in instruction.results where isStored && !updated.contains(result) {
        let type = program.types[result]
        let name = (instruction.path + [instruction.operation.name]).joined(separator: " › ")
        values.append(LargeValue(name: name, type: "\(type)", bytes: type.byteCount, isInput: false))
      }
    }
    return Array(values.sorted { ($0.bytes, $1.name) > ($1.bytes, $0.name) }.prefix(count))
  }
}
