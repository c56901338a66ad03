// A tensor on a device. The plugin's buffers are values that never change; a step consumes the old state and returns a
// new one. The buffer here stays the same and swaps its handle, so that every holder sees the new state.

import AccelerandoCore
import CPJRT
import Synchronization

/// Memory for one tensor, on one device of a plugin or on each of several.
final class XLABuffer: Buffer {
  let type: TensorType
  /// The type on one device: a part of the tensor if the buffer is stacked, all of it otherwise.
  let partType: TensorType
  let client: Client
  let devices: [PluginDevice]
  /// The plugin's buffers, one per device; nil until first use: most new buffers are written before they are read.
  private let handles: Mutex<[Handle?]>
  private var plugin: Plugin { client.plugin }
  /// Whether each device has a part of the tensor.
  var isStacked: Bool { type != partType }

  /// - Parameters:
  ///   - partType: the type on one device.
  ///   - isStacked: whether devices hold parts of the tensor along the first axis, and not all the same.
  init(_ partType: TensorType, _ client: Client, _ devices: [PluginDevice], isStacked: Bool = false) {
    let count = isStacked ? devices.count : 1
    let rest = partType.shape.dropFirst()
    self.partType = partType
    type = isStacked ? partType.with([count * (partType.shape.first ?? 1)] + rest) : partType
    self.client = client
    self.devices = devices
    handles = Mutex([Handle?](repeating: nil, count: devices.count))
  }

  deinit {
    for last in handles.withLock({ $0 }) {
      if let last { client.plugin.destroy(.destroyBuffer, last) }
    }
  }

  /// The plugin's current buffer on a device.
  func current(_ place: Int) throws(DeviceError) -> Handle {
    try handles.withLock { handles throws(DeviceError) in
      if let handle = handles[place] { return handle }
      let made = try zeros(devices[place])
      handles[place] = made
      return made
    }
  }

  /// Swaps the plugin's buffer on a device; work that still uses the old one keeps it alive.
  func replace(_ place: Int, by new: Handle) {
    let old = handles.withLock { handles in
      let old = handles[place]
      handles[place] = new
      return old
    }
    if let old { plugin.destroy(.destroyBuffer, old) }
  }

  /// The part of the tensor's bytes that is on a device.
  private func part(_ place: Int) -> Range<Int> {
    isStacked ? place * partType.byteCount..<(place + 1) * partType.byteCount : 0..<partType.byteCount
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    guard bytes.count == type.byteCount else {
      throw GraphError("the buffer holds \(type), \(type.byteCount) bytes; received \(bytes.count).")
    }
    for (place, device) in devices.enumerated() {
      let part = UnsafeRawBufferPointer(rebasing: bytes[part(place)])
      replace(place, by: try upload(part, to: device, semantics: PjrtHostDuringCall).buffer)
    }
  }

  /// Shares the array with the device: if the device uses host memory, nothing is copied. The array is kept until the
  /// device is done with it, and writing to another copy of it copies it first.
  func lend(_ array: NDArray) throws {
    let isAligned = array.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) % 64 == 0 }
    // An i1 of a plugin's is a byte of 0 or 1, as here.
    guard client.isHostMemory, isAligned, array.byteCount >= 4096, !isStacked, array.type == type else {
      try array.withUnsafeBytes { try write($0) }
      return
    }
    let keeper = ArrayKeeper(array)
    for (place, device) in devices.enumerated() {
      let (buffer, done) = try keeper.array.withUnsafeBytes { try upload($0, to: device, semantics: PjrtHostZeroCopy) }
      done?.keepAlive(keeper)
      replace(place, by: buffer)
    }
  }

  private func upload(
    _ bytes: UnsafeRawBufferPointer, to device: PluginDevice, semantics: Int
  ) throws(DeviceError) -> (buffer: Handle, done: Event?) {
    let type = partType
    let dimensions = type.shape.map(Int64.init)
    let created = try dimensions.withUnsafeBufferPointer { dimensions throws(DeviceError) in
      try plugin.call(.upload, "put \(type), \(type.byteCount >> 10) KiB, on \(client.platform):\(device.index)") {
        $0.client = client.handle.pointer
        // Nothing is read from an empty tensor, but plugins require an address.
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

  private func zeros(_ device: PluginDevice) throws(DeviceError) -> Handle {
    let type = partType
    guard type.byteCount < 1 << 46 else {
      throw DeviceError(.outOfMemory, "\(type) needs \(type.byteCount) bytes, more than any device has")
    }
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(type.byteCount, 1), alignment: 64)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0)
    return try upload(
      UnsafeRawBufferPointer(rebasing: memory[0..<type.byteCount]), to: device, semantics: PjrtHostDuringCall
    )
    .buffer
  }

  func read(into bytes: UnsafeMutableRawBufferPointer) throws {
    guard bytes.count == type.byteCount else {
      throw GraphError("the buffer holds \(type), \(type.byteCount) bytes; there is room for \(bytes.count).")
    }
    for place in isStacked ? devices.indices : 0..<1 {
      try read(place, into: UnsafeMutableRawBufferPointer(rebasing: bytes[part(place)]))
    }
  }

  private func read(_ place: Int, into bytes: UnsafeMutableRawBufferPointer) throws(DeviceError) {
    let buffer = try current(place)
    if client.isHostMemory, plugin.has(PluginMethod.bufferAddress) {
      // Copying it ourselves is ten times as fast as the plugin's method.
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
    // Devices may store tensors in other layouts.
    let order = (0..<type.shape.count).reversed().map(Int64.init)
    let copied = try order.withUnsafeBufferPointer { order throws(DeviceError) in
      var layout = PjrtLayout()
      layout.head.size = MemoryLayout<PjrtLayout>.size
      layout.tiled_head.size = MemoryLayout<PjrtLayout>.offset(of: \.kind).map { $0 - MemoryLayout<PjrtHead>.size } ?? 0
      layout.minor_to_major = order.baseAddress
      layout.rank = order.count
      return try withUnsafeMutablePointer(to: &layout) { layout throws(DeviceError) in
        try plugin.call(.download, "read \(type) from \(client.platform)") {
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

/// Keeps an array alive for as long as a device reads it.
private final class ArrayKeeper: Sendable {
  let array: NDArray
  init(_ array: NDArray) { self.array = array }
}
