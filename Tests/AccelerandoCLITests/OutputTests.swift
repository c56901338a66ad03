import AccelerandoCore
import AccelerandoFormats
import Foundation
import Testing

/// What becomes of a command whose output cannot be had: a training goes on, and a result that is lost is an error.
@Suite struct OutputTests {
  private static let train = "$A train mlp --data sample --limit 64 --epochs 2 --output run"

  @Test(arguments: [
    "\(train) >/dev/full", "\(train) >&-", "\(train) 2>&-", "\(train) >&- 2>&-", "\(train) <&- >&- 2>&-",
    "\(train) >/dev/full 2>/dev/full", "set -o pipefail; \(train) --epochs 40 | head -1 >/dev/null",
    "set -o pipefail; trap '' PIPE; \(train) --epochs 40 | head -1 >/dev/null",
    "set -o pipefail; \(train) | (sleep 1; cat >/dev/null)",
    "set -o pipefail; \(train) --epochs 40 2>&1 | true",
  ])
  func aTrainingOutlivesItsDisplay(_ line: String) throws {
    try withTemporaryDirectory { directory in
      let outcome = try Command.shell(line, in: directory)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let evaluated = try Command.run("evaluate", "run", "--data", "sample", in: directory)
      #expect(evaluated.status == 0, "\(evaluated.errors)")
    }
  }

  #if os(Linux)
    @Test func aTrainingOutlivesAPipeThatDoesNotBlock() throws {
      try withTemporaryDirectory { directory in
        // The reader is slower than the training, and the pipe refuses instead of waiting.
        let script = """
          import os, subprocess, sys, time
          r, w = os.pipe(); os.set_blocking(w, False)
          p = subprocess.Popen([os.environ['A']] + sys.argv[1:], stdout=w); os.close(w)
          text = b''
          while part := os.read(r, 1 << 16): text += part; time.sleep(0.01)
          sys.exit(p.wait() or text.count(b'Epoch') != 20)
          """
        try Data(script.utf8).write(to: directory.appendingPathComponent("slow.py"))
        let outcome = try Command.shell(
          "command -v python3 >/dev/null || exit 0; python3 slow.py train mlp --data sample --limit 64 --epochs 20",
          in: directory)
        #expect(outcome.status == 0, "\(outcome.errors)")
      }
    }

    @Test func aLogOfEpochsThatIsLostIsAnErrorAtTheEndOfTheTraining() throws {
      try withTemporaryDirectory { directory in
        for place in [">/dev/full", ">&-", "| true"] {
          let outcome = try Command.shell("set -o pipefail; \(Self.train) --epochs 20 --json - \(place)", in: directory)
          #expect(outcome.status == 65 && outcome.errors.contains("standard output"), "\(place): \(outcome.errors)")
          #expect(try Command.run("evaluate", "run", "--data", "sample", in: directory).status == 0)
          try FileManager.default.removeItem(at: directory.appendingPathComponent("run"))
        }
      }
    }

    @Test func aResultThatIsLostIsAnError() throws {
      try withTemporaryDirectory { directory in
        #expect(try Command.shell(Self.train, in: directory).status == 0)
        try NPY.write(
          NDArray(zeros: TensorType(.uint8, [3, 28, 28, 1])), to: directory.appendingPathComponent("x.npy"))
        for command in [
          "predict run x.npy", "predict run x.npy --output -", "evaluate run --data sample", "summary run",
          "summary mlp",
          "recipes", "recipes mlp", "explain mlp --data sample --limit 64 --runs 0", "devices", "plugin list --json",
          "export mlp --stablehlo -", "--help", "train --help", "--version", "--generate-completion-script bash",
        ] {
          for place in [">/dev/full", ">&-", "| true"] {
            let outcome = try Command.shell("set -o pipefail; $A \(command) \(place)", in: directory)
            // A short result fits into the pipe before its reader is gone.
            guard place != "| true" || outcome.status != 0 else { continue }
            #expect(outcome.status == 65, "\(command) \(place): \(outcome.errors)")
            #expect(outcome.errors.contains("standard output: cannot write the output"), "\(command) \(place)")
          }
        }
      }
    }
  #endif

  @Test func codesDoNotDependOnStandardError() throws {
    try withTemporaryDirectory { directory in
      for (line, status) in [
        ("$A train nope 2>&-", 64), ("$A train mlp --epochs 0 2>&-", 64), ("$A evaluate nothing 2>&-", 65),
        ("$A trian 2>&- >&-", 64), ("$A train nope 2>/dev/full", 64),
        ("$A train nope 2>&1 | true; exit ${PIPESTATUS[0]}", 64),
      ] {
        let outcome = try Command.shell(line, in: directory)
        #expect(outcome.status == Int32(status), "\(line)")
      }
    }
  }

  @Test func aFileThatIsOpenedIsNoClosedStream() throws {
    try withTemporaryDirectory { directory in
      let outcome = try Command.shell(
        "$A train mlp --data sample --limit 64 --json log.jsonl <&- >&- 2>&-", in: directory)
      #expect(outcome.status == 0)
      let text = try String(contentsOf: directory.appendingPathComponent("log.jsonl"), encoding: .utf8)
      let lines = text.split(separator: "\n")
      #expect(lines.count == 10 && lines.allSatisfy { $0.hasPrefix("{\"epoch\": ") }, "\(text)")
    }
  }

  @Test func aDashIsStandardOutput() throws {
    try withTemporaryDirectory { directory in
      #expect(try Command.shell(Self.train, in: directory).status == 0)
      try NPY.write(
        NDArray(zeros: TensorType(.uint8, [3, 28, 28, 1])), to: directory.appendingPathComponent("x.npy"))
      let piped = try Command.shell("$A predict run x.npy --output - >piped.npy", in: directory)
      #expect(piped.status == 0 && piped.errors.isEmpty, "\(piped.errors)")
      #expect(try Command.run("predict", "run", "x.npy", "--output", "file.npy", in: directory).status == 0)
      #expect(
        try Data(contentsOf: directory.appendingPathComponent("piped.npy"))
          == Data(contentsOf: directory.appendingPathComponent("file.npy")))
      let module = try Command.run("export", "mlp", "--stablehlo", "-", in: directory)
      #expect(module.output.hasPrefix("module"), "\(module.output.prefix(100)) \(module.errors)")
      let trace = try Command.run(
        "explain", "mlp", "--data", "sample", "--limit", "64", "--runs", "1", "--trace", "-", in: directory)
      #expect(try JSONSerialization.jsonObject(with: Data(trace.output.utf8)) is [String: Any], "\(trace.errors)")
      #expect(!FileManager.default.fileExists(atPath: directory.appendingPathComponent("-").path))
    }
  }
}
