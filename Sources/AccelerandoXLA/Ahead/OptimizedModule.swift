// XLA's optimized module, the result of compilation, as far as it is used here: its instructions tell which values are
// stored, what the chips exchange, and which libraries are called.

import Foundation

/// An optimized module of XLA.
public struct OptimizedModule: Sendable {
  /// The shape of a value: an element type and sizes, or several shapes.
  struct Shape: Sendable {
    var elementType = 0
    var sizes: [Int] = []
    var parts: [Shape] = []

    /// Bytes that the value takes, without padding.
    var byteCount: Int {
      guard parts.isEmpty else { return parts.reduce(0) { $0 &+ $1.byteCount } }
      let bits = Self.bits[elementType] ?? 0
      var count = 1
      for size in sizes {
        let (product, isTooLarge) = count.multipliedReportingOverflow(by: max(size, 0))
        if isTooLarge { return 0 }
        count = product
      }
      return (count.multipliedReportingOverflow(by: bits).partialValue + 7) / 8
    }

    /// Bits of an element, by XLA's element type numbers.
    private static let bits: [Int: Int] = [
      1: 8, 2: 8, 3: 16, 4: 32, 5: 64, 6: 8, 7: 16, 8: 32, 9: 64, 10: 16, 11: 32, 12: 64, 15: 64, 16: 16, 18: 128,
      19: 8, 20: 8, 21: 4, 22: 4, 23: 8, 24: 8, 25: 8, 28: 8, 29: 8,
    ]
  }

  /// An instruction of a computation.
  struct Instruction: Sendable {
    var number = 0
    var name = ""
    var opcode = ""
    var shape = Shape()
    var operands: [Int] = []
    var calls: [Int] = []
    var target = ""
    var settings = ""
    /// The number of devices that take part together; 0 if unknown.
    var groupSize = 0
  }

  struct Computation: Sendable {
    var number = 0
    var instructions: [Instruction] = []
  }

  private(set) var computations: [Int: Computation] = [:]
  private(set) var entry = 0

  /// Reads a module.
  /// - Parameters:
  ///   - bytes: the result of a plugin's `OptimizedProgram`.
  ///   - format: `hlo_with_config` for a module with its settings, `hlo` for a module alone.
  /// - Throws: `DeviceError` for another format, or for bytes that are not a module.
  public init(_ bytes: [UInt8], format: String) throws {
    guard format == "hlo_with_config" || format == "hlo" else {
      throw DeviceError(.unsupported, "the compiled program comes in the format '\(format)', which cannot be read")
    }
    var reader = ProtocolBufferReader(bytes[...])
    if format == "hlo_with_config" {
      while let (number, value) = reader.next() {
        guard number == 1 else { continue }
        readModule(value.message)
      }
    } else {
      readModule(reader)
    }
    guard computations[entry] != nil else {
      throw DeviceError(.failed, "the compiled program cannot be read: it has no first computation")
    }
  }

  private mutating func readModule(_ reader: ProtocolBufferReader) {
    var reader = reader
    while let (number, value) = reader.next() {
      switch number {
      case 3:
        let computation = Self.computation(value.message)
        computations[computation.number] = computation
      case 6: entry = value.integer
      default: break
      }
    }
  }

  private static func computation(_ reader: ProtocolBufferReader) -> Computation {
    var reader = reader
    var result = Computation()
    while let (number, value) = reader.next() {
      switch number {
      case 2: result.instructions.append(instruction(value.message))
      case 5: result.number = value.integer
      default: break
      }
    }
    return result
  }

  private static func instruction(_ reader: ProtocolBufferReader) -> Instruction {
    var reader = reader
    var result = Instruction()
    while let (number, value) = reader.next() {
      switch number {
      case 1: result.name = value.text
      case 2: result.opcode = value.text
      case 3: result.shape = shape(value.message)
      case 28: result.target = value.text
      case 35: result.number = value.integer
      case 36: result.operands += value.integers
      case 38: result.calls += value.integers
      case 43: result.settings = value.text
      case 49: result.groupSize = max(result.groupSize, groupSize(value.message, inList: false))
      case 87: result.groupSize = max(result.groupSize, groupSize(value.message, inList: true))
      default: break
      }
    }
    return result
  }

  private static func shape(_ reader: ProtocolBufferReader) -> Shape {
    var reader = reader
    var result = Shape()
    while let (number, value) = reader.next() {
      switch number {
      case 2: result.elementType = value.integer
      case 3: result.sizes += value.integers
      case 4: result.parts.append(shape(value.message))
      default: break
      }
    }
    return result
  }

  /// The devices of a group: listed, or as the number of groups and the devices in each.
  private static func groupSize(_ reader: ProtocolBufferReader, inList: Bool) -> Int {
    var reader = reader
    var size = 0
    while let (number, value) = reader.next() {
      switch (inList, number) {
      case (false, 1): size += value.integers.count
      case (true, 1): size = max(size, groupSize(value.message, inList: false))
      case (true, 2):
        var iota = value.message
        while let (number, value) = iota.next() { if number == 2 { size = value.integer } }
      default: break
      }
    }
    return size
  }
}

// MARK: - Queries

