// Plugins work asynchronously; an event tells when work is done, and whether it succeeded.

import CPJRT

/// A handle to asynchronous device work.
struct Event: Sendable {
  let plugin: Plugin
  let handle: Handle

  init(_ pointer: UnsafeMutableRawPointer?, _ plugin: Plugin, from method: String) throws(DeviceError) {
    self.plugin = plugin
    handle = try Handle(pointer, from: method)
  }

  /// Waits, and destroys the event.
  func wait(_ action: @autoclosure () -> String) throws(DeviceError) {
    let (_, error) = plugin.raw(.awaitEvent) { $0.object = handle.pointer }
    plugin.destroy(.destroyEvent, handle)
    if let error { throw plugin.translated(error, action()) }
  }

  /// Keeps an object alive until the work is done; destroys the event.
  func keepAlive(_ object: AnyObject & Sendable) {
    let kept = Keeper(object, plugin)
    let context = Unmanaged.passRetained(kept).toOpaque()
    let (_, error) = plugin.raw(.onReady) {
      $0.event = handle.pointer
      $0.context = context
      $0.callback = { error, context in
        guard let context else { return }
        let keeper = Unmanaged<Keeper>.fromOpaque(context).takeRetainedValue()
        if let error { _ = keeper.plugin.raw(.destroyError) { $0.object = error } }
      }
    }
    if let error {
      // It will not be called: the object is released when the work is done.
      _ = plugin.raw(.destroyError) { $0.object = error }
      _ = plugin.raw(.awaitEvent) { $0.object = handle.pointer }
      Unmanaged<Keeper>.fromOpaque(context).release()
    }
    plugin.destroy(.destroyEvent, handle)
  }

  private final class Keeper: Sendable {
    let object: any AnyObject & Sendable
    let plugin: Plugin
    init(_ object: any AnyObject & Sendable, _ plugin: Plugin) {
      self.object = object
      self.plugin = plugin
    }
  }
}
