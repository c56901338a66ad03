// A plugin's objects.

/// A plugin's object. Unchecked because a pointer is not Sendable by itself: plugins guarantee that their methods may
/// be called from any thread, and the code that destroys an object holds the only reference to it.
struct Handle: Hashable, @unchecked Sendable {
  let pointer: UnsafeMutableRawPointer

  init(_ pointer: UnsafeMutableRawPointer) { self.pointer = pointer }

  init(_ pointer: UnsafeMutableRawPointer?, from method: String) throws(DeviceError) {
    guard let pointer else { throw DeviceError(.failed, "the plugin's \(method) gave nothing and no error") }
    self.pointer = pointer
  }
}
