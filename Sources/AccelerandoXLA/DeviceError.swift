// Errors of devices and plugins. Plugins report codes and their own texts; our errors add what was being done and what
// the user can do about it.

import Foundation

/// Why a device cannot be used, or why it failed.
public struct DeviceError: Error, Hashable, Sendable, CustomStringConvertible, LocalizedError {
  /// The kind of error, for programs.
  public enum Kind: Hashable, Sendable {
    /// The plugin's library is missing, damaged, for another machine or too old.
    case badPlugin
    /// There is no such device on this machine.
    case noDevice
    /// The device's memory is full.
    case outOfMemory
    /// The device or the plugin does not support the request.
    case unsupported
    /// The device was lost or failed.
    case lost
    /// Anything else that the plugin reports.
    case failed
  }

  /// The kind of error.
  public var kind: Kind
  /// What was being done, and what went wrong.
  public var message: String
  /// What can be done about it.
  public var remedy: String?

  /// Makes an error about a device.
  public init(_ kind: Kind, _ message: String, remedy: String? = nil) {
    self.kind = kind
    self.message = message
    self.remedy = remedy
  }

  public var description: String { remedy.map { "\(message). \($0)." } ?? "\(message)." }
  public var errorDescription: String? { description }
}

extension DeviceError {
  /// Translates a plugin's error.
  /// - Parameters:
  ///   - action: what was being done: `compile the program`.
  ///   - code: the plugin's code, one of the canonical status codes.
  ///   - text: the plugin's message.
  init(action: String, code: Int, text: String) {
    // Plugins append stack traces; the first paragraph is the readable part.
    let lines = text.split(separator: "\n", omittingEmptySubsequences: true).prefix(6)
    var words = lines.joined(separator: " ").trimmingCharacters(in: .whitespaces)
    while words.hasSuffix(".") { words.removeLast() }
    let (kind, remedy): (Kind, String?) =
      switch code {
      case 8:
        (
          .outOfMemory,
          "Use a smaller batch or a smaller model, or end other programs that use the device"
        )
      case 12: (.unsupported, "Use another device for this model, or a newer plugin")
      case 3, 9: (.unsupported, nil)
      case 10, 13, 14, 15: (.lost, nil)
      default: (.failed, nil)
      }
    self.init(
      kind, "cannot \(action): \(words.isEmpty ? "the plugin gives code \(code) and no reason" : words)", remedy: remedy
    )
  }
}
