// The door of accelerators: a device of a plugin as a backend.

import AccelerandoCore

/// Runs programs on one device of a PJRT plugin: XLA's CPU, a GPU, a TPU.
public struct XLABackend: Backend {
  /// The plugin's connection to its devices.
  public let client: Client
  /// The device.
  public let device: PluginDevice
  /// What the device is called: `xla-cpu`, `cuda:0`.
  public let name: String
  /// Where compiled programs are kept from one process to the next; nil for nowhere.
  public let cache: CompileCache?

  /// Makes a backend.
  /// - Parameters:
  ///   - client: the plugin's client.
  ///   - device: the number of the device among the client's.
  ///   - cache: where compiled programs are kept.
  /// - Throws: `DeviceError` when the client has no such device.
  public init(_ client: Client, device: Int = 0, cache: CompileCache? = nil) throws {
    self.client = client
    self.device = try client.device(device)
    self.cache = cache
    name = client.isHostMemory && device == 0 ? "xla-cpu" : "\(client.platform):\(device)"
  }

  public func makeBuffer(_ type: TensorType) throws -> any Buffer { XLABuffer(type, client, device) }

  public func upload(_ array: NDArray) throws -> any Buffer {
    let buffer = XLABuffer(array.type, client, device)
    try buffer.lend(array)
    return buffer
  }

  public var runsAhead: Bool { true }

  /// Calls cost several microseconds, and a GPU's are worth a small step. XLA's CPU compiles convolutions in loops to slower
  /// code: a step of a small convolutional network takes twice as long.
  public func prefersLoop(of step: Program) -> Bool {
    !(client.isHostMemory && step.instructions.contains { $0.operation is Convolution })
  }

  /// Puts the array on the device if it leaves the larger part of the free memory to the model.
  public func hold(_ array: NDArray) throws -> (any Buffer)? {
    if !client.isHostMemory, let memory = device.memory(), let limit = memory.limit {
      guard array.byteCount < (limit - memory.used) / 2 else { return nil }
    }
    return try upload(array)
  }

  public func compile(_ program: Program) throws -> any Executable { try compiled(program) }

  /// Makes a program ready to run on the device.
  /// - Throws: `GraphError` for what cannot be said in StableHLO, `DeviceError` for what the device refuses.
  public func compiled(_ program: Program) throws -> XLAExecutable {
    let text = try program.stableHLO()
    var options = CompileOptions(deviceNumber: device.number)
    options.settings = CompilerSettings.current(for: client)
    let key = try cache?.key(text: text, options: options, client: client, device: device)
    if let cache, let key, let loaded = cache.load(key, on: client) {
      return XLAExecutable(program: program, isFromCache: true, loaded: loaded, device: device)
    }
    let loaded = try LoadedProgram(text: text, options: options, on: client)
    if let cache, let key { cache.store(loaded, key) }
    return XLAExecutable(program: program, isFromCache: false, loaded: loaded, device: device)
  }
}
