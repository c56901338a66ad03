// Libraries that not every user needs are loaded when they are needed, so that the build asks for nothing and a machine
// without them does everything else.

import Foundation

/// A library of the system, loaded at run time.
///
/// Unchecked because a handle is a pointer; the loader may be called from any thread.
struct SystemLibrary: @unchecked Sendable {
  let handle: UnsafeMutableRawPointer
  private let name: String

  /// Loads a library.
  /// - Parameters:
  ///   - names: its names on Linux, the best first.
  ///   - macName: its name on macOS.
  ///   - purpose: what it is needed for, for the error: "to read JPEG images".
  ///   - packages: what to install, on Debian and with Homebrew.
  /// - Throws: `FormatError` when it is not there.
  init(_ names: [String], macName: String, purpose: String, packages: (apt: String, brew: String)) throws {
    #if os(macOS)
      let candidates = [macName, "/opt/homebrew/lib/\(macName)", "/usr/local/lib/\(macName)"]
      let command = "brew install \(packages.brew)"
    #else
      let candidates = names
      let command = "apt-get install \(packages.apt)"
    #endif
    guard let handle = candidates.lazy.compactMap({ dlopen($0, RTLD_NOW | RTLD_LOCAL) }).first else {
      throw FormatError(
        file: candidates[0], reason: "this library is needed \(purpose), and it is not installed",
        remedy: "Install it: \(command)")
    }
    self.handle = handle
    name = candidates[0]
  }

  /// A function of the library.
  /// - Throws: `FormatError` when it has none of that name.
  func function<Function>(_ symbol: String, as _: Function.Type) throws -> Function {
    guard let address = dlsym(handle, symbol) else {
      throw FormatError(
        file: name, reason: "the library has no function '\(symbol)'", remedy: "Install a newer version")
    }
    return unsafeBitCast(address, to: Function.self)
  }
}
