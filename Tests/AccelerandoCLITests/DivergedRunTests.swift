// What the command makes of a run that diverges, and of sizes at the limit of what a number holds.

import Foundation
import Testing

@Suite struct DivergedRunTests {
  @Test func aRunThatDivergesEndsWithTheCodeOfBadDataAndSaysWhere() throws {
    try withTemporaryDirectory { directory in
      let outcome = try Command.run(
        "train", "mlp", "--data", "sample", "--epochs", "3", "--learning-rate", "1e38", "--json", "log.jsonl",
        in: directory)
      #expect(outcome.status == 65)
      #expect(outcome.errors.contains("training diverged: the loss of step"), "\(outcome.errors)")
      #expect(outcome.errors.contains("of epoch 1 is"), "\(outcome.errors)")
      #expect(!outcome.output.contains("-nan") && !outcome.errors.contains("-nan"))
    }
  }

  @Test func absurdBatchSizesAndStepsDoNotTrap() throws {
    try withTemporaryDirectory { directory in
      let large = String(Int.max)
      let outcome = try Command.run(
        "train", "mlp", "--data", "sample", "--limit", "64", "--epochs", "1", "--batch-size", large, "--output", "run",
        in: directory)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.output.contains("1/1"))
      let evaluated = try Command.run(
        "evaluate", "run", "--data", "sample", "--limit", "64", "--batch-size", large, in: directory)
      #expect(evaluated.status == 0, "\(evaluated.errors)")
      for command in [["plan", "mlp", "--target", "cpu"], ["explain", "mlp", "--data", "sample"], ["export", "mlp"]] {
        let other = try Command.run(arguments: command + ["--batch-size", large], in: directory)
        #expect([0, 64, 65, 69].contains(other.status), "\(command): \(other.status), \(other.errors)")
      }
    }
  }
}
