// A compiled program, on the device that it was compiled for.

import AccelerandoCore
import CPJRT

/// The plugin's compiled program; destroyed with its last user.
final class LoadedProgram: Sendable {
  let client: Client
  let handle: Handle

  init(_ pointer: UnsafeMutableRawPointer?, _ client: Client, from method: String) throws(DeviceError) {
    self.client = client
    handle = try Handle(pointer, from: method)
  }

  deinit { client.plugin.destroy(.destroyLoaded, handle) }

  /// Compiles StableHLO text.
  convenience init(text: String, options: CompileOptions, on client: Client) throws {
    let compiled = try withPjrtProgram(text, options) { program, options throws(DeviceError) in
      try client.plugin.call(.compile, "compile the program for \(client.platform)") {
        $0.client = client.handle.pointer
        $0.program = program
        $0.options = options.baseAddress?.assumingMemoryBound(to: CChar.self)
        $0.options_length = options.count
      }
    }
    try self.init(compiled.executable, client, from: "Client_Compile")
  }

  /// Loads the result of `serialized`.
  convenience init(serialized bytes: UnsafeRawBufferPointer, on client: Client) throws(DeviceError) {
    let loaded = try client.plugin.call(.deserialize, "load a compiled program") {
      $0.client = client.handle.pointer
      $0.bytes = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
      $0.length = bytes.count
    }
    try self.init(loaded.executable, client, from: "Executable_DeserializeAndLoad")
  }

  /// The compiled program as bytes, for the same plugin on the same kind of device.
  /// - Throws: if the plugin cannot serialize it.
  func serialized() throws(DeviceError) -> [UInt8] {
    let executable = try executable()
    defer { client.plugin.destroy(.destroyExecutable, executable) }
    let result = try client.plugin.call(.serialize, "store a compiled program") {
      $0.executable = UnsafeRawPointer(executable.pointer)
    }
    defer { result.free_handle?(result.handle) }
    return [UInt8](UnsafeRawBufferPointer(start: result.bytes, count: result.length))
  }

  /// The part of a compiled program that is not bound to a device; to be destroyed.
  func executable() throws(DeviceError) -> Handle {
    let object = handle.pointer
    let result = try client.plugin.call(.loadedExecutable, "look at the compiled program") { $0.object = object }
    return try Handle(result.result, from: "LoadedExecutable_GetExecutable")
  }
}

/// Calls `body` with a program and options in a plugin's form.
func withPjrtProgram<Result>(
  _ text: String, _ options: CompileOptions,
  _ body: (UnsafePointer<PjrtProgram>, UnsafeRawBufferPointer) throws(DeviceError) -> Result
) throws(DeviceError) -> Result {
  var code = text.utf8.map { CChar(bitPattern: $0) }
  let format = "mlir".utf8.map { CChar(bitPattern: $0) }
  let bytes = options.bytes
  return try code.withUnsafeMutableBufferPointer { code throws(DeviceError) in
    try format.withUnsafeBufferPointer { format throws(DeviceError) in
      try bytes.withUnsafeBufferPointer { bytes throws(DeviceError) in
        var program = PjrtProgram()
        program.head.size = MemoryLayout<PjrtProgram>.size
        program.code = code.baseAddress
        program.code_length = code.count
        program.format = format.baseAddress
        program.format_length = format.count
        return try withUnsafePointer(to: program) { program throws(DeviceError) in
          try body(program, UnsafeRawBufferPointer(bytes))
        }
      }
    }
  }
}

/// A program that is ready to run on a plugin's device.
public struct XLAExecutable: Executable {
  public let program: Program
  /// Whether the compiled program came from the cache.
  public let isFromCache: Bool
  let loaded: LoadedProgram
  let devices: [PluginDevice]

  public func bind(_ inputs: [any Buffer]) throws -> any Execution {
    guard inputs.count == program.inputs.count else {
      throw GraphError("the program has \(program.inputs.count) inputs; received \(inputs.count).")
    }
    var buffers: [XLABuffer] = []
    for (input, buffer) in zip(program.inputs, inputs) {
      guard let buffer = buffer as? XLABuffer, buffer.client === loaded.client,
        buffer.devices.map(\.index) == devices.map(\.index)
      else {
        throw GraphError(
          "the buffer for input '\(input.name)' lives on another device; this program runs on "
            + "\(devices.map { "\(loaded.client.platform):\($0.index)" }.joined(separator: ", ")).")
      }
      guard buffer.partType == input.type else {
        throw GraphError("input '\(input.name)' is \(input.type); received a buffer of \(buffer.partType).")
      }
      buffers.append(buffer)
    }
    return XLAExecution(self, buffers)
  }
}
