// A tensor on a device. The plugin's buffers are values that never change; a step consumes the old state and gives a new
// one. What stays the same is the buffer here, whose handle is exchanged, so that everybody who holds it sees the new state.

import AccelerandoCore
import CPJRT
import Synchronization

/// Memory of a plugin's device that holds one tensor.
final class XLABuffer: Buffer {
  let type: TensorType
  let client: Client
  let device: PluginDevice
  /// Nil until somebody asks: most new buffers are written before they are read.
  private let handle: Mutex<Handle?>
  private var plugin: Plugin { client.plugin }

  init(_ type: TensorType, _ client: Client, _ device: PluginDevice) {
    self.type = type
    self.client = client
    self.device = device
    handle = Mutex(nil)
  }

  deinit {
    if let last = handle.withLock({ $0 }) { client.plugin.destroy(.destroyBuffer, last) }
  }

  /// The plugin's buffer of now.
  func current() throws(DeviceError) -> Handle {
    try handle.withLock { handle throws(DeviceError) in
      if let handle { return handle }
      let made = try zeros()
      handle = made
      return made
    }
  }

  /// Exchanges the plugin's buffer; what still uses the old one keeps it alive.
  func replace(by new: Handle) {
    let old = handle.withLock { handle in
      let old = handle
      handle = new
      return old
    }
    if let old { plugin.destroy(.destroyBuffer, old) }
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    guard bytes.count == type.byteCount else {
      throw GraphError("the buffer holds \(type), \(type.byteCount) bytes; received \(bytes.count).")
    }
    replace(by: try upload(bytes, semantics: PjrtHostDuringCall).buffer)
  }

  /// Lends the array to the device: where the device's memory is the host's, nothing is copied. The array is kept until
  /// the device is done with it, and whoever writes to another copy of it gets memory of their own.
  func lend(_ array: NDArray) throws {
    let isAligned = array.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) % 64 == 0 }
    // An i1 of a plugin's is a byte of 0 or 1, as here.
    guard client.isHostMemory, isAligned, array.byteCount >= 4096 else {
      try array.withUnsafeBytes { try write($0) }
      return
    }
    let keeper = ArrayKeeper(array)
    let (buffer, done) = try keeper.array.withUnsafeBytes { try upload($0, semantics: PjrtHostZeroCopy) }
    done?.keepAlive(keeper)
    replace(by: buffer)
  }

  private func upload(
    _ bytes: UnsafeRawBufferPointer, semantics: Int
  ) throws(DeviceError) -> (buffer: Handle, done: Event?) {
    let dimensions = type.shape.map(Int64.init)
    let created = try dimensions.withUnsafeBufferPointer { dimensions throws(DeviceError) in
      try plugin.call(.upload, "put \(type), \(type.byteCount >> 10) KiB, on \(client.platform):\(device.index)") {
        $0.client = client.handle.pointer
        // Nothing is read of an empty tensor, but plugins want an address.
        $0.data = bytes.baseAddress ?? UnsafeRawPointer(client.handle.pointer)
        $0.element_type = type.dtype.pluginCode
        $0.dimensions = dimensions.baseAddress
        $0.dimension_count = dimensions.count
        $0.semantics = Int32(semantics)
        $0.device = device.handle.pointer
      }
    }
    var done: Event?
    if let event = created.done_with_host {
      let isLent = semantics == PjrtHostZeroCopy
      if isLent {
        done = try Event(event, plugin, from: "Client_BufferFromHostBuffer")
      } else {
        plugin.destroy(.destroyEvent, Handle(event))
      }
    }
    return (try Handle(created.buffer, from: "Client_BufferFromHostBuffer"), done)
  }

  private func zeros() throws(DeviceError) -> Handle {
    guard type.byteCount < 1 << 46 else {
      throw DeviceError(.outOfMemory, "\(type) needs \(type.byteCount) bytes, more than any device has")
    }
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(type.byteCount, 1), alignment: 64)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0)
    return try upload(UnsafeRawBufferPointer(rebasing: memory[0..<type.byteCount]), semantics: PjrtHostDuringCall)
      .buffer
  }

  func read(into bytes: UnsafeMutableRawBufferPointer) throws {
    guard bytes.count == type.byteCount else {
      throw GraphError("the buffer holds \(type), \(type.byteCount) bytes; there is room for \(bytes.count).")
    }
    let buffer = try current()
    if client.isHostMemory, plugin.has(PluginMethod.bufferAddress) {
      // Copying it ourselves is ten times as fast as asking the plugin.
      try waitUntilReady(buffer)
      let address = try plugin.call(.bufferAddress, "find a result") { $0.object = buffer.pointer }.value
      if let start = UnsafeRawPointer(bitPattern: address) {
        bytes.copyMemory(from: UnsafeRawBufferPointer(start: start, count: bytes.count))
      }
      return
    }
    try download(buffer, into: bytes)
  }

  /// Waits for the run that computes the buffer.
  private func waitUntilReady(_ buffer: Handle) throws(DeviceError) {
    let result = try plugin.call(.bufferReady, "wait for a result") { $0.object = buffer.pointer }
    try Event(result.result, plugin, from: "Buffer_ReadyEvent").wait("compute \(type)")
  }

  private func download(_ buffer: Handle, into bytes: UnsafeMutableRawBufferPointer) throws(DeviceError) {
    guard !bytes.isEmpty else { return }
    // Devices keep tensors in orders of their own.
    let order = (0..<type.shape.count).reversed().map(Int64.init)
    let copied = try order.withUnsafeBufferPointer { order throws(DeviceError) in
      var layout = PjrtLayout()
      layout.head.size = MemoryLayout<PjrtLayout>.size
      layout.tiled_head.size = MemoryLayout<PjrtLayout>.offset(of: \.kind).map { $0 - MemoryLayout<PjrtHead>.size } ?? 0
      layout.minor_to_major = order.baseAddress
      layout.rank = order.count
      return try withUnsafeMutablePointer(to: &layout) { layout throws(DeviceError) in
        try plugin.call(.download, "read \(type) from \(client.platform):\(device.index)") {
          $0.buffer = buffer.pointer
          $0.layout = layout
          $0.data = bytes.baseAddress
          $0.length = bytes.count
        }
      }
    }
    try Event(copied.event, plugin, from: "Buffer_ToHostBuffer").wait("compute \(type)")
  }
}

/// Holds an array for as long as a device reads it.
private final class ArrayKeeper: Sendable {
  let array: NDArray
  init(_ array: NDArray) { self.array = array }
}
