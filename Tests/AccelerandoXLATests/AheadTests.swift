// Compiling for devices that are not there: the parts that read and count, and the real compilers where they are present.

import AccelerandoCore
import Foundation
import Testing

@testable import AccelerandoXLA

/// Writes the parts of XLA's modules that are read.
private enum HLO {
  static func shape(_ elementType: Int, _ sizes: [Int]) -> ProtocolBuffer {
    var shape = ProtocolBuffer()
    shape.add(2, integer: elementType)
    for size in sizes { shape.add(3, integer: size) }
    return shape
  }

  static func instruction(
    _ number: Int, _ opcode: String, _ shape: ProtocolBuffer, operands: [Int] = [], calls: [Int] = [],
    settings: String = "", target: String = "", groups: [[Int]] = []
  ) -> ProtocolBuffer {
    var result = ProtocolBuffer()
    result.add(2, text: opcode)
    result.add(3, message: shape)
    result.add(35, integer: number)
    for operand in operands { result.add(36, integer: operand) }
    for call in calls { result.add(38, integer: call) }
    if !settings.isEmpty { result.add(43, text: settings) }
    if !target.isEmpty { result.add(28, text: target) }
    for group in groups {
      var members = ProtocolBuffer()
      for member in group { members.add(1, integer: member) }
      result.add(49, message: members)
    }
    return result
  }

  static func computation(_ number: Int, _ instructions: [ProtocolBuffer]) -> ProtocolBuffer {
    var result = ProtocolBuffer()
    for instruction in instructions { result.add(2, message: instruction) }
    result.add(5, integer: number)
    return result
  }

  static func module(entry: Int, _ computations: [ProtocolBuffer]) -> [UInt8] {
    var module = ProtocolBuffer()
    for computation in computations { module.add(3, message: computation) }
    module.add(6, integer: entry)
    var whole = ProtocolBuffer()
    whole.add(1, message: module)
    return whole.bytes
  }
}

/// The element type float32 in XLA's numbers.
private let f32 = 11

private func exampleModule() -> [UInt8] {
  HLO.module(
    entry: 1,
    [
      HLO.computation(
        1,
        [
          HLO.instruction(10, "parameter", HLO.shape(f32, [8, 16])),
          HLO.instruction(11, "all-reduce", HLO.shape(f32, [8, 16]), operands: [10], groups: [[0, 1], [2, 3]]),
          HLO.instruction(12, "all-gather-start", HLO.shape(f32, [32, 16]), operands: [11]),
          HLO.instruction(13, "all-gather-done", HLO.shape(f32, [32, 16]), operands: [12]),
          HLO.instruction(
            14, "while", HLO.shape(f32, []), operands: [11], calls: [2, 3],
            settings: #"{"known_trip_count":{"n":"5"}}"#),
          HLO.instruction(15, "custom-call", HLO.shape(f32, [8, 16]), operands: [10], target: "__cublas$gemm"),
        ]),
      HLO.computation(
        2,
        [
          HLO.instruction(20, "parameter", HLO.shape(f32, [4])),
          HLO.instruction(21, "all-reduce", HLO.shape(f32, [4]), operands: [20], groups: [[0, 1], [2, 3]]),
        ]),
      HLO.computation(3, [HLO.instruction(30, "parameter", HLO.shape(f32, [4]))]),
    ])
}

@Suite struct OptimizedModuleTests {
  @Test func collectivesAreAddedUpByKindAndGroupAndLoopsCountAsOftenAsTheyGoRound() throws {
    let module = try OptimizedModule(exampleModule(), format: "hlo_with_config")
    #expect(
      module.collectives(devices: 4) == [
        Collective(operation: "all-reduce", count: 6, bytes: 8 * 16 * 4 + 5 * 16, groupSize: 2),
        Collective(operation: "all-gather", count: 1, bytes: 8 * 16 * 4, groupSize: 4),
      ])
    #expect(module.libraryCalls() == ["__cublas$gemm": 1])
  }

  @Test func trafficIsWhatKernelsReadAndWriteAndNothingElse() throws {
    let module = try OptimizedModule(exampleModule(), format: "hlo_with_config")
    let (image, gathered, vector) = (8 * 16 * 4, 32 * 16 * 4, 16)
    // The all-reduce, the start of the all-gather, the library call, and five times the loop's all-reduce.
    #expect(module.bytesAccessed() == 2 * image + (image + gathered) + 2 * image + 5 * 2 * vector)
    #expect(module.kernelCount() == 3 + 5)
  }

  @Test func damagedModulesAreReadOrRefusedButNeverFollowedForEver() throws {
    let bytes = exampleModule()
    for length in 0..<bytes.count { _ = try? OptimizedModule(Array(bytes.prefix(length)), format: "hlo_with_config") }
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<500 {
      var damaged = bytes
      for _ in 0..<3 {
        let place = Int.random(in: damaged.indices, using: &generator)
        damaged[place] = UInt8.random(in: 0...255, using: &generator)
      }
      let module = try? OptimizedModule(damaged, format: "hlo_with_config")
      _ = module?.collectives(devices: 4)
      _ = module?.bytesAccessed()
    }
    let circle = HLO.module(
      entry: 1, [HLO.computation(1, [HLO.instruction(2, "call", HLO.shape(f32, []), calls: [1])])])
    #expect(try OptimizedModule(circle, format: "hlo_with_config").collectives(devices: 1) == [])
    #expect(throws: DeviceError.self) { try OptimizedModule([], format: "hlo_with_config") }
    #expect(throws: DeviceError.self) { try OptimizedModule(bytes, format: "something else") }
  }
}

