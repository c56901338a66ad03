// What a type rule accepts can be planned, or is refused with an error: sizes and steps at the ends of the integers end no
// process while the engine works out strides, costs and tasks.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct ExtremePlanTests {
  @Test(arguments: 0..<ExtremeExamples.kinds)
  func anyProgramIsPlannedOrRefused(_ kind: Int) {
    var examples = ExtremeExamples(seed: 77 + UInt64(kind))
    let backend = CPUBackend(threads: 2)
    for _ in 0..<400 {
      guard let (operation, operands) = examples.next(kind), (try? operation.infer(operands)) != nil,
        let program = try? ExtremeExamples.program(operation, operands)
      else { continue }
      do {
        _ = try backend.compile(program)
        _ = try backend.explain(program)
      } catch {
        #expect(error is GraphError, "\(operation) of \(operands)")
      }
    }
  }
}
