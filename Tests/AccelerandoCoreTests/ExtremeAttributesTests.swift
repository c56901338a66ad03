// Attributes and sizes come from users. Whatever they are, a type rule answers with a type or an error and never ends the
// process; and what it accepts can be differentiated, simplified and written.

import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct ExtremeAttributesTests {
  @Test(arguments: 0..<ExtremeExamples.kinds)
  func anyAttributesGiveATypeOrAnError(_ kind: Int) {
    var examples = ExtremeExamples(seed: UInt64(kind))
    var accepted = 0
    for _ in 0..<1500 {
      guard let (operation, operands) = examples.next(kind) else {
        Issue.record("there is no example \(kind)")
        return
      }
      guard let results = try? operation.infer(operands) else { continue }
      accepted += 1
      #expect(results.allSatisfy { $0.shape.allSatisfy { $0 >= 0 } }, "\(operation) of \(operands) gives \(results)")
      // The gradient may be refused where the sizes on the way are too large, with an error.
      do {
        let program = try ExtremeExamples.program(operation, operands).simplified()
        if program.types.allSatisfy({ $0.elementCount < 1 << 40 }) { _ = try program.stableHLO() }
      } catch {
        #expect(error is GraphError)
      }
    }
    #expect(accepted > 0)
  }

  @Test func sizesOfSamePaddingNeverOverflow() {
    for size in ExtremeExamples.numbers {
      for window in ExtremeExamples.numbers where window >= 1 {
        for stride in ExtremeExamples.numbers {
          for dilation in ExtremeExamples.numbers where dilation >= 1 {
            let (low, high) = Padding.same.amounts(size: size, window: window, stride: stride, dilation: dilation)
            #expect(low >= 0 && high >= 0)
          }
        }
      }
    }
  }
}
