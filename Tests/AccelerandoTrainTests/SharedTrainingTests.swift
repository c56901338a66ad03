// Batches that are shared by threads and processes: the same bits whoever computes which part, and the numbers of one worker
// that takes the whole batch.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import AccelerandoTestSupport
import Foundation
import Synchronization
import Testing

@testable import AccelerandoTrain

/// Processes that are threads of the test.
private final class Room: Sendable {
  /// What was brought to an exchange by how many.
  private struct Table {
    var bytes: [UInt8] = []
    var arrived = 0
  }

  let size: Int
  private let tables = Mutex<[Int: Table]>([:])
  private let begun: Mutex<[Int]>

  init(_ size: Int) {
    self.size = size
    begun = Mutex([Int](repeating: 0, count: size))
  }

  /// A process did not come to an exchange.
  struct NobodyCame: Error {}

  /// Brings a process' own part; its exchanges meet those of the others by their number.
  func bring(_ bytes: UnsafeMutableRawBufferPointer, own: Range<Int>, rank: Int) -> Int {
    let number = begun.withLock { begun in
      begun[rank] += 1
      return begun[rank] - 1
    }
    tables.withLock { tables in
      var table = tables[number] ?? Table(bytes: [UInt8](repeating: 0, count: bytes.count))
      table.bytes.replaceSubrange(own, with: bytes[own])
      table.arrived += 1
      tables[number] = table
    }
    return number
  }

  func collect(_ number: Int, into bytes: UnsafeMutableRawBufferPointer) throws {
    let deadline = Date(timeIntervalSinceNow: 200)
    while tables.withLock({ ($0[number]?.arrived ?? 0) < size }) {
      if Date() > deadline { throw NobodyCame() }
      usleep(20)
    }
    tables.withLock { bytes.copyBytes(from: $0[number]?.bytes ?? []) }
  }
}

private struct Member: WorkerGroup {
  let room: Room
  let rank: Int
  var events: Events?
  var size: Int { room.size }

  func makeExchange(_ bytes: UnsafeMutableRawBufferPointer, parts: [Range<Int>]) -> any WorkerExchange {
    Exchange(member: self, bytes: bytes, own: parts[rank])
  }

  private final class Exchange: WorkerExchange {
    let member: Member
    let bytes: UnsafeMutableRawBufferPointer
    let own: Range<Int>
    var number: Int?

    init(member: Member, bytes: UnsafeMutableRawBufferPointer, own: Range<Int>) {
      (self.member, self.bytes, self.own) = (member, bytes, own)
    }

    func start() {
      member.events?.add("sent")
      number = member.room.bring(bytes, own: own, rank: member.rank)
    }

    func advance() {}

    func finish() throws {
      if let number { try member.room.collect(number, into: bytes) }
      number = nil
    }
  }
}

/// What happened, in order.
private final class Events: Sendable {
  private let events = Mutex<[String]>([])
  var all: [String] { events.withLock { $0 } }
  func add(_ event: String) { events.withLock { $0.append(event) } }
}

/// An engine that says when it has come to the end of a part.
private struct Watched: Backend {
  let backend = CPUBackend(sharing: .never)
  let events: Events
  var name: String { backend.name }
  func makeBuffer(_ type: TensorType) throws -> any Buffer { try backend.makeBuffer(type) }
  func compile(_ program: Program) throws -> any Executable {
    WatchedExecutable(executable: try backend.compile(program), events: events)
  }
}

private struct WatchedExecutable: Executable {
  let executable: any Executable
  let events: Events
  var program: Program { executable.program }
  var outputStages: [Int] { executable.outputStages }
  func bind(_ inputs: [any Buffer]) throws -> any Execution {
    WatchedExecution(try executable.bind(inputs), events)
  }
}

private final class WatchedExecution: Execution {
  let execution: any Execution
  let events: Events
  init(_ execution: any Execution, _ events: Events) { (self.execution, self.events) = (execution, events) }
  var outputs: [any Buffer] { execution.outputs }
  func run() throws { try execution.run() }
  func run(afterStage: (Int) -> Void) throws {
    try execution.run(afterStage: afterStage)
    events.add("computed")
  }
}

private func shared(
  _ threads: Int, _ group: any WorkerGroup = SoleWorker(), local: any Backend = CPUBackend(sharing: .never),
  bucketBytes: Int = 1 << 20
) -> SharedBackend {
  let engine = CPUBackend(threads: threads, sharing: .always)
  return SharedBackend(common: engine, local: local, team: engine.team, group: group, bucketBytes: bucketBytes)
}

