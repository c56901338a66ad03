// A client is a running plugin: it owns devices, their memory and compiled programs. There is one per process for each
// plugin and set of options, since a GPU's client takes most of its memory at the start.

import CPJRT
import Foundation
import Synchronization

/// A plugin's connection to its devices.
public final class Client: Sendable {
  /// The plugin.
  public let plugin: Plugin
  /// The plugin's name for the platform: `cpu`, `cuda`, `tpu`.
  public let platform: String
  /// The plugin's description of its version.
  public let platformVersion: String
  /// The devices of this process, in the plugin's order.
  public let devices: [PluginDevice]
  let handle: Handle
  /// Whether buffers are in host memory, where they can be read without a copy by the plugin.
  var isHostMemory: Bool { platform == "cpu" || platform == "Host" }

  private static let clients = Mutex<[Key: Client]>([:])

  private struct Key: Hashable {
    let path: String
    let options: [String: AttributeValue]
  }

  /// The client of a plugin with these options; made at first use.
  /// - Parameters:
  ///   - plugin: the plugin.
  ///   - options: options of the plugin: `cpu_device_count` for XLA's CPU.
  /// - Throws: `DeviceError` when there is no device, saying what would help.
  public static func shared(_ plugin: Plugin, options: [String: AttributeValue] = [:]) throws -> Client {
    try clients.withLock { clients in
      let key = Key(path: plugin.path, options: options)
      if let known = clients[key] { return known }
      let client = try Client(plugin, options: options)
      clients[key] = client
      return client
    }
  }

  private init(_ plugin: Plugin, options: [String: AttributeValue]) throws(DeviceError) {
    let sorted = options.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    let created: PjrtClientCreation
    do {
      created = try withNamedValues(sorted) { values throws(DeviceError) in
        try plugin.call(.createClient, "start the devices of \(plugin.path)") {
          $0.options = values.baseAddress
          $0.option_count = values.count
        }
      }
    } catch {
      // Plugins report a machine without their devices with many different codes.
      throw DeviceError(error.kind == .outOfMemory ? .outOfMemory : .noDevice, error.message, remedy: error.remedy)
    }
    let handle = try Handle(created.client, from: "Client_Create")
    self.plugin = plugin
    self.handle = handle
    platform = try plugin.text(.platformName, of: handle, "read the platform's name")
    platformVersion = try plugin.text(.platformVersion, of: handle, "read the platform's version")
    let list = try plugin.call(.devices, "list the devices") { $0.object = handle.pointer }
    var devices: [PluginDevice] = []
    for index in 0..<list.count {
      devices.append(
        try PluginDevice(Handle(list.list?[index], from: "Client_AddressableDevices"), index: index, plugin))
    }
    self.devices = devices
  }

  /// The device with an index.
  /// - Throws: `DeviceError` when there is no such device.
  public func device(_ index: Int) throws -> PluginDevice {
    guard devices.indices.contains(index) else {
      let there =
        devices.isEmpty
        ? "no devices" : devices.count == 1 ? "one, number 0" : "\(devices.count), 0 to \(devices.count - 1)"
      throw DeviceError(
        .noDevice, "there is no \(platform) device number \(index); this machine has \(there)",
        remedy: "'accelerando devices' lists them")
    }
    return devices[index]
  }
}