@Suite struct ChipTests {
  @Test func everyChipHasANameOfItsOwnAndPlausibleNumbers() {
    let names = ChipSpec.all.map { "\($0.platform):\($0.name)" }
    #expect(Set(names).count == names.count)
    for chip in ChipSpec.all {
      #expect(ChipSpec.named(chip.name, platform: chip.platform) == chip)
      #expect((1e11...1e14).contains(chip.memoryBandwidth), "\(chip.name)")
      #expect((1e10...2e12).contains(chip.linkBandwidth), "\(chip.name)")
      #expect((1 << 33...1 << 39).contains(chip.memoryBytes), "\(chip.name)")
      #expect(chip.usableBytes < chip.memoryBytes)
      #expect(chip.peak(.bfloat16) >= chip.peak(.float32), "\(chip.name)")
      #expect((5e12...1e16).contains(chip.peak(.float32)), "\(chip.name)")
      #expect((chip.gpuTarget != nil) == (chip.platform == "cuda"))
    }
  }

  @Test func targetsAreReadAndWrittenBack() throws {
    let target = try AheadTarget("tpu:v5e:16x16")
    #expect(target.chipCount == 256 && target.deviceCount == 256 && target.shape == [16, 16])
    #expect(target.description == "tpu:v5e:16x16")
    #expect(try AheadTarget("cuda:h200").chipCount == 1)
    #expect(try AheadTarget("cuda:H100:8").shape == [8])
    #expect(try AheadTarget("tpu:v5p:2x2x1").chipCount == 4)
    #expect(try AheadTarget("tpu:v3:2x2").deviceCount == 8)
  }

  @Test(arguments: [
    "", "tpu", "tpu:", "gpu:h200", "tpu:v9:2x2", "tpu:v5e:2", "tpu:v5e:2x", "tpu:v5e:0x4", "tpu:v5e:-2x4",
    "tpu:v5e:2x2x2",
    "tpu:v5e:2x2:3", "cuda:h200:2x2", "cuda:h200:0", "cuda:h200:99999999999999999999", "tpu:v5e:4611686018427387904x4",
    "tpu:v5e:1000x1000",
  ])
  func aTargetThatIsNoneIsRefusedWithAnExample(_ text: String) {
    #expect { try AheadTarget(text) } throws: { ($0 as? DeviceError)?.remedy != nil }
  }

  @Test func withoutTheCompilerTheCommandThatFetchesItIsNamed() throws {
    try withTemporaryDirectory { directory in
      let nothing = PluginSearch(store: PluginStore(directory: directory))
      for (target, words) in [("tpu:v5e", "plugin install tpu"), ("cuda:h200", "plugin install cuda12")] {
        #expect { try AheadTarget(target).topology(search: nothing) } throws: { error in
          (error as? DeviceError)?.remedy?.contains(words) == true
        }
      }
    }
  }
}

/// A small step: a product, a loss, and a parameter that is updated in place.
private func exampleStep(devices: Int, batch: Int = 32) throws -> StepPlan.Step {
  let program = try Program.trace(
    [("weight", TensorType(.float32, [128, 64])), ("x0", TensorType(.float32, [batch, 128]))], aliases: [0: 0]
  ) { inputs in
    let loss = (inputs[1].matmul(inputs[0]) * inputs[1].matmul(inputs[0])).sum()
    let gradient = gradients(of: loss, withRespectTo: [inputs[0]])[0]
    let total = devices == 1 ? gradient : gradient.graph.add(AllReduce(.sum), gradient)
    return [inputs[0] - total * 0.01]
  }
  return StepPlan.Step(program: program, batchSize: batch * devices, batchSizePerDevice: batch, samples: 1000)
}

@Suite struct ProgramArithmeticTests {
  @Test(arguments: [(3, 5, 7), (1, 1, 1), (8, 64, 2)])
  func aProductIsTwoOperationsForEachTerm(m: Int, k: Int, n: Int) throws {
    let program = try Program.trace([TensorType(.float32, [m, k]), TensorType(.float32, [k, n])]) {
      [$0[0].matmul($0[1])]
    }
    #expect(try ProgramArithmetic(program).products == [.float32: Double(2 * m * k * n)])
  }

