import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct ProgramCutTests {
  private let vector = TensorType(.float32, [4])

  @Test func roundsAreCommonThenLocalThenAMeeting() throws {
    let program = try Program.trace([("state", vector), ("x", vector)], aliases: [0: 0]) { inputs in
      let rate = (inputs[0] * 0.5).exp()
      let mean = (inputs[1] * rate).allReduced(.sum)
      let spread = (inputs[1] - mean).squared().allReduced(.sum)
      return [inputs[0] - spread * rate, mean]
    }
    let cut = try ProgramCut(program, localInputs: [1])
    #expect(cut.rounds.count == 3)
    #expect(cut.rounds.map { $0.meetings.count } == [1, 1, 0])
    #expect(cut.rounds.map { $0.local != nil } == [true, true, false])
    #expect(cut.rounds[0].common != nil && cut.rounds[2].common != nil)
    // The state is replaced in place, in the last piece, which is the only one to read it then.
    #expect(cut.rounds[2].common?.program.aliases.count == 1)
    #expect(cut.copies.isEmpty)
  }

  @Test func whatIsReadLaterIsNotReplacedInPlace() throws {
    let program = try Program.trace([("count", vector), ("x", vector)], aliases: [0: 0]) { inputs in
      // The next state is known in the first round, and the old one is read in the last.
      [inputs[0].exp(), inputs[0] * inputs[1].allReduced(.sum)]
    }
    let cut = try ProgramCut(program, localInputs: [1])
    #expect(cut.copies.map(\.input) == [0])
    #expect(cut.rounds.allSatisfy { $0.common?.program.aliases.isEmpty ?? true })
  }

  @Test func viewsOfCommonValuesAreNotCopiedBetweenPieces() throws {
    let data = TensorType(.float32, [100, 2, 2])
    let program = try Program.trace([("data", data), ("rows", TensorType(.int32, [4]))]) { inputs in
      [inputs[0].reshaped([100, 4]).taking(inputs[1]).sum().allReduced(.sum)]
    }
    let cut = try ProgramCut(program, localInputs: [1])
    #expect(cut.rounds[0].common == nil)
    #expect(cut.rounds[0].local?.reads == [0, 1])
  }

  @Test func meetingsThatAreNoSumsOverAllAreRefused() throws {
    for meeting in [AllReduce(.max), AllReduce(.sum, groups: [[0, 1]])] {
      let program = try Program.trace([vector]) { [$0[0].graph.add(meeting, $0[0])] }
      #expect(throws: GraphError.self) { try ProgramCut(program, localInputs: [0]) }
    }
  }
}
