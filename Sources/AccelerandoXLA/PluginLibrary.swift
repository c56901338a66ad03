// From a file to a plugin. Files come from elsewhere, and the system's loader has terse messages, so likely errors are
// recognized and explained: not a library, for another machine, or lacking a library that it needs.

import Foundation
import Synchronization

extension Plugin {
  /// Plugins of this process by path: a library is loaded once.
  private static let loaded = Mutex<[String: Plugin]>([:])

  /// Loads a plugin, or returns the one that was loaded from this path before.
  /// - Throws: `DeviceError` saying what is wrong with the file.
  public static func load(_ path: String) throws -> Plugin {
    let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    return try loaded.withLock { plugins in
      if let known = plugins[path] { return known }
      try checkFile(path)
      // The libraries log to standard error from the start; important messages come back as errors.
      setenv("TF_CPP_MIN_LOG_LEVEL", "2", 0)
      _ = CompilerSettings.takeFlags()
      TPUHost.prepareEnvironment(for: path)
      openSiblings(of: path)
      guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else { throw loaderError(path) }
      guard let symbol = dlsym(library, "GetPjrtApi") else {
        dlclose(library)
        throw DeviceError(
          .badPlugin, "\(path) is a library but no PJRT plugin: it has no function GetPjrtApi",
          remedy: "Name the plugin's library, or install one: accelerando plugin install cpu|cuda12|cuda13|tpu")
      }
      let entry = unsafeBitCast(symbol, to: (@convention(c) () -> UnsafeMutableRawPointer?).self)
      guard let table = entry() else {
        throw DeviceError(.badPlugin, "the plugin \(path) gives no table of methods")
      }
      let plugin = try Plugin(path: path, table: table)
      plugins[path] = plugin
      return plugin
    }
  }

  /// Checks the file's first bytes.
  private static func checkFile(_ path: String) throws {
    guard let file = FileHandle(forReadingAtPath: path) else {
      throw DeviceError(
        .badPlugin, "there is no plugin \(path), or it cannot be read",
        remedy: "Check the path; 'accelerando plugin list' shows the plugins that are found")
    }
    defer { try? file.close() }
    let bytes = [UInt8](((try? file.read(upToCount: 20)) ?? nil) ?? Data())
    #if os(Linux)
      guard bytes.count == 20, bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else {
        throw DeviceError(
          .badPlugin, "\(path) is not a shared library",
          remedy: "A plugin is a file like pjrt_c_api_cpu_plugin.so, inside the wheel")
      }
      let machine = Int(bytes[18]) | Int(bytes[19]) << 8
      #if arch(x86_64)
        let (own, ownName) = (62, "x86-64")
      #elseif arch(arm64)
        let (own, ownName) = (183, "ARM64")
      #else
        let (own, ownName) = (machine, "another kind")
      #endif
      guard bytes[4] == 2, machine == own else {
        let names = [3: "32-bit x86", 40: "32-bit ARM", 62: "x86-64", 183: "ARM64", 243: "RISC-V"]
        throw DeviceError(
          .badPlugin,
          "the plugin \(path) is for \(names[machine] ?? "machine number \(machine)"); this machine is \(ownName)",
          remedy: "Install the plugin on this machine: accelerando plugin install cpu|cuda12|cuda13|tpu")
      }
    #else
      guard bytes.count == 20 else { throw DeviceError(.badPlugin, "\(path) is not a shared library") }
    #endif
  }

  private static func loaderError(_ path: String) -> DeviceError {
    let reason = dlerror().map { String(cString: $0) } ?? "the system's loader gives no reason"
    // "libcudnn.so.9: cannot open shared object file: No such file or directory"
    if let end = reason.range(of: ": cannot open shared object file"), !reason.hasPrefix(path) {
      let name = reason[..<end.lowerBound]
      return DeviceError(
        .badPlugin, "the plugin \(path) needs the library \(name), which is not on this machine",
        remedy: "Install the plugin with what it needs: accelerando plugin install cuda12|cuda13")
    }
    if reason.contains("GLIBC_") || reason.contains("GLIBCXX_") {
      return DeviceError(
        .badPlugin, "the plugin \(path) is made for a newer system: \(reason)",
        remedy: "Use an older version of the plugin, or a newer system")
    }
    return DeviceError(.badPlugin, "the plugin \(path) cannot be loaded: \(reason)")
  }

  /// NVIDIA's wheels are installed next to the plugin and find each other, except that cuDNN opens the run-time
  /// compiler by
  private static func openSiblings(of path: String) {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    let site = folder.deletingLastPathComponent().deletingLastPathComponent()
    let manager = FileManager.default
    for place in ["nvidia/cuda_nvrtc/lib", "nvidia/cu13/lib"] {
      let library = site.appendingPathComponent(place)
      let names = ((try? manager.contentsOfDirectory(atPath: library.path)) ?? []).sorted()
      for name in names where name.hasPrefix("libnvrtc") && name.contains(".so") {
        // A failure shows later, with a name, when the library is needed.
        _ = dlopen(library.appendingPathComponent(name).path, RTLD_LAZY | RTLD_GLOBAL)
      }
    }
  }
}
