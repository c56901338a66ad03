import Testing

@testable import AccelerandoXLA

@Suite struct CompilerSettingsTests {
  @Test func wordsThatAreNoFlagsAreNamed() {
    #expect(CompilerSettings.warning(about: "") == nil)
    #expect(CompilerSettings.warning(about: " --xla_dump_to=/tmp/x  --xla_cpu_enable_fast_math ") == nil)
    let text = CompilerSettings.warning(about: "fast --xla_dump_to=/tmp/x -xla_gpu_autotune_level=0 -- xla_flags.txt")
    #expect(text?.contains("ignored 'fast', '-xla_gpu_autotune_level=0', '--', 'xla_flags.txt'") == true)
    #expect(text?.contains("begins with two dashes") == true)
  }

  @Test func flagsBesideOtherWordsAreTaken() {
    #expect(CompilerSettings.parsed("fast --xla_a=1 b --xla_c") == ["xla_a": "1", "xla_c": "true"])
  }
}
