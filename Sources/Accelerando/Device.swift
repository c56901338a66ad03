// Devices by name: one word says where a model runs; everything else stays the same.

import AccelerandoCPU
import AccelerandoCore
import AccelerandoNN
import AccelerandoTrain
import AccelerandoXLA
import Foundation

/// A device that models can run on.
public struct Device: Hashable, Sendable, CustomStringConvertible {
  /// `cpu` for the engine of this library, `xla-cpu`, `cuda`, `tpu`, or a plugin's name.
  public let platform: String
  /// The index of the device in its platform.
  public let index: Int

  private init(_ platform: String, _ index: Int) {
    self.platform = platform
    self.index = index
  }

  /// This machine's processor, with the engine of this library.
  public static let cpu = Device("cpu", 0)
  /// This machine's processor, through XLA.
  public static let xlaCPU = Device("xla-cpu", 0)
  /// The first NVIDIA GPU.
  public static let cuda = cuda(0)
  /// The first TPU core.
  public static let tpu = tpu(0)
  /// An NVIDIA GPU.
  public static func cuda(_ index: Int) -> Device { Device("cuda", index) }
  /// A TPU core.
  public static func tpu(_ index: Int) -> Device { Device("tpu", index) }
  /// A device of a plugin with another name.
  public static func plugin(_ name: String, _ index: Int = 0) -> Device { Device(name, index) }

  /// A device by its name: `cpu`, `xla-cpu`, `cuda`, `cuda:1`, `tpu:0`.
  /// - Throws: `DeviceError` for a text that is not a device.
  public init(_ text: String) throws {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let name = parts.first.map(String.init) ?? ""
    let number = parts.count == 2 ? Int(parts[1]) : 0
    guard !name.isEmpty, let number, number >= 0, number == 0 || name != "cpu" else {
      throw DeviceError(
        .noDevice, "'\(text)' names no device",
        remedy: "Devices are cpu, xla-cpu, cuda, cuda:1, tpu, …; 'accelerando devices' lists those of this machine")
    }
    self.init(name, number)
  }

  public var description: String { index == 0 ? platform : "\(platform):\(index)" }

  /// The virtual devices of XLA's CPU, by index.
  public static func xlaCPU(_ index: Int) -> Device { Device("xla-cpu", index) }

  /// Devices by their names: `cuda:0,cuda:1`, or shorter `cuda:0-3`, `cuda:0,1`; a single device as in `init(_:)`.
  /// - Throws: `DeviceError` for a text that is not a list of devices.
  public static func list(_ text: String) throws -> [Device] {
    var devices: [Device] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
      let name =
        part.contains(":") || Int(part.split(separator: "-").first ?? "") == nil
        ? part : "\(devices.last?.platform ?? ""):\(part)"
      guard let dash = name.lastIndex(of: "-"), let last = Int(name[name.index(after: dash)...]),
        let colon = name.lastIndex(of: ":"), colon < dash, let first = Int(name[name.index(after: colon)..<dash])
      else {
        devices.append(try Device(name))
        continue
      }
      guard first >= 0, first <= last, last - first < 4096 else {
        throw DeviceError(.noDevice, "'\(part)' names no devices", remedy: "A range goes up, as in cuda:0-3")
      }
      for index in first...last { devices.append(try Device("\(name[..<colon]):\(index)")) }
    }
    return devices
  }

  /// Opens the device.
  /// - Parameters:
  ///   - threads: for `cpu`, the number of threads; nil for one per core.
  ///   - cache: for others, where compiled programs are kept between processes.
  /// - Throws: `DeviceError` that says what is missing and how to fix it.
  public func makeBackend(threads: Int? = nil, cache: CompileCache? = .current()) throws -> any Backend {
    if platform == "cpu" { return CPUBackend(threads: threads) }
    return try XLABackend.open(platform == "xla-cpu" ? "cpu" : platform, index: index, cache: cache)
  }
}

extension Model {
  /// Makes a model of one input on a device.
  /// - Throws: `DeviceError` when the device cannot be used.
  public convenience init(_ layer: any Layer, inputShape: [Int], device: Device, seed: UInt64 = 0) throws {
    self.init(layer, inputShape: inputShape, backend: try device.makeBackend(), seed: seed)
  }

  /// Makes a model of a graph of layers on a device.
  /// - Throws: `DeviceError` when the device cannot be used.
  public convenience init(inputs: [Input], output: LayerOutput, device: Device, seed: UInt64 = 0) throws {
    self.init(inputs: inputs, output: output, backend: try device.makeBackend(), seed: seed)
  }
}
