// The set of microkernels to use: chosen once by what the processor supports, or explicitly in tests.

import CKernels

/// A family of processor instructions that the microkernels are compiled for.
public struct InstructionSet: Sendable, Hashable, CustomStringConvertible {
  let isa: AccISA

  /// Runs everywhere: SSE2 on x86-64, NEON on arm64.
  public static let baseline = InstructionSet(isa: accISABaseline)
  /// AVX2 with FMA.
  public static let avx2 = InstructionSet(isa: accISAAVX2)
  /// AVX-512.
  public static let avx512 = InstructionSet(isa: accISAAVX512)

  /// The fastest set that this processor supports.
  public static var best: InstructionSet { InstructionSet(isa: acc_best_isa()) }

  /// All sets that this processor supports.
  public static var available: [InstructionSet] {
    [baseline, avx2, avx512].filter { acc_isa_available($0.isa) }
  }

  /// The microkernels.
  var kernels: AccKernels {
    // Every build has the baseline table.
    (acc_kernels(isa) ?? acc_kernels(accISABaseline))?.pointee ?? AccKernels()
  }

  public var description: String {
    switch isa {
    case accISAAVX512: "avx512"
    case accISAAVX2: "avx2"
    default: "baseline"
    }
  }

  public static func == (a: InstructionSet, b: InstructionSet) -> Bool { a.isa == b.isa }
  public func hash(into hasher: inout Hasher) { hasher.combine(isa.rawValue) }
}
