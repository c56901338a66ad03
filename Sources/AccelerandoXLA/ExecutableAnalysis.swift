// What the compiler reports about a compiled program: arithmetic, memory, the optimized module. Plugins report
// different parts of it.

import CPJRT

extension XLAExecutable {
  /// The memory that a compiled program takes, in bytes.
  public struct Memory: Hashable, Sendable {
    /// Its code.
    public let code: Int
    /// Its inputs.
    public let arguments: Int
    /// Its outputs.
    public let outputs: Int
    /// Outputs that reuse the memory of inputs; counted in both.
    public let aliased: Int
    /// Intermediate values.
    public let temporary: Int

    /// The sum while it runs.
    public var total: Int { code + arguments + outputs - aliased + temporary }
  }

  private func inspect<Result>(_ body: (ExecutableView) throws(DeviceError) -> Result) throws(DeviceError) -> Result {
    let executable = try loaded.executable()
    let plugin = loaded.client.plugin
    defer { plugin.destroy(.destroyExecutable, executable) }
    return try body(ExecutableView(plugin: plugin, executable: executable))
  }

  /// The memory that the program takes.
  /// - Throws: `DeviceError` if the plugin does not report it.
  public func memory() throws -> Memory { try inspect { view throws(DeviceError) in try view.memory() } }

  /// The compiler's estimates: `flops`, `bytes accessed`, `optimal_seconds`.
  /// - Throws: `DeviceError` if the plugin does not report them.
  public func costs() throws -> [String: Double] { try inspect { view throws(DeviceError) in try view.costs() } }

  /// The optimized program, in the plugin's own format.
  /// - Returns: the name of the format and the bytes: `hlo_with_config`, a protocol buffer of the optimized module.
  /// - Throws: `DeviceError` if the plugin does not return it.
  public func optimizedProgram() throws -> (format: String, bytes: [UInt8]) {
    try inspect { view throws(DeviceError) in try view.optimizedProgram() }
  }
}

/// A compiled program to inspect, whether it is loaded on a device or not.
struct ExecutableView {
  let plugin: Plugin
  let executable: Handle

  func memory() throws(DeviceError) -> XLAExecutable.Memory {
    let executable = executable.pointer
    let stats = try plugin.call(.compiledMemory, "ask for the memory of a program") { $0.executable = executable }
    return XLAExecutable.Memory(
      code: Int(stats.code_bytes), arguments: Int(stats.argument_bytes), outputs: Int(stats.output_bytes),
      aliased: Int(stats.alias_bytes), temporary: Int(stats.temporary_bytes))
  }

  func costs() throws(DeviceError) -> [String: Double] {
    let executable = executable.pointer
    let result = try plugin.call(.costAnalysis, "ask for the costs of a program") { $0.object = executable }
    return attributeValues(result.values, result.count).compactMapValues { value in
      switch value {
      case .number(let number): Double(number)
      case .integer(let integer): Double(integer)
      default: nil
      }
    }
  }

  func optimizedProgram() throws(DeviceError) -> (format: String, bytes: [UInt8]) {
    let executable = executable.pointer
    let action = "ask for the compiled program"
    var program = PjrtProgram()
    program.head.size = MemoryLayout<PjrtProgram>.size
    // The first call returns the length, the second fills the buffer.
    try withUnsafeMutablePointer(to: &program) { program throws(DeviceError) in
      _ = try plugin.call(.optimizedProgram, action) {
        $0.executable = executable
        $0.program = program
      }
    }
    let memory = UnsafeMutableBufferPointer<CChar>.allocate(capacity: max(program.code_length, 1))
    defer { memory.deallocate() }
    memory.initialize(repeating: 0)
    program.code = memory.baseAddress
    try withUnsafeMutablePointer(to: &program) { program throws(DeviceError) in
      _ = try plugin.call(.optimizedProgram, action) {
        $0.executable = executable
        $0.program = program
      }
    }
    let format = Plugin.text(program.format, program.format_length)
    return (format, memory.prefix(program.code_length).map { UInt8(bitPattern: $0) })
  }
}
