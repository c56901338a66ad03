// The elementary functions keep the errors that CKernels.h states, on every instruction set: against Double, over samples
// of all bit patterns of float32 and over a dense sweep of where each function bends.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoTestSupport
import Foundation
import Testing

@Suite struct ElementaryFunctionTests {
  /// A function, the error that is stated for it and where it is neither a constant nor a straight line.
  struct Function: Sendable, CustomTestStringConvertible {
    let name: String
    let bound: Double
    let bend: ClosedRange<Float>
    let apply: @Sendable (Tensor) -> Tensor
    let exact: @Sendable (Double) -> Double

    var testDescription: String { name }

    static let all: [Function] = [
      Function(name: "exp", bound: 1.0, bend: -104...89, apply: { $0.exp() }, exact: { Foundation.exp($0) }),
      Function(name: "expm1", bound: 1.5, bend: -18...89, apply: { $0.expm1() }, exact: { Foundation.expm1($0) }),
      Function(name: "log", bound: 0.9, bend: 0.25...4, apply: { $0.log() }, exact: { Foundation.log($0) }),
      Function(name: "log1p", bound: 0.9, bend: -0.999...3, apply: { $0.log1p() }, exact: { Foundation.log1p($0) }),
      Function(name: "tanh", bound: 1.4, bend: -10...10, apply: { $0.tanh() }, exact: { Foundation.tanh($0) }),
      Function(
        name: "logistic", bound: 2.3, bend: -90...20, apply: { $0.sigmoid() },
        exact: { 1 / (1 + Foundation.exp(-$0)) }),
      Function(name: "erf", bound: 1.1, bend: -4.5...4.5, apply: { $0.erf() }, exact: { Foundation.erf($0) }),
    ]
  }

  @Test(arguments: Function.all)
  func errorsStayWithinTheStatedUnitsInTheLastPlace(_ function: Function) throws {
    // A prime step visits every binade of both signs with ever other mantissas.
    let patterns = stride(from: UInt32(0), to: .max - 30_011, by: 30_011).map { Float(bitPattern: $0) }
    let (low, high) = (function.bend.lowerBound, function.bend.upperBound)
    let count = 100_000
    let sweep = (0...count).map { low + (high - low) * (Float($0) / Float(count)) }
    // Engines may take denormal numbers for zero, on the way to a result as well.
    let points = (patterns + sweep).filter { $0.magnitude > 0x1p-120 || $0.isNaN } + [0, -0, .infinity, -.infinity]
    let expected = points.map { function.exact(Double($0)) }
    let program = try Program.trace([TensorType(.float32, [points.count])]) { [function.apply($0[0])] }
    for instructionSet in InstructionSet.available {
      let backend = CPUBackend(threads: 1, instructionSet: instructionSet)
      let results = try backend.evaluate(program, [NDArray(points)])[0].elements(as: Float.self)
      var worst = (error: 0.0, index: 0)
      for (index, exact) in expected.enumerated() {
        let error = Self.distance(results[index], from: exact)
        if error > worst.error { worst = (error, index) }
      }
      #expect(
        worst.error <= function.bound,
        "\(instructionSet): \(results[worst.index]) for \(function.name)(\(points[worst.index]))")
    }
  }

  /// How far a number lies from the exact one, in units of the last place that float32 has there.
  private static func distance(_ received: Float, from exact: Double) -> Double {
    if exact.isNaN { return received.isNaN ? 0 : .infinity }
    // The largest numbers may round to infinity, the smallest to zero.
    if !received.isFinite { return received == Float(exact) ? 0 : .infinity }
    if exact.magnitude < Double(Float.leastNormalMagnitude) {
      return received.magnitude <= Float.leastNormalMagnitude ? 0 : .infinity
    }
    let unit = Double(sign: .plus, exponent: exact.exponent - 23, significand: 1)
    return (Double(received) - exact).magnitude / unit
  }
}
