// From the name of a platform to a backend: find a plugin, check that the machine has its hardware, start it. Errors
// say what is missing and how to fix it.

import Foundation

extension XLABackend {
  /// Opens a device.
  /// - Parameters:
  ///   - platform: `cpu` for XLA's CPU, `cuda`, `tpu`, or the name of a plugin.
  ///   - index: the index of the device.
  ///   - search: where plugins are searched for.
  ///   - cache: where compiled programs are kept between processes.
  /// - Throws: `DeviceError` that says what is missing and how to fix it.
  public static func open(
    _ platform: String, index: Int = 0, search: PluginSearch = .current(), cache: CompileCache? = .current()
  ) throws -> XLABackend {
    try open(platform, indices: [index], search: search, cache: cache)
  }

  /// Opens devices of one platform that work together.
  /// - Parameters:
  ///   - platform: the platform's or the plugin's name: `cuda`, `tpu`, `cpu`.
  ///   - indices: the indices of the devices; all for nil. XLA's CPU has as many virtual devices as requested.
  ///   - search: where plugins are searched for.
  ///   - cache: where compiled programs are kept; nil to keep none.
  /// - Throws: `DeviceError` that says what is missing and how to fix it.
  public static func open(
    _ platform: String, indices: [Int]?, search: PluginSearch = .current(), cache: CompileCache? = .current()
  ) throws -> XLABackend {
    let client = try openClient(platform, deviceCount: (indices?.max() ?? 0) + 1, search: search)
    return try XLABackend(client, devices: indices ?? client.devices.map(\.index), cache: cache)
  }

  /// Starts the first working plugin of a platform.
  /// - Parameters:
  ///   - platform: the platform's or the plugin's name: `cuda`, `tpu`, `cpu`.
  ///   - deviceCount: the number of virtual devices of XLA's CPU.
  ///   - search: where plugins are searched for.
  /// - Throws: `DeviceError` of the preferred plugin.
  public static func openClient(
    _ platform: String, deviceCount: Int = 1, search: PluginSearch = .current()
  ) throws -> Client {
    let plugins = search.plugins(for: platform)
    let kinds = PluginKind.allCases.filter { $0.platform == platform || $0.rawValue == platform }.map(\.rawValue)
    guard !plugins.isEmpty else {
      let remedy =
        kinds.isEmpty ? "accelerando plugin install PATH" : "accelerando plugin install \(kinds.joined(separator: "|"))"
      throw DeviceError(
        .noDevice, "there is no PJRT plugin for \(platform == "cpu" ? "XLA's CPU" : platform) on this machine",
        remedy: "Install one: \(remedy)")
    }
    try checkHardware(plugins[0].platform)
    var failure: (any Error)?
    for found in plugins {
      do {
        let options: [String: AttributeValue] =
          found.platform == "cpu" ? ["cpu_device_count": .integer(Int64(min(deviceCount, 256)))] : [:]
        let client = try Client.shared(try Plugin.load(found.path), options: options)
        guard !client.devices.isEmpty else {
          throw DeviceError(.noDevice, "the plugin \(found.path) finds no device")
        }
        return client
      } catch {
        failure = failure ?? error
      }
    }
    throw failure ?? DeviceError(.noDevice, "there is no device for \(platform)")
  }

  /// Checks what is missing before a plugin is asked: some wait for minutes, or report it in their own terms.
  private static func checkHardware(_ platform: String) throws {
    #if os(Linux)
      switch platform {
      case "cuda":
        guard let driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) else {
          throw DeviceError(
            .noDevice, "there is no NVIDIA driver on this machine: its library libcuda.so.1 is not found",
            remedy: "Install the driver, or use a machine with an NVIDIA GPU; in a container, pass the GPU through")
        }
        dlclose(driver)
      case "tpu":
        guard TPUHost.hasChip else {
          throw DeviceError(
            .noDevice, "there is no TPU chip on this machine: neither /dev/accel* nor /dev/vfio has one",
            remedy: "Use a TPU VM; in a container, pass the chips through")
        }
      default: break
      }
    #endif
  }
}