/// Batch normalization, dropout, sample weights, gradients that are clipped together.
private func model(_ backend: any Backend, synchronized: Bool = true) throws -> Model {
  let layers = Sequential {
    Conv2D(4, kernelSize: (3, 3), activation: .relu)
    BatchNormalization(isSynchronized: synchronized)
    MaxPooling2D()
    Flatten()
    Dropout(0.3)
    Dense(3, activation: .softmax)
  }
  let model = Model(layers, inputShape: [8, 8, 2], backend: backend, seed: 7)
  try model.compile(
    optimizer: .adam(0.01, clipping: .globalNorm(1)), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy],
    weightedMetrics: [.loss(SparseCategoricalCrossentropy(), name: "weighted")])
  return model
}

private func samples(_ count: Int) throws -> Dataset {
  let key = RandomKey(seed: 4)
  return try Dataset(
    features: [
      NDArray(key.folded("images").bits(count * 128).map { UInt8(truncatingIfNeeded: $0) }, shape: [count, 8, 8, 2])
    ],
    labels: NDArray(key.folded("labels").bits(count).map { Int32($0 % 3) }),
    sampleWeights: NDArray(key.uniform(count, from: 0.5, to: 2)))
}

private struct Outcome: Equatable, Sendable {
  let weights: Store
  let logs: [Logs]
  let prediction: NDArray

  init(_ backend: any Backend, synchronized: Bool = true, samples count: Int, batchSize: Int) throws {
    let model = try model(backend, synchronized: synchronized)
    let data = try samples(count)
    let history = try model.fit(data, epochs: 2, batchSize: batchSize, validation: data, verbose: .silent)
    weights = try model.weights()
    logs = history.epochs.map(\.logs)
    prediction = try model.predict(data, batchSize: batchSize)
  }
}

