// When the team runs a program and when the caller works alone, on a clock that the tests wind by hand.

import Testing

@testable import AccelerandoCPU

@Suite struct TeamworkTests {
  /// Runs until `total` nanoseconds have passed, and says what part of the runs the team did.
  private func share(
    _ teamwork: inout Teamwork, alone: Double, team: Double, total: Double = 2e9
  ) -> Double {
    var (runs, teamRuns, time) = (0, 0, 0.0)
    while time < total {
      let isTeam = teamwork.wantsTeam
      let took = isTeam ? team : alone
      teamwork.ran(teamwork.wantsTime ? took : 0)
      (runs, teamRuns, time) = (runs + 1, teamRuns + (isTeam ? 1 : 0), time + took)
    }
    return Double(teamRuns) / Double(runs)
  }

  @Test(arguments: [3e3, 50e3, 1e6, 12e6]) func aQuickTeamDoesNearlyAllRuns(alone: Double) {
    var teamwork = Teamwork(isShared: true)
    #expect(share(&teamwork, alone: alone, team: alone / 1.7) > 0.95)
  }

  @Test(arguments: [3e3, 50e3, 1e6]) func aTeamThatIsHeldUpRestsNearlyAllTheTime(alone: Double) {
    var teamwork = Teamwork(isShared: true)
    let time = 2e9
    let part = share(&teamwork, alone: alone, team: 3 * alone, total: time)
    // The time that trying again costs.
    #expect(part * 3 / (part * 3 + 1 - part) < 0.15, "\(part) of the runs")
  }

  @Test func aTeamComesBackWhenTheMachineIsQuietAgain() {
    var teamwork = Teamwork(isShared: true)
    _ = share(&teamwork, alone: 90e3, team: 250e3)
    #expect(share(&teamwork, alone: 90e3, team: 52e3) > 0.9)
  }

  @Test func aMachineThatGetsSlowerKeepsItsTeam() {
    var teamwork = Teamwork(isShared: true)
    _ = share(&teamwork, alone: 90e3, team: 52e3)
    #expect(share(&teamwork, alone: 300e3, team: 180e3) > 0.9)
  }

  @Test func longProgramsAreAlwaysTheTeams() {
    var teamwork = Teamwork(isShared: true)
    #expect(share(&teamwork, alone: 60e6, team: 35e6, total: 10e9) > 0.95)
  }

  @Test func aProgramWithNothingToShareIsNeverTheTeams() {
    var teamwork = Teamwork(isShared: false)
    #expect(share(&teamwork, alone: 1e3, team: 1e3, total: 1e7) == 0)
  }
}
