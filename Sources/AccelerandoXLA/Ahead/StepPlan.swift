// What is known of a step on devices that the machine does not have: the compiler's report, what follows from the
// chip's data sheet, and what both mean for an epoch. All numbers are per chip, so that targets of different sizes can
// be compared.

import AccelerandoCore
import Foundation

/// A training step compiled for a target, in numbers.
public struct StepPlan: Sendable, Encodable {
  /// Bytes on one chip while a step runs.
  public struct Memory: Sendable, Hashable, Encodable {
    /// Parameters, optimizer slots, and the batch.
    public var arguments: Int
    /// The step's results.
    public var outputs: Int
    /// Outputs that reuse the memory of arguments.
    public var aliased: Int
    /// Intermediate values.
    public var temporary: Int
    /// The program itself.
    public var code: Int
    /// The sum of all.
    public var total: Int
    /// Memory that the chip has for programs.
    public var available: Int
  }

  /// The target: `tpu:v5e:2x4`.
  public var target: String
  /// The maker's name for the chip.
  public var chip: String
  /// The number of chips.
  public var chips: Int
  /// Samples in a step on all chips.
  public var batchSize: Int
  /// Samples on one chip.
  public var batchSizePerChip: Int
  /// Samples in an epoch.
  public var samples: Int
  /// Whether the step fits in the chip's memory; nil if the compiler does not say.
  public var fits: Bool?
  /// Bytes by kind; nil if the program did not fit and the compiler said no more.
  public var memory: Memory?
  /// Floating-point operations.
  public var flops: Double
  /// Those of matrix products and convolutions, by element type.
  public var productFlops: [String: Double]
  /// Bytes that are read and written in the chip's memory.
  public var bytesAccessed: Double?
  /// The exchanges between chips.
  public var collectives: [Collective]
  /// The library functions that the program calls, and how often.
  public var libraryCalls: [String: Int]
  /// Kernels that run one after another; nil if the plugin does not return the compiled program.
  public var kernels: Int?
  /// The compiler's own estimate of the time of a step, in seconds; nil if it makes none.
  public var compilerSeconds: Double?
  /// Lower bounds of the time of a step, in seconds, by cause.
  public var bounds: Bounds
  /// The predicted time of a step, in seconds: the compiler's estimate, but no less than the bound.
  public var stepSeconds: Double
  /// Steps in an epoch.
  public var stepsPerEpoch: Int
  /// The predicted time of an epoch, in seconds, without the transfer of data.
  public var epochSeconds: Double
  /// The largest values of the program on one chip.
  public var largest: [LargeValue]
  /// The compiler's message when it refused the program.
  public var refusal: String?
  /// What to change if it does not fit.
  public var advice: String?
  /// The compiler.
  public var compiler: String
  /// The time of compilation, in seconds.
  public var compileSeconds: Double

  /// Bounds of a step's time that follow from a chip's data sheet.
  public struct Bounds: Sendable, Hashable, Encodable {
    /// Products at the peak of their type.
    public var arithmetic: Double
    /// Memory at its full bandwidth.
    public var memory: Double
    /// Exchanges over all links at once.
    public var exchanges: Double
    /// The start of kernels.
    public var kernels: Double
    /// The longest of them.
    public var longest: Double { max(arithmetic, memory, exchanges, kernels) }
    /// The cause of the longest.
    public var limit: String {
      let all = [("arithmetic", arithmetic), ("memory", memory), ("exchanges", exchanges), ("kernels", kernels)]
      return all.first { $0.1 == longest }?.0 ?? "arithmetic"
    }

    enum CodingKeys: String, CodingKey { case arithmetic, memory, exchanges, kernels, longest, limit }

