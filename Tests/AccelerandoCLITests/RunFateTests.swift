import Foundation
import Testing

/// What becomes of a run: nothing that was learnt is lost, and what cannot work is said before anything is learnt.
@Suite struct RunFateTests {
  private let small = ["train", "mlp", "--data", "sample", "--limit", "64"]

  private func run(_ arguments: [String], in directory: URL) throws -> Command.Outcome {
    try Command.run(arguments: arguments, in: directory)
  }

  /// Starts a long training and waits until it shows a text.
  private func start(_ arguments: [String], in directory: URL, until text: String, ignoresHangup: Bool = false) throws
    -> (process: Process, errors: URL)
  {
    let (output, errors) = (directory.appendingPathComponent("out"), directory.appendingPathComponent("err"))
    let process = try Command.start(
      arguments, in: directory, ignoresHangup: ignoresHangup, output: output, errors: errors)
    try wait(process) { try String(contentsOf: output, encoding: .utf8).contains(text) }
    return (process, errors)
  }

  /// Waits for something to happen while a process runs, a minute at most.
  private func wait(_ process: Process, until happened: () throws -> Bool) throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while process.isRunning, try !happened() {
      try #require(ContinuousClock.now < deadline)
      usleep(5_000)
    }
  }

  @Test func anErrorInACallbackSavesTheModel() throws {
    try withTemporaryDirectory { directory in
      let outcome = try run(small + ["--epochs", "3", "--output", "run", "--json", "/dev/full"], in: directory)
      #expect(outcome.status == 65)
      #expect(
        outcome.errors.contains("/dev/full") && outcome.errors.contains("the model is saved in"), "\(outcome.errors)")
      #expect(try run(["evaluate", "run", "--data", "sample"], in: directory).status == 0)
      #expect(FileManager.default.fileExists(atPath: directory.path + "/run/checkpoints"))
    }
  }

  @Test(arguments: [[SIGINT, 130], [SIGTERM, 143], [SIGHUP, 143]])
  func signalsSaveTheModelAndLeaveByTheirCodes(_ pair: [Int32]) throws {
    let (signal, code) = (pair[0], pair[1])
    try withTemporaryDirectory { directory in
      let arguments = small + ["--epochs", "1000000", "--output", "run"]
      let (process, errors) = try start(arguments, in: directory, until: "Epoch 3/")
      kill(process.processIdentifier, signal)
      process.waitUntilExit()
      #expect(process.terminationReason == .exit && process.terminationStatus == code)
      let text = try String(contentsOf: errors, encoding: .utf8)
      #expect(text.contains("the model is saved in") && text.contains("train --resume"), "\(text)")
      #expect(try run(["evaluate", "run", "--data", "sample"], in: directory).status == 0)
    }
  }

  @Test func aHangupEndsNoRunThatWasToldToIgnoreIt() throws {
    try withTemporaryDirectory { directory in
      let arguments = small + ["--epochs", "1000000", "--output", "run"]
      let (process, _) = try start(arguments, in: directory, until: "Epoch 3/", ignoresHangup: true)
      let log = directory.appendingPathComponent("out")
      let epochs = { try String(contentsOf: log, encoding: .utf8).components(separatedBy: "Epoch ").count }
      kill(process.processIdentifier, SIGHUP)
      let before = try epochs()
      try wait(process) { try epochs() > before + 10 }
      #expect(process.isRunning)
      process.terminate()
      process.waitUntilExit()
      #expect(process.terminationStatus == 143)
    }
  }

  @Test func aSecondCtrlCEndsAtOnceAndSaysSo() throws {
    try withTemporaryDirectory { directory in
      // A pipe that nobody reads keeps the training from beginning, and the first Ctrl-C from being answered.
      let pipe = directory.appendingPathComponent("pipe").path
      try #require(mkfifo(pipe, 0o600) == 0)
      let recipe = """
        data: {name: fashion-mnist}
        layers: [Flatten, Dense: {units: 10, activation: softmax}]
        compile: {optimizer: sgd, loss: sparse_categorical_crossentropy}
        callbacks: [{CSVLogger: {filename: \(pipe)}}]
        """
      try Data(recipe.utf8).write(to: directory.appendingPathComponent("own.yaml"))
      let errors = directory.appendingPathComponent("err")
      let process = try Command.start(
        ["train", "own.yaml", "--data", "sample", "--output", "run"], in: directory,
        output: directory.appendingPathComponent("out"), errors: errors)
      // It sleeps in the opening of the pipe once the system says so.
      let place = URL(fileURLWithPath: "/proc/\(process.processIdentifier)/wchan")
      let isWaiting = { (try? String(contentsOf: place, encoding: .utf8))?.contains("fifo") ?? false }
      let deadline = ContinuousClock.now + .seconds(3)
      while process.isRunning, !isWaiting(), ContinuousClock.now < deadline { usleep(5_000) }
      process.interrupt()
      usleep(50_000)
      process.interrupt()
      process.waitUntilExit()
      #expect(process.terminationStatus == 130)
      let text = try String(contentsOf: errors, encoding: .utf8)
      #expect(text.contains("ended at once"), "\(text)")
      #expect(!FileManager.default.fileExists(atPath: directory.path + "/run/model"))
    }
  }

  @Test func whatIsInTheWayIsSaidBeforeTraining() throws {
    try withTemporaryDirectory { directory in
      let manager = FileManager.default
      func refused(_ name: String, _ reason: String, _ block: (URL) throws -> Void) throws {
        let place = directory.appendingPathComponent(name)
        try manager.createDirectory(at: place, withIntermediateDirectories: true)
        try block(place)
        for command in ["train", "prune"] {
          let outcome = try run([command, "mlp", "--data", "sample", "--output", name], in: directory)
          #expect(outcome.status == 65 && outcome.errors.contains(reason), "\(outcome)")
          #expect(!outcome.output.contains("Epoch 1") && !outcome.errors.contains("NSCocoa"))
        }
      }
      try refused("a", "a file is in its place") { try Data().write(to: $0.appendingPathComponent("model")) }
      try refused("b", "would be lost: notes.txt") {
        try manager.createDirectory(at: $0.appendingPathComponent("model"), withIntermediateDirectories: true)
        try Data().write(to: $0.appendingPathComponent("model/notes.txt"))
      }
      try refused("c", "a directory is in its place") {
        try manager.createDirectory(at: $0.appendingPathComponent("recipe.yaml"), withIntermediateDirectories: true)
      }
      try refused("d", "a file is in its place") { try Data().write(to: $0.appendingPathComponent("checkpoints")) }
      // A path through a directory that is not there is resolved, and the model is where the message says.
      let resolved = try run(small + ["--output", "missing/../y"], in: directory)
      #expect(resolved.status == 0 && manager.fileExists(atPath: directory.path + "/y/model"), "\(resolved)")
      #expect(!manager.fileExists(atPath: directory.path + "/missing"))
    }
  }

  @Test func twoRunsDoNotWriteOneDirectory() throws {
    try withTemporaryDirectory { directory in
      let arguments = small + ["--epochs", "1000000", "--output", "run"]
      let (process, _) = try start(arguments, in: directory, until: "Epoch 2/")
      let second = try run(small + ["--output", "run"], in: directory)
      #expect(second.status == 65)
      #expect(second.errors.contains("another run is writing"), "\(second.errors)")
      #expect(second.errors.contains("process \(process.processIdentifier) on"), "\(second.errors)")
      process.interrupt()
      process.waitUntilExit()
      #expect(try run(small + ["--output", "run"], in: directory).status == 0)
    }
  }

  @Test func aFinishedRunGoesOnWithoutCheckpointsHavingBeenAskedFor() throws {
    try withTemporaryDirectory { directory in
      func digest(_ name: String) throws -> String {
        let text = try String(contentsOf: directory.appendingPathComponent("\(name)/training.json"), encoding: .utf8)
        return try #require(text.split(separator: "\n").first { $0.contains("weights_sha256") }.map(String.init))
      }
      #expect(try run(small + ["--epochs", "4", "--output", "whole"], in: directory).status == 0)
      #expect(try run(small + ["--epochs", "2", "--output", "run"], in: directory).status == 0)
      let resumed = try run(["train", "--resume", "run", "--epochs", "4"], in: directory)
      #expect(resumed.status == 0 && resumed.output.contains("Epoch 3/4"), "\(resumed)")
      #expect(try digest("run") == digest("whole"))
      // Nothing is replaced without a word.
      let again = try run(small + ["--output", "run"], in: directory)
      #expect(again.status == 0 && again.errors.contains("has the model of an earlier run"), "\(again.errors)")
    }
  }

  @Test func aRunThatGoesOnHasTheSettingsThatItBeganWith() throws {
    try withTemporaryDirectory { directory in
      func recipe(
        _ dense: String = "{units: 8, activation: relu}", _ optimizer: String = "{name: sgd, learning_rate: 0.1}",
        _ loss: String = "sparse_categorical_crossentropy", _ rest: String = ""
      ) throws {
        let text = """
          data: {name: fashion-mnist}
          layers: [Flatten, Dense: \(dense), Dropout: {rate: 0.1}, Dense: {units: 10, activation: softmax}]
          compile: {optimizer: \(optimizer), loss: \(loss)\(rest)}
          """
        try Data(text.utf8).write(to: directory.appendingPathComponent("own.yaml"))
      }
      try recipe()
      let begun = try run(["train", "own.yaml", "--data", "sample", "--limit", "64", "--output", "run"], in: directory)
      #expect(begun.status == 0, "\(begun.errors)")
      func refused(_ expected: String, _ more: [String] = []) throws {
        let outcome = try run(["train", "--resume", "run", "--epochs", "2"] + more, in: directory)
        #expect(outcome.status == 65 && outcome.errors.contains(expected), "\(expected): \(outcome.errors)")
      }
      try refused("optimizer.learning_rate: 0.1 in the checkpoint, 0.5 now", ["--learning-rate", "0.5"])
      try refused("precision: float32 in the checkpoint, mixed_bfloat16 now", ["--precision", "mixed_bfloat16"])
      try recipe("{units: 8, activation: tanh}")
      try refused("activation: relu in the checkpoint, tanh now")
      try recipe("{units: 9, activation: relu}")
      try refused("units: 8 in the checkpoint, 9 now")
      try recipe("{units: 8, activation: relu}", "{name: sgd, learning_rate: 0.1, momentum: 0.9}")
      try refused("optimizer.momentum")
      try recipe("{units: 8, activation: relu}", "{name: sgd, learning_rate: 0.1, clipnorm: 1.0}")
      try refused("optimizer.clipnorm")
      try recipe(
        "{units: 8, activation: relu}",
        "{name: sgd, learning_rate: {name: exponential_decay, initial_learning_rate: 0.1, decay_steps: 9, decay_rate: 0.5}}"
      )
      try refused("exponential_decay")
      try recipe(
        "{units: 8, activation: relu}", "{name: sgd, learning_rate: 0.1}", "sparse_categorical_crossentropy",
        "}\ncallbacks: [{EarlyStopping: {monitor: loss, patience: 4}}]\nfit: {epochs: 1")
      try refused("callback EarlyStopping.patience: none in the checkpoint, 4 now")
      try recipe()
      #expect(try run(["train", "--resume", "run", "--epochs", "2"], in: directory).status == 0)
    }
  }

  @Test(arguments: [
    (["--learning-rate", "-1"], "received -1"), (["--seed", "-1"], "'-1'"), (["--epochs", "-3"], "received -3"),
    (["--batch-size", "-2"], "received -2"), (["--limit", "-1"], "received -1"),
    (["--validation-split", "-0.5"], "received -0.5"), (["--epochs", "9223372036854775807"], "9223372036854775807"),
    (["--keep", "5", "--output", "x"], "--checkpoint-every"),
    (["--threads", "2", "--workers", "2"], "give one of the two"), (["--threads", "257"], "from 1 to 256"),
    (["--threads", "2", "--device", "xla-cpu"], "--threads is for"),
  ]) func optionsWithoutSenseAreRefusedAsUsage(_ more: [String], _ reason: String) throws {
    try withTemporaryDirectory { directory in
      let outcome = try run(small + more, in: directory)
      #expect(outcome.status == 64 && outcome.errors.contains(reason), "\(outcome.errors)")
      #expect(!outcome.errors.contains("Missing value"))
    }
  }

  /// A kill finds the program in the middle of a save, since it does little else: the model is saved after every step.
  @Test(arguments: 0..<12) func aKillWhileAModelIsSavedLeavesAWholeModel(_ number: Int) throws {
    try withTemporaryDirectory { directory in
      let recipe = """
        data: {name: fashion-mnist}
        layers: [Flatten, Dense: {units: 10, activation: softmax}]
        compile: {optimizer: adam, loss: sparse_categorical_crossentropy}
        callbacks: [{ModelCheckpoint: {filepath: model, monitor: loss}}]
        """
      try Data(recipe.utf8).write(to: directory.appendingPathComponent("own.yaml"))
      let arguments = ["train", "own.yaml", "--data", "sample", "--limit", "32", "--output", "run"]
      #expect(try run(arguments, in: directory).status == 0)
      let (process, _) = try start(arguments + ["--epochs", "1000000"], in: directory, until: "Epoch 2/")
      usleep(UInt32(number) * 1_700)
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      let evaluated = try run(["evaluate", "run", "--data", "sample", "--limit", "32"], in: directory)
      #expect(evaluated.status == 0, "\(evaluated.errors)")
      #expect(try run(arguments, in: directory).status == 0)
      let left = try FileManager.default.contentsOfDirectory(atPath: directory.path + "/run").sorted()
      #expect(left == [".lock", "checkpoints", "model", "recipe.yaml", "training.json"])
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path + "/run/model").count == 4)
    }
  }
}
