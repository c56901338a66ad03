import Testing

@testable import AccelerandoCompress

@Suite struct ScheduleTests {
  @Test func constantSparsityFiresFromItsBeginningInTurns() {
    let schedule = ConstantSparsity(0.5, begin: 0)
    #expect((1..<201).filter { schedule.fires(at: $0) } == [100, 200])
    #expect(schedule.firstFiring(from: 1) == 100)
    let window = ConstantSparsity(0.5, begin: 4, end: 8, frequency: 2)
    #expect((0..<20).filter { window.fires(at: $0) } == [4, 6, 8])
    #expect(window.firstFiring(from: 9) == nil)
  }
}
