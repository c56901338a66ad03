// The backend for accelerators: a device of a plugin, or several that work together.

import AccelerandoCore

/// Runs programs on one device of a PJRT plugin (XLA's CPU, a GPU, a TPU), or on several at once: each runs the whole
/// program, and `AllReduce` combines their values.
public struct XLABackend: Backend {
  /// The plugin's connection to its devices.
  public let client: Client
  /// The devices, at least one.
  public let devices: [PluginDevice]
  /// The name of the devices: `xla-cpu`, `cuda:0`, `cuda:0,1`.
  public let name: String
  /// Where compiled programs are kept between processes; nil for nowhere.
  public let cache: CompileCache?

  /// Makes a backend.
  /// - Parameters:
  ///   - client: the plugin's client.
  ///   - device: the index of the device among the client's.
  ///   - cache: where compiled programs are kept.
  /// - Throws: `DeviceError` when the client has no such device.
  public init(_ client: Client, device: Int = 0, cache: CompileCache? = nil) throws {
    try self.init(client, devices: [device], cache: cache)
  }

  /// Makes a backend of devices that work together.
  /// - Throws: `DeviceError` when the client lacks one of the devices, or one is listed twice.
  public init(_ client: Client, devices numbers: [Int], cache: CompileCache? = nil) throws {
    guard !numbers.isEmpty, Set(numbers).count == numbers.count else {
      throw DeviceError(.noDevice, "a model needs at least one device, and each of them once; received \(numbers)")
    }
    self.client = client
    devices = try numbers.map { try client.device($0) }
    self.cache = cache
    let platform = client.isHostMemory ? "xla-cpu" : client.platform
    name =
      numbers == [0] && client.isHostMemory
      ? platform : "\(platform):" + numbers.map(String.init).joined(separator: ",")
  }

  public func workerCount(forBatchOf samples: Int) -> Int { devices.count }

  public func accepts(_ buffer: any Buffer) -> Bool {
    guard let buffer = buffer as? XLABuffer else { return false }
    return buffer.client === client && buffer.devices.map(\.index) == devices.map(\.index)
  }

  public func makeBuffer(_ type: TensorType) throws -> any Buffer { XLABuffer(type, client, devices) }

  public func makeStackedBuffer(_ type: TensorType, workers: Int) throws -> any Buffer {
    XLABuffer(type, client, devices, isStacked: true)
  }

  public func upload(_ array: NDArray) throws -> any Buffer {
    let buffer = XLABuffer(array.type, client, devices)
    try buffer.lend(array)
    return buffer
  }

  public var runsAhead: Bool { true }

  /// A call costs several microseconds, on a GPU as much as a small step. XLA's CPU compiles convolutions in loops to
  /// slower code: a step of a small convolutional network takes twice as long.
  public func prefersLoop(of step: Program) -> Bool {
    !(client.isHostMemory && step.instructions.contains { $0.operation is Convolution })
  }

  /// Copies the array to the device if that leaves more than half of the free memory to the model.
  public func hold(_ array: NDArray) throws -> (any Buffer)? {
    if !client.isHostMemory, let memory = devices.compactMap({ $0.memory() }).first, let limit = memory.limit {
      guard array.byteCount < (limit - memory.used) / 2 else { return nil }
    }
    return try upload(array)
  }

  public func compile(_ program: Program) throws -> any Executable { try compiled(program) }

  /// Compiles a program for the devices.
  /// - Throws: `GraphError` for what StableHLO cannot express, `DeviceError` for what the device refuses.
  public func compiled(_ program: Program) throws -> XLAExecutable {
    let text = try program.stableHLO()
    var options = CompileOptions(replicas: devices.count, deviceNumbers: devices.map(\.number))
    options.settings = CompilerSettings.current(for: client)
    let key = try cache?.key(text: text, options: options, client: client, device: devices[0])
    if let cache, let key, let loaded = cache.load(key, on: client) {
      return XLAExecutable(program: program, isFromCache: true, loaded: loaded, devices: devices)
    }
    let loaded = try LoadedProgram(text: text, options: options, on: client)
    if let cache, let key { cache.store(loaded, key) }
    return XLAExecutable(program: program, isFromCache: false, loaded: loaded, devices: devices)
  }
}