@Suite struct SharedTrainingTests {
  /// A part of one sample has no variance, and of two hardly one: such parts are normalized by the whole batch.
  @Test(arguments: [4, 6, 8, 16])
  func batchNormalizationOfSmallPartsIsThatOfTheWholeBatch(_ batchSize: Int) throws {
    let numbers = RandomKey(seed: 4).uniform(64 * 4, from: -1, to: 1)
    let x = try NDArray(numbers, shape: [64, 4])
    let y = NDArray((0..<64).map { Int32(numbers[$0 * 4] + numbers[$0 * 4 + 1] > 0 ? 1 : 0) })
    func train(_ backend: any Backend) throws -> (Store, Logs) {
      let layers = Sequential {
        Dense(16)
        BatchNormalization(momentum: 0.9)
        ActivationLayer(.relu)
        Dense(2, activation: .softmax)
      }
      let model = Model(layers, inputShape: [4], backend: backend, seed: 7)
      try model.compile(optimizer: .sgd(0.1), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy])
      try model.fit(x, y, epochs: 3, batchSize: batchSize, verbose: .silent)
      return (try model.weights(), try model.evaluate(x, y))
    }
    let (alone, shared) = (try train(CPUBackend(threads: 1)), try train(shared(2)))
    for (name, value) in alone.0.entries {
      let other = try #require(shared.0[name]).elements(as: Float.self)
      #expect(zip(value.elements(as: Float.self), other).allSatisfy { abs($0 - $1) < 1e-3 }, "\(name)")
    }
    #expect(alone.1["accuracy"] == shared.1["accuracy"])
  }

  /// 75 samples: the last batch is uneven, as are its parts.
  @Test(arguments: [(75, 32), (75, 64), (13, 5), (7, 3)])
  func anyNumberOfThreadsComesToTheSameBits(_ count: Int, _ batchSize: Int) throws {
    for synchronized in [true, false] {
      let outcomes = try (1...4).map {
        try Outcome(shared($0), synchronized: synchronized, samples: count, batchSize: batchSize)
      }
      #expect(outcomes.allSatisfy { $0 == outcomes[0] })
    }
  }

  /// Of 66 samples the last batch has 2, and some processes have no part of it.
  @Test(arguments: [75, 66])
  func anyNumberOfProcessesComesToTheSameBits(_ count: Int) throws {
    let alone = try Outcome(shared(1), samples: count, batchSize: 32)
    for size in 2...4 {
      let room = Room(size)
      let outcomes = Mutex<[Outcome]>([])
      let errors = Mutex<[String]>([])
      let threads = (0..<size).map { rank in
        Thread {
          do {
            let outcome = try Outcome(shared(1, Member(room: room, rank: rank)), samples: count, batchSize: 32)
            outcomes.withLock { $0.append(outcome) }
          } catch {
            errors.withLock { $0.append("\(error)") }
          }
        }
      }
      for thread in threads {
        thread.stackSize = 8 << 20
        thread.start()
      }
      try #require(haveFinished(threads))
      #expect(errors.withLock { $0 } == [])
      #expect(outcomes.withLock { $0.count == size && $0.allSatisfy { $0 == alone } })
    }
  }

  @Test(arguments: [(75, 32), (13, 5)])
  func theResultIsThatOfOneWorkerWithTheWholeBatch(_ count: Int, _ batchSize: Int) throws {
    let parts = try Outcome(shared(2), samples: count, batchSize: batchSize)
    let whole = try Outcome(testBackend, samples: count, batchSize: batchSize)
    for (a, b) in zip(parts.weights.entries, whole.weights.entries) {
      let differences = zip(a.1.elements(as: Double.self), b.1.elements(as: Double.self)).map { abs($0 - $1) }
      #expect((differences.max() ?? 0) < 2e-4, "\(a.0)")
    }
    for (a, b) in zip(parts.logs, whole.logs) {
      #expect(a.keys == b.keys && a.allSatisfy { abs($0.value - (b[$0.key] ?? .nan)) < 1e-4 }, "\(a) \(b)")
    }
  }

  @Test func partsFollowFromTheBatchAlone() {
    #expect(
      [1, 2, 3, 4, 31, 32, 63, 64, 127, 128, 4096].map(SharedBackend.parts) == [1, 2, 2, 4, 4, 4, 4, 8, 8, 16, 16])
  }

  @Test func workersWithOtherSettingsAreNamed() throws {
    let room = Room(2)
    let messages = Mutex<[String]>([])
    let threads = (0..<2).map { rank in
      Thread {
        let text = message {
          let model = try model(shared(1, Member(room: room, rank: rank)))
          try model.fit(try samples(rank == 0 ? 64 : 60), batchSize: 32, verbose: .silent)
        }
        messages.withLock { $0.append(text) }
      }
    }
    for thread in threads { thread.start() }
    try #require(haveFinished(threads))
    for text in messages.withLock({ $0 }) {
      #expect(text.contains("samples: 64 for worker 0, 60 for worker 1"), "\(text)")
    }
  }

  @Test func moreWorkersThanPartsAreRefused() throws {
    let model = try model(shared(1, Member(room: Room(5), rank: 0)))
    #expect(message { try model.fit(try samples(32), verbose: .silent) }.contains("5 workers are more than"))
  }

  @Test(arguments: [(1, 1), (2, 1), (1, 4096), (2, 1 << 30)])
  func bucketsAreSentWhileTheRestIsComputedAndChangeNoBit(_ threads: Int, _ bucketBytes: Int) throws {
    @Sendable func trained(_ backend: any Backend) throws -> Store {
      let layers = Sequential {
        Dense(40, activation: .relu)
        Dense(30, activation: .relu)
        Dense(20, activation: .relu)
        Dense(3, activation: .softmax)
      }
      let model = Model(layers, inputShape: [128], backend: backend, seed: 5)
      try model.compile(optimizer: .adam(0.01), loss: .sparseCategoricalCrossentropy, metrics: [.accuracy])
      let key = RandomKey(seed: 4)
      try model.fit(
        NDArray(key.folded("x").uniform(64 * 128, from: -1, to: 1), shape: [64, 128]),
        NDArray((0..<64).map { Int32($0 % 3) }), epochs: 2, batchSize: 32, verbose: .silent)
      return try model.weights()
    }
    let alone = try trained(shared(1))
    let room = Room(2)
    let events = Events()
    let results = Mutex<[Store]>([])
    let workers = (0..<2).map { rank in
      Thread {
        let log = rank == 0 ? events : Events()
        let backend = shared(
          threads, Member(room: room, rank: rank, events: log), local: Watched(events: log), bucketBytes: bucketBytes)
        if let weights = try? trained(backend) { results.withLock { $0.append(weights) } }
      }
    }
    for worker in workers {
      worker.stackSize = 8 << 20
      worker.start()
    }
    try #require(haveFinished(workers))
    #expect(results.withLock { $0 } == [alone, alone])
    // Two epochs of two steps, each with two parts of this process; before them the settings are compared.
    #expect(events.all.filter { $0 == "computed" }.count == 8)
    let before = zip(events.all, events.all.dropFirst()).filter { $0 == "sent" && $1 == "computed" }.count
    if bucketBytes <= 4096 { #expect(before >= 4) }
  }
}