/// Instructions of one kind by which devices exchange values.
public struct Collective: Hashable, Sendable, Encodable {
  /// The operation: `all-reduce`.
  public let operation: String
  /// The number of calls per run.
  public let count: Int
  /// Bytes that go into all of them on one device, or come out if that is more.
  public let bytes: Int
  /// The number of devices that take part together.
  public let groupSize: Int
}

extension OptimizedModule {
  private static let exchanges = [
    "all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute", "collective-broadcast",
    "ragged-all-to-all",
  ]

  /// The exchanges between devices, by kind.
  /// - Parameter devices: the number of devices that run the program, for exchanges between all.
  public func collectives(devices: Int) -> [Collective] {
    struct Kind: Hashable {
      let operation: String
      let groupSize: Int
    }
    var totals: [Kind: (count: Int, bytes: Int)] = [:]
    walk { instruction, computation, times in
      let operation =
        instruction.opcode.hasSuffix("-start") ? String(instruction.opcode.dropLast(6)) : instruction.opcode
      guard Self.exchanges.contains(operation) else { return }
      let operands = bytes(of: instruction.operands, in: computation)
      // The result of a start may contain the operands too.
      let result = instruction.opcode == operation ? instruction.shape.byteCount : 0
      let kind = Kind(operation: operation, groupSize: instruction.groupSize > 0 ? instruction.groupSize : devices)
      let known = totals[kind] ?? (0, 0)
      totals[kind] = (known.count &+ times, known.bytes &+ max(operands, result) &* times)
    }
    return totals.map { kind, total in
      Collective(operation: kind.operation, count: total.count, bytes: total.bytes, groupSize: kind.groupSize)
    }.sorted { ($0.bytes, $0.operation) > ($1.bytes, $1.operation) }
  }

  /// The library functions that are called, and how often: `__cublas$gemm`.
  public func libraryCalls() -> [String: Int] {
    var counts: [String: Int] = [:]
    walk { instruction, _, times in
      if instruction.opcode == "custom-call" { counts[instruction.target, default: 0] += times }
    }
    return counts
  }

  /// The number of instructions by operation: `fusion`, `convolution`, `while`.
  public func operations() -> [String: Int] {
    var counts: [String: Int] = [:]
    walk { instruction, _, times in counts[instruction.opcode, default: 0] += times }
    return counts
  }

  /// Bytes that the program's instructions read and write; values within a fusion are not counted.
  public func bytesAccessed() -> Int {
    var total = 0
    walkKernels { instruction, computation, times in
      let bytes = bytes(of: instruction.operands, in: computation) &+ instruction.shape.byteCount
      total = total &+ bytes &* times
    }
    return total
  }

  /// The number of kernels that run one after another.
  public func kernelCount() -> Int {
    var count = 0
    walkKernels { _, _, times in count = count &+ times }
    return count
  }

  /// Visits the instructions for which a device does some work.
  private func walkKernels(
    _ visit: (Instruction, _ computation: [Int: Instruction], _ times: Int) -> Void
  ) {
    let free: Set<String> = [
      "parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "partition-id", "replica-id",
      "opt-barrier", "while", "call", "conditional", "async-start", "async-update",
    ]
    walk(intoFusions: false) { instruction, computation, times in
      if !free.contains(instruction.opcode), !instruction.opcode.hasSuffix("-done") {
        visit(instruction, computation, times)
      }
    }
  }

  private func bytes(of operands: [Int], in computation: [Int: Instruction]) -> Int {
    operands.reduce(0) { $0 &+ (computation[$1]?.shape.byteCount ?? 0) }
  }

  /// Visits all instructions that run, with the number of times: the bodies of loops as often as they are iterated, if
  /// that is known.
  private func walk(
    intoFusions: Bool = true, _ visit: (Instruction, _ computation: [Int: Instruction], _ times: Int) -> Void
  ) {
    func enter(_ number: Int, _ times: Int, _ depth: Int) {
      // Modules come from outside: cycles of computations must not be followed forever.
      guard depth < 32, let computation = computations[number] else { return }
      let byNumber = Dictionary(computation.instructions.map { ($0.number, $0) }) { first, _ in first }
      for instruction in computation.instructions {
        visit(instruction, byNumber, times)
        let calls = instruction.calls
        switch instruction.opcode {
        case "fusion": if intoFusions { for call in calls { enter(call, times, depth + 1) } }
        case "while": for call in calls { enter(call, times &* Self.tripCount(instruction.settings), depth + 1) }
        case "call", "conditional", "async-start", "custom-call": for call in calls { enter(call, times, depth + 1) }
        // The computations of reductions, sorts and the like are arithmetic of the instruction itself.
        default: break
        }
      }
    }
    enter(entry, 1, 0)
  }

  /// The number of iterations of a loop: `"known_trip_count":{"n":"5"}`.
  private static func tripCount(_ settings: String) -> Int {
    guard let range = settings.range(of: "\"known_trip_count\"") else { return 1 }
    let digits = settings[range.upperBound...].drop { !$0.isNumber }.prefix { $0.isNumber }
    return max(Int(digits) ?? 1, 1)
  }
}
