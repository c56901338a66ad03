// Devices that need not exist: a compiler can make programs for a machine of which it has only a description. So a
// laptop can find out whether a step fits on 256 chips, and how long it will take.

import CPJRT
import Foundation

/// Devices that programs are compiled for without having them.
public final class Topology: Sendable {
  /// One of the devices.
  public struct Device: Hashable, Sendable {
    /// The plugin's index of it.
    public let number: Int
    /// Its kind: `TPU v5 lite`.
    public let kind: String
  }

  /// The plugin that compiles for them.
  public let plugin: Plugin
  /// The devices, in the plugin's order.
  public let devices: [Device]
  let handle: Handle

  /// Describes devices to a plugin.
  /// - Parameters:
  ///   - plugin: the plugin that compiles for them.
  ///   - name: the plugin's name for them: `v5e:2x4`; empty if the options describe them.
  ///   - options: further options of the plugin.
  ///   - title: the name of the devices in errors.
  /// - Throws: `DeviceError` when the plugin knows no such devices, or cannot compile without having them.
  public init(_ plugin: Plugin, name: String, options: [String: AttributeValue] = [:], title: String? = nil) throws {
    let sorted = options.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    let letters = name.utf8.map { CChar(bitPattern: $0) }
    let created = try letters.withUnsafeBufferPointer { letters throws(DeviceError) in
      try withNamedValues(sorted) { values throws(DeviceError) in
        try plugin.call(.createTopology, "describe the devices \(title ?? name) to \(plugin.path)") {
          $0.name = letters.baseAddress
          $0.name_length = letters.count
          $0.options = values.baseAddress
          $0.option_count = values.count
        }
      }
    }
    let handle = try Handle(created.topology, from: "TopologyDescription_Create")
    self.plugin = plugin
    self.handle = handle
    do {
      let list = try plugin.call(.topologyDevices, "list the devices of \(title ?? name)") {
        $0.object = handle.pointer
      }
      devices = try (0..<list.count).map { index throws(DeviceError) in
        let device = try Handle(list.list?[index], from: "TopologyDescription_GetDeviceDescriptions")
        let number = try plugin.call(.deviceNumber, "read the number of a device") {
          $0.object = UnsafeRawPointer(device.pointer)
        }
        return Device(
          number: Int(number.value), kind: try plugin.text(.deviceKind, of: device, "read the kind of a device"))
      }
    } catch {
      plugin.destroy(.destroyTopology, handle)
      throw error
    }
  }

  deinit { plugin.destroy(.destroyTopology, handle) }

  /// Compiles a program for these devices.
  /// - Parameters:
  ///   - text: the program as StableHLO text.
  ///   - options: how to compile, and for how many of the devices.
  /// - Throws: `DeviceError` when the compiler refuses the program; the kind is `outOfMemory` if memory does not
  ///   suffice.
  public func compile(_ text: String, _ options: CompileOptions) throws -> AheadProgram {
    let result = try withPjrtProgram(text, options) { program, options throws(DeviceError) in
      try plugin.call(.compileAhead, "compile the program") {
        $0.topology = UnsafeRawPointer(handle.pointer)
        $0.program = program
        $0.options = options.baseAddress?.assumingMemoryBound(to: CChar.self)
        $0.options_length = options.count
      }
    }
    return AheadProgram(self, try Handle(result.executable, from: "Compile"))
  }
}

/// A program that was compiled for devices that need not exist: it can be inspected but not run.
public final class AheadProgram: Sendable {
  /// The devices.
  public let topology: Topology
  private let handle: Handle

  init(_ topology: Topology, _ handle: Handle) {
    self.topology = topology
    self.handle = handle
  }

  deinit { topology.plugin.destroy(.destroyExecutable, handle) }

  private var view: ExecutableView { ExecutableView(plugin: topology.plugin, executable: handle) }

  /// The memory that the program takes on each device.
  /// - Throws: `DeviceError` if the plugin does not report it.
  public func memory() throws -> XLAExecutable.Memory { try view.memory() }

  /// The compiler's estimates for each device: `flops`, `bytes accessed`, `optimal_seconds`.
  /// - Throws: `DeviceError` if the plugin does not report them.
  public func costs() throws -> [String: Double] { try view.costs() }

  /// The optimized program.
  /// - Throws: `DeviceError` if the plugin does not return it.
  public func optimizedProgram() throws -> (format: String, bytes: [UInt8]) { try view.optimizedProgram() }
}