    public func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(arithmetic, forKey: .arithmetic)
      try container.encode(memory, forKey: .memory)
      try container.encode(exchanges, forKey: .exchanges)
      try container.encode(kernels, forKey: .kernels)
      try container.encode(longest, forKey: .longest)
      try container.encode(limit, forKey: .limit)
    }
  }

  /// The work of one step, as `plan` compiles it.
  public struct Step: Sendable {
    /// The program that each device runs.
    public var program: Program
    /// Samples in a step on all devices.
    public var batchSize: Int
    /// Samples in a step on one device.
    public var batchSizePerDevice: Int
    /// Samples in an epoch.
    public var samples: Int

    /// Describes a step.
    public init(program: Program, batchSize: Int, batchSizePerDevice: Int, samples: Int) {
      self.program = program
      self.batchSize = batchSize
      self.batchSizePerDevice = batchSizePerDevice
      self.samples = samples
    }
  }

  /// Compiles a step for a target.
  /// - Parameters:
  ///   - step: the program that each device runs, and its share of the batch.
  ///   - target: the devices.
  ///   - search: where the compiler is searched for.
  /// - Throws: `DeviceError` when there is no compiler, or it refuses the program for another reason than memory.
  public init(_ step: Step, on target: AheadTarget, search: PluginSearch = .current()) throws {
    try Self.checkSizes(step.program)
    let topology = try target.topology(search: search)
    let chip = target.chip
    let perChip = Double(chip.devicesPerChip)
    var options = CompileOptions(replicas: target.deviceCount)
    options.settings = CompilerSettings.takeFlags()
    let arithmetic = try ProgramArithmetic(step.program)
    let started = ContinuousClock.now
    var compiled: AheadProgram?
    do {
      compiled = try topology.compile(try step.program.stableHLO(name: "step"), options)
    } catch let error as DeviceError where error.kind == .outOfMemory {
      refusal = error.message
    }
    let spent = (ContinuousClock.now - started).components
    compileSeconds = Double(spent.seconds) + Double(spent.attoseconds) * 1e-18
    self.target = target.description
    self.chip = chip.title
    chips = target.chipCount
    batchSize = step.batchSize
    batchSizePerChip = step.batchSizePerDevice * chip.devicesPerChip
    samples = step.samples
    let version = topology.plugin.version
    compiler = "XLA for \(chip.platform == "cuda" ? "CUDA" : "TPU"), PJRT \(version.major).\(version.minor)"
    flops = arithmetic.total * perChip
    productFlops = Dictionary(uniqueKeysWithValues: arithmetic.products.map { ($0.rawValue, $1 * perChip) })
    largest = LargeValue.largest(8, of: step.program)

    let costs = (try? compiled?.costs()) ?? [:]
    let module = try? compiled?.optimizedProgram()
    let optimized = try module.map { try OptimizedModule($0.bytes, format: $0.format) }
    collectives = optimized?.collectives(devices: target.deviceCount) ?? []
    libraryCalls = optimized?.libraryCalls() ?? [:]
    if let counted = costs["flops"], counted > 0 { flops = counted * perChip }
    bytesAccessed = (costs["bytes accessed"] ?? optimized.map { Double($0.bytesAccessed()) }).map { $0 * perChip }
    compilerSeconds = costs["optimal_seconds"].flatMap { $0 > 0 ? $0 : nil }
    memory = (try? compiled?.memory()).map { Memory($0, on: chip) }
    kernels = optimized?.kernelCount()
    bounds = Self.bounds(arithmetic, bytesAccessed, collectives, kernels: kernels ?? 0, on: chip)
    fits = memory.map { $0.total <= $0.available } ?? (compiled == nil ? false : nil)
    stepSeconds = max(compilerSeconds ?? 0, bounds.longest)
    stepsPerEpoch = step.samples < 1 ? 0 : (step.samples - 1) / max(step.batchSize, 1) + 1
    epochSeconds = stepSeconds * Double(stepsPerEpoch)
    if fits == false {
      advice = Self.advice(
        step, needed: memory.map { $0.total / chip.devicesPerChip } ?? refusal.flatMap(Self.needed), chip)
    }
  }

  /// Refuses values that no chip could hold: compilers end the process for sizes that overflow their counters.
  private static func checkSizes(_ program: Program) throws {
    for type in program.types where type.elementCount > 1 << 44 {
      throw DeviceError(
        .outOfMemory, "the step has a value of type \(type), which no chip can hold",
        remedy: "Use a smaller batch or model")
    }
  }

  /// The lower bounds of the time on a chip.
  static func bounds(
    _ arithmetic: ProgramArithmetic, _ bytes: Double?, _ collectives: [Collective], kernels: Int, on chip: ChipSpec
  ) -> Bounds {
    let devices = Double(chip.devicesPerChip)
    let products = arithmetic.products.reduce(0.0) { $0 + $1.value * devices / max(chip.peak($1.key), 1) }
    let exchanges = collectives.reduce(0.0) { $0 + $1.sentBytes * devices / chip.linkBandwidth }
    return Bounds(
      arithmetic: products, memory: (bytes ?? 0) / chip.memoryBandwidth, exchanges: exchanges,
      kernels: Double(kernels) * chip.kernelSeconds)
  }

  /// What can be changed.
  /// - Parameter needed: bytes that the program needs on one device, if known.
  static func advice(_ step: Step, needed: Int?, _ chip: ChipSpec) -> String {
    let state = step.program.aliases.values.reduce(0) { $0 + step.program.inputs[$1].type.byteCount }
    let room = chip.usableBytes / chip.devicesPerChip
    if state > room {
      return
        "Parameters and what the optimizer remembers take \(byteText(state)) by themselves: use a smaller model, an "
        + "optimizer that remembers less (sgd), or a chip with more memory"
    }
    var words: [String] = []
    let devices = max(step.batchSize / max(step.batchSizePerDevice, 1), 1)
    if let needed, step.batchSizePerDevice > 1 {
      // Everything but state grows nearly in proportion to the batch.
      let growing = Double(max(needed - state, 1))
      let possible = Int(0.9 * Double(step.batchSizePerDevice) * Double(room - state) / growing)
      if possible >= 1, possible < step.batchSizePerDevice {
        words.append("--batch-size \(possible * devices) should fit")
      }
    }
    if words.isEmpty, step.batchSizePerDevice > 1 { words.append("use a smaller --batch-size") }
    words.append("use more chips, or chips with more memory")
    let text = words.joined(separator: "; ")
    return text.prefix(1).uppercased() + text.dropFirst()
  }

  /// The memory that a compiler says it would need: `the total memory required for HLO temporaries (350.38G) exceeds
  /// …`.
  static func needed(_ refusal: String) -> Int? {
    guard let open = refusal.firstIndex(of: "("), let close = refusal[open...].firstIndex(of: ")") else { return nil }
    let text = refusal[refusal.index(after: open)..<close]
    let units: [Character: Double] = ["K": 0x1p10, "M": 0x1p20, "G": 0x1p30, "T": 0x1p40]
    guard let unit = text.last.flatMap({ units[$0] }), let number = Double(text.dropLast()), number < 1e6 else {
      return nil
    }
    return Int(number * unit)
  }
}

extension StepPlan.Memory {
  init(_ memory: XLAExecutable.Memory, on chip: ChipSpec) {
    let devices = chip.devicesPerChip
    self.init(
      arguments: memory.arguments * devices, outputs: memory.outputs * devices, aliased: memory.aliased * devices,
      temporary: memory.temporary * devices, code: memory.code * devices, total: memory.total * devices,
      available: chip.usableBytes)
  }
}

extension Collective {
  /// Bytes that one device sends if the exchange goes around a ring.
  var sentBytes: Double {
    let others = Double(max(groupSize - 1, 0)) / Double(max(groupSize, 1))
    return switch operation {
    case "all-reduce": 2 * others * Double(bytes)
    case "collective-permute", "collective-broadcast": Double(bytes)
    default: others * Double(bytes)
    }
  }
}

/// A number of bytes, with a unit.
func byteText(_ bytes: Int) -> String {
  let units: [(String, Double)] = [("GiB", 0x1p30), ("MiB", 0x1p20), ("KiB", 0x1p10)]
  for (unit, size) in units where Double(bytes) >= size { return String(format: "%.1f \(unit)", Double(bytes) / size) }
  return "\(bytes) B"
}
