// What a run says on the way, and teams that are lent.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoTestSupport
import Synchronization
import Testing

@Suite struct StageTests {
  @Test(arguments: [false, true])
  func outputsAreCompleteAfterTheirStage(updatesInputs: Bool) throws {
    var isEarly = false
    for seed in 3000..<3100 as Range<UInt64> {
      let example = try ProgramExample(seed: seed, differentiates: true, updatesInputs: updatesInputs)
      let backend = CPUBackend(sharing: .never)
      let executable = try backend.compile(example.program)
      let execution = try executable.bind(example.inputs.map { try backend.upload($0) })
      var seen = [NDArray?](repeating: nil, count: execution.outputs.count)
      var last = -1
      try execution.run { stage in
        #expect(stage > last)
        last = stage
        for (output, its) in executable.outputStages.enumerated() where its <= stage && seen[output] == nil {
          seen[output] = try? execution.outputs[output].read()
        }
      }
      isEarly = isEarly || executable.outputStages.contains { $0 < last }
      #expect(try seen == execution.outputs.map { try $0.read() }, "seed \(seed)")
    }
    #expect(isEarly)
  }

  @Test func aTeamDoesEachPieceOnceAlsoWhileItIsBusy() {
    let team = CPUBackend(threads: 3).team
    let inner = Count(20, nil)
    let outer = Count(50) { team.run(inner, tasks: 20) }
    team.run(outer, tasks: 50)
    #expect(outer.counts.withLock { $0 } == [Int](repeating: 1, count: 50))
    #expect(inner.counts.withLock { $0 } == [Int](repeating: 50, count: 20))
    let many = Count(70_000, nil)
    team.run(many, tasks: 70_000)
    #expect(many.counts.withLock { $0.allSatisfy { $0 == 1 } })
  }
}

private final class Count: TeamWork, Sendable {
  let counts: Mutex<[Int]>
  let then: (@Sendable () -> Void)?

  init(_ tasks: Int, _ then: (@Sendable () -> Void)?) {
    counts = Mutex([Int](repeating: 0, count: tasks))
    self.then = then
  }

  func run(_ task: Int, on member: Int) {
    counts.withLock { $0[task] += 1 }
    then?()
  }
}
