// A loaded plugin and calls of its methods. Plugins are never unloaded, since the libraries below them keep threads
// that outlive every client.

import CPJRT
import Foundation

/// A loaded plugin.
public final class Plugin: Sendable {
  /// The library's path.
  public let path: String
  /// The interface version of the plugin: 0.81 is `(0, 81)`.
  public let version: (major: Int, minor: Int)
  private let table: Handle
  private let methodCount: Int

  /// Spare bytes after every struct, for plugins with longer ones.
  private static let spareBytes = 256

  /// - Parameter table: the result of the library's `GetPjrtApi`.
  init(path: String, table: UnsafeMutableRawPointer) throws(DeviceError) {
    self.path = path
    self.table = Handle(table)
    let api = table.load(as: PjrtApi.self)
    version = (Int(api.major), Int(api.minor))
    methodCount = (api.head.size - MemoryLayout<PjrtApi>.size) / MemoryLayout<UnsafeRawPointer>.size
    // Anything without this method is older than 0.40, of 2024.
    guard api.major == 0, methodCount > PluginMethod.deserialize.place else {
      throw DeviceError(
        .badPlugin, "the plugin \(path) speaks version \(api.major).\(api.minor) of PJRT; 0.40 or later is needed",
        remedy: "Install a newer one: accelerando plugin install cpu|cuda12|cuda13|tpu")
    }
    try call(.initialize, "start the plugin \(path)") { _ in }
  }

  /// Whether the plugin has a method: tables grow with versions, and entries may be empty.
  func has<Arguments>(_ method: PluginMethod<Arguments>) -> Bool {
    guard method.place < methodCount else { return false }
    let place = MemoryLayout<PjrtApi>.size + method.place * MemoryLayout<UnsafeRawPointer>.size
    return table.pointer.load(fromByteOffset: place, as: UnsafeRawPointer?.self) != nil
  }

  /// Calls a method.
  /// - Parameters:
  ///   - action: what is being done, for errors: `compile the program`.
  ///   - prepare: fills in the arguments, which are zero otherwise.
  /// - Returns: the struct after the call.
  /// - Throws: the plugin's error, or that the plugin lacks the method.
  @discardableResult
  func call<Arguments: PluginArguments>(
    _ method: PluginMethod<Arguments>, _ action: @autoclosure () -> String, _ prepare: (inout Arguments) -> Void
  ) throws(DeviceError) -> Arguments {
    guard has(method) else {
      throw DeviceError(
        .unsupported, "cannot \(action()): the plugin \(path) has no method \(method.name)",
        remedy: "Use a newer version of the plugin")
    }
    let (arguments, error) = raw(method, prepare)
    if let error { throw translated(error, action()) }
    return arguments
  }

  /// Calls a method that is known to exist and returns its error unchanged.
  func raw<Arguments: PluginArguments>(
    _ method: PluginMethod<Arguments>, _ prepare: (inout Arguments) -> Void
  ) -> (Arguments, UnsafeMutableRawPointer?) {
    let size = MemoryLayout<Arguments>.size + Self.spareBytes
    return withUnsafeTemporaryAllocation(byteCount: size, alignment: 16) { memory in
      memory.initializeMemory(as: UInt8.self, repeating: 0)
      let arguments = memory.bindMemory(to: Arguments.self)
      prepare(&arguments[0])
      arguments[0].head.size = size
      let error = pjrt_call(api, Int32(method.place), memory.baseAddress)
      return (arguments[0], error)
    }
  }

  /// The table, for calls that prepare their arguments once.
  var api: UnsafePointer<PjrtApi> { UnsafePointer(table.pointer.assumingMemoryBound(to: PjrtApi.self)) }

  /// Makes our error from the plugin's, which is destroyed.
  func translated(_ error: UnsafeMutableRawPointer, _ action: String) -> DeviceError {
    let message = raw(.errorMessage) { $0.object = UnsafeRawPointer(error) }.0
    let text = Self.text(message.text, message.length)
    let (code, second) = raw(.errorCode) { $0.object = UnsafeRawPointer(error) }
    if let second { _ = raw(.destroyError) { $0.object = second } }
    _ = raw(.destroyError) { $0.object = error }
    return DeviceError(action: action, code: Int(code.value), text: text)
  }

  static func text(_ start: UnsafePointer<CChar>?, _ length: Int) -> String {
    guard let start else { return "" }
    return String(decoding: UnsafeRawBufferPointer(start: start, count: length), as: UTF8.self)
  }

  /// A text that a method returns for an object.
  func text(_ method: PluginMethod<PjrtObjectToText>, of object: Handle, _ action: String) throws(DeviceError) -> String
  {
    let result = try call(method, action) { $0.object = UnsafeRawPointer(object.pointer) }
    return Self.text(result.text, result.length)
  }

  /// The plugin's properties, by name.
  public func attributes() throws -> [String: AttributeValue] {
    guard has(PluginMethod.attributes) else { return [:] }
    let result = try call(.attributes, "read the plugin's attributes") { _ in }
    return attributeValues(result.values, result.count)
  }

  /// Destroys an object; nobody could handle a failure.
  func destroy(_ method: PluginMethod<PjrtObject>, _ object: Handle) {
    let (_, error) = raw(method) { $0.object = object.pointer }
    if let error { _ = raw(.destroyError) { $0.object = error } }
  }
}
