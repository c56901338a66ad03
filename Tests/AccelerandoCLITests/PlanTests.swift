// Plans and exports as a shell sees them: what is missing is said before anything slow, and with the compilers at hand the plan
// of a recipe comes for people and for programs.

import Foundation
import Testing

private let plugins = ProcessInfo.processInfo.environment["PJRT_NAMES_AND_LIBRARY_PATHS"] ?? ""
private let hasTPU = plugins.contains("tpu:")
private let hasCUDA = plugins.contains("cuda12:") || plugins.contains("cuda13:")

@Suite struct PlanTests {
  @Test func aTargetThatIsNoneOrHasNoCompilerIsRefusedWithARemedy() throws {
    try withTemporaryDirectory { directory in
      for (target, expected) in [
        ("tpu:v5e:2x4", "accelerando plugin install tpu"), ("cuda:h200", "accelerando plugin install cuda12"),
        ("tpu:v99", "Known: v3"), ("h200", "tpu:CHIP:SHAPE"), ("tpu:v5e:4", "tpu:v5e:2x4"),
      ] {
        let outcome = try Command.run("plan", "mlp", "--target", target, in: directory)
        #expect(outcome.status == 69)
        #expect(outcome.errors.contains(expected), "\(outcome.errors)")
        #expect(outcome.output.isEmpty)
      }
      #expect(try Command.run("plan", "mlp", "--target", "tpu:v5e", "--batch-size", "0", in: directory).status == 64)
      #expect(try Command.run("plan", "mlp", in: directory).status == 64)
    }
  }

  @Test(arguments: ["train", "evaluate", "predict"])
  func anExportedStepIsAModuleWithOneFunctionThatUpdatesStateInPlace(_ step: String) throws {
    try withTemporaryDirectory { directory in
      let outcome = try Command.run(
        "export", "cnn", "--stablehlo", "step.mlir", "--step", step, "--batch-size", "7", in: directory)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let text = try String(contentsOf: directory.appendingPathComponent("step.mlir"), encoding: .utf8)
      #expect(text.hasPrefix("module @cnn_\(step)_step {"))
      #expect(text.contains("func.func public @main("))
      #expect(text.contains("tensor<7x28x28x1xui8>"))
      #expect(text.contains("tf.aliasing_output") == (step != "predict"))
      #expect(try Command.run("export", "cnn", "--stablehlo", "no/where.mlir", in: directory).status == 65)
      #expect(try Command.run("export", "cnn", "--stablehlo", "x", "--step", "dance", in: directory).status == 64)
    }
  }

  @Test(
    .enabled(if: hasTPU, "PJRT_NAMES_AND_LIBRARY_PATHS names no plugin 'tpu'"),
    arguments: ["tpu:v5e:2x2", "tpu:v5e:16x16", "tpu:v6e:2x2"])
  func aRecipeIsPlannedForTPUs(_ target: String) throws { try check(target) }

  @Test(.enabled(if: hasCUDA, "PJRT_NAMES_AND_LIBRARY_PATHS names no plugin 'cuda12' or 'cuda13'"))
  func aRecipeIsPlannedForAGPU() throws { try check("cuda:h200") }

  private func check(_ target: String) throws {
    try withTemporaryDirectory { directory in
      let arguments = ["plan", "mlp", "--target", target, "--batch-size", "1024"]
      let table = try Command.run(arguments: arguments, in: directory, withPlugins: true)
      try #require(table.status == 0, "\(table.errors)")
      #expect(table.output.contains("fits:") && table.output.contains("predicted"))
      let json = try Command.run(arguments: arguments + ["--json"], in: directory, withPlugins: true)
      let plan = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
      #expect(plan?["fits"] as? Bool == true)
      #expect(plan?["samples"] as? Int == 60_000 && plan?["steps_per_epoch"] as? Int == 59)
      let exchanges = plan?["collectives"] as? [[String: Any]] ?? []
      if target.hasPrefix("tpu") {
        // Every gradient is summed over all chips, which is at least a number for each parameter.
        #expect(exchanges.contains { $0["operation"] as? String == "all-reduce" })
        #expect(exchanges.reduce(0) { $0 + ($1["bytes"] as? Int ?? 0) } >= 4 * 101_770)
      } else {
        #expect(exchanges.isEmpty)
      }
      #expect((plan?["epoch_seconds"] as? Double ?? 0) > 0)
      #expect(((plan?["memory"] as? [String: Any])?["arguments"] as? Int ?? 0) > 3 * 4 * 101_770)
    }
  }
}
