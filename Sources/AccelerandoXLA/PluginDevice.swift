// One device of a client: what it is and how much memory it has.

import CPJRT

/// A device of a plugin.
public struct PluginDevice: Sendable {
  /// Its index among the devices of this process.
  public let index: Int
  /// The plugin's own index of it, which differs if several processes share a machine.
  public let number: Int
  /// Its kind: `NVIDIA H200`, `TPU v5 lite`.
  public let kind: String
  let handle: Handle
  private let plugin: Plugin
  private let description: Handle

  init(_ handle: Handle, index: Int, _ plugin: Plugin) throws(DeviceError) {
    self.handle = handle
    self.index = index
    self.plugin = plugin
    let result = try plugin.call(.deviceDescription, "look at device \(index)") { $0.object = handle.pointer }
    description = try Handle(result.result, from: "Device_GetDescription")
    let description = description
    kind = try plugin.text(.deviceKind, of: description, "read the kind of device \(index)")
    let number = try plugin.call(.deviceNumber, "read the number of device \(index)") {
      $0.object = UnsafeRawPointer(description.pointer)
    }
    self.number = Int(number.value)
  }

  /// What is known about a device's memory.
  public struct Memory: Hashable, Sendable {
    /// Bytes in use now.
    public let used: Int
    /// The most bytes that were in use at once.
    public let peak: Int?
    /// Bytes that this process may use.
    public let limit: Int?
  }

  /// The memory in use and the limit; nil if the plugin does not report them.
  public func memory() -> Memory? {
    let device = handle.pointer
    guard
      let stats = try? plugin.call(.memoryStats, "read the memory in use", { $0.device = device })
    else { return nil }
    return Memory(
      used: Int(stats.bytes_in_use), peak: stats.has_peak_bytes_in_use ? Int(stats.peak_bytes_in_use) : nil,
      limit: stats.has_bytes_limit ? Int(stats.bytes_limit) : nil)
  }

  /// The plugin's properties of the device: `core_count`, `compute_capability`, coordinates.
  public func attributes() throws -> [String: AttributeValue] {
    let object = description.pointer
    let result = try plugin.call(.deviceAttributes, "read the device's attributes") { $0.object = object }
    return attributeValues(result.values, result.count)
  }
}