  @Test func aConvolutionAndItsGradientsAreTheSameWorkWhereNothingIsPadded() throws {
    let types = [TensorType(.float32, [2, 9, 8, 3]), TensorType(.float32, [3, 2, 3, 5])]
    let forward = try Program.trace(types) { [$0[0].convolved(with: $0[1], strides: [1, 1], padding: .valid)] }
    let expected = 2.0 * 2 * 7 * 7 * 5 * 3 * 3 * 2
    #expect(try ProgramArithmetic(forward).products == [.float32: expected])
    let both = try Program.trace(types) { inputs in
      let y = inputs[0].convolved(with: inputs[1], strides: [1, 1], padding: .valid)
      return gradients(of: (y * y).sum(), withRespectTo: inputs)
    }
    #expect(try ProgramArithmetic(both).products == [.float32: 3 * expected])
  }

  @Test func theLargestValuesComeFirstAndSayWhereTheyComeFrom() throws {
    let largest = LargeValue.largest(3, of: try exampleStep(devices: 1, batch: 4096).program)
    #expect(largest.first?.name == "x0" && largest.first?.bytes == 4096 * 128 * 4 && largest.first?.isInput == true)
    #expect(largest.map(\.bytes) == largest.map(\.bytes).sorted(by: >))
  }
}

/// The compilers of this machine for devices that it has not.
private enum Compilers {
  static let found = PluginSearch.current().plugins()
  static let hasTPU = found.contains { $0.platform == "tpu" }
  static let hasCUDA = found.contains { $0.platform == "cuda" }
}

@Suite(.serialized) struct CompileAheadTests {
  private func check(_ text: String, devices: Int) throws {
    let target = try AheadTarget(text)
    let step = try exampleStep(devices: devices)
    let plan = try StepPlan(step, on: target)
    #expect(plan.fits == true && plan.refusal == nil && plan.advice == nil)
    let memory = try #require(plan.memory)
    // The weight and the batch, and the weight again in its own place; layouts may be padded.
    #expect(memory.arguments >= (128 * 64 + 32 * 128) * 4 && memory.aliased >= 128 * 64 * 4)
    #expect(memory.total > 0 && memory.total < 64 << 20)
    #expect(
      plan.productFlops["float32"] == 2.0 * 3 * 32 * 128 * 64 || plan.productFlops["float32"] == 2.0 * 4 * 32 * 128 * 64
    )
    #expect(try #require(plan.bytesAccessed) > 128 * 64 * 4)
    #expect(plan.collectives.map(\.operation) == (devices > 1 ? ["all-reduce"] : []))
    if let exchange = plan.collectives.first {
      #expect(exchange.bytes == 128 * 64 * 4 && exchange.groupSize == devices && exchange.count == 1)
      #expect(plan.bounds.exchanges > 0)
    }
    #expect(plan.stepSeconds >= plan.bounds.longest && plan.stepSeconds < 1)
    #expect(plan.stepsPerEpoch == (1000 + 32 * devices - 1) / (32 * devices))
    let table = plan.description
    #expect(table.contains("fits:") && table.contains("epoch"))
    #expect(!table.contains("\n\n\n"))
    let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(plan)) as? [String: Any]
    #expect(json?["target"] as? String == target.description)
  }

  @Test(
    .enabled(
      if: Compilers.hasTPU, "the TPU's compiler is not on this machine; 'accelerando plugin install tpu' fetches it"),
    arguments: [("tpu:v5e:1x1", 1), ("tpu:v5e:2x2", 4), ("tpu:v5e:16x16", 256), ("tpu:v6e:2x2", 4)])
  func aStepIsCompiledForTPUs(_ target: String, devices: Int) throws { try check(target, devices: devices) }

  @Test(
    .enabled(
      if: Compilers.hasCUDA,
      "the compiler for NVIDIA's GPUs is not on this machine; 'accelerando plugin install cuda12 --compile-only' fetches it"
    ),
    arguments: [("cuda:h200", 1), ("cuda:h100:8", 8), ("cuda:a100", 1)])
  func aStepIsCompiledForGPUs(_ target: String, devices: Int) throws { try check(target, devices: devices) }

  @Test(.enabled(if: Compilers.hasTPU, "the TPU's compiler is not on this machine"))
  func aStepThatDoesNotFitNamesWhatIsLargeAndWhatToChange() throws {
    let batch = 1 << 26
    let plan = try StepPlan(try exampleStep(devices: 1, batch: batch), on: try AheadTarget("tpu:v5e:1x1"))
    #expect(plan.fits == false)
    #expect(plan.largest.first?.name == "x0")
    #expect(plan.advice?.contains("--batch-size") == true)
    #expect(plan.description.contains("DOES NOT FIT"))
  }
}
