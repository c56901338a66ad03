import AccelerandoCore
import Foundation
import Testing

@Suite struct StableHLOTests {
  @Test func everyExampleIsWritten() throws {
    // Where a folder is named, the modules are left there for `check_stablehlo.py`, which asks MLIR's own verifier.
    let folder = ProcessInfo.processInfo.environment["STABLEHLO_DUMP"].map { URL(fileURLWithPath: $0) }
    for example in try stableHLOExamples() {
      let text = try example.program.stableHLO(name: example.name)
      #expect(text.hasPrefix("module @\(example.name) {\n"))
      #expect(!text.contains("erf"), "composites are opened: \(example.name)")
      if let folder { try Data(text.utf8).write(to: folder.appendingPathComponent(example.name + ".mlir")) }
    }
  }

  @Test func aProgramReadsAsExpected() throws {
    let type = TensorType(.float32, [2])
    let program = try Program.trace([("w", type), ("g", type)], aliases: [0: 0]) { [$0[0] - $0[1], $0[1].sum()] }
    #expect(
      try program.stableHLO(name: "my step") == """
        module @my_step {
          func.func public @main(%arg0: tensor<2xf32> {tf.aliasing_output = 0 : i32}, %arg1: tensor<2xf32>) -> \
        (tensor<2xf32>, tensor<f32>) {
            %0 = "stablehlo.subtract"(%arg0, %arg1) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
            %1 = "stablehlo.constant"() {value = dense<"0x00000000"> : tensor<f32>} : () -> tensor<f32>
            %2 = "stablehlo.reduce"(%arg1, %1) ({
            ^bb0(%3: tensor<f32>, %4: tensor<f32>):
              %5 = "stablehlo.add"(%3, %4) : (tensor<f32>, tensor<f32>) -> tensor<f32>
              "stablehlo.return"(%5) : (tensor<f32>) -> ()
            }) {dimensions = array<i64: 0>} : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
            "func.return"(%0, %2) : (tensor<2xf32>, tensor<f32>) -> ()
          }
        }

        """)
  }
}
