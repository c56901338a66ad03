// Options of compilation: a protocol buffer, of which a few fields are written here by hand. Empty options end the
// process inside XLA, so they cannot be made.

/// How a program is compiled.
public struct CompileOptions: Hashable, Sendable {
  /// The number of copies of the program, each with a part of the data.
  public var replicas = 1
  /// The number of devices that one copy of the program is partitioned over.
  public var partitions = 1
  /// The plugin's indices of the devices to run on, one for each copy and partition; nil for the first ones.
  public var deviceNumbers: [Int]?
  /// Settings of the compiler by name; each compiler has its own, and refuses unknown ones.
  public var settings: [String: String] = [:]

  /// Options for one device.
  /// - Parameter deviceNumber: the plugin's index of the device.
  public init(deviceNumber: Int) { deviceNumbers = [deviceNumber] }

  /// Options for many devices.
  public init(replicas: Int, partitions: Int = 1, deviceNumbers: [Int]? = nil) {
    self.replicas = max(replicas, 1)
    self.partitions = max(partitions, 1)
    self.deviceNumbers = deviceNumbers
  }

  /// The options as the bytes of a `CompileOptionsProto`.
  var bytes: [UInt8] {
    var build = ProtocolBuffer()
    build.add(4, integer: replicas)
    build.add(5, integer: partitions)
    if partitions > 1 {
      // Sharding annotations need SPMD partitioning, those of Shardy both.
      build.add(6, integer: 1)
      build.add(19, integer: 1)
    }
    if let deviceNumbers, deviceNumbers.count == replicas * partitions {
      var assignment = ProtocolBuffer()
      assignment.add(1, integer: replicas)
      assignment.add(2, integer: partitions)
      for partition in 0..<partitions {
        var devices = ProtocolBuffer()
        for replica in 0..<replicas { devices.add(1, integer: deviceNumbers[replica * partitions + partition]) }
        assignment.add(3, message: devices)
      }
      build.add(9, message: assignment)
    }
    var options = ProtocolBuffer()
    options.add(3, message: build)
    for (name, setting) in settings.sorted(by: { $0.key < $1.key }) {
      var value = ProtocolBuffer()
      // Each kind has its own field.
      switch (setting.lowercased(), Int(setting)) {
      case ("true", _): value.add(2, integer: 1)
      case ("false", _): value.add(2, integer: 0)
      case (_, let integer?): value.add(3, integer: integer)
      default: value.add(1, text: setting)
      }
      var entry = ProtocolBuffer()
      entry.add(1, text: name)
      entry.add(2, message: value)
      options.add(7, message: entry)
    }
    return options.bytes
  }
}

/// The kinds of protocol buffer fields that are needed: integers, strings, and nested messages.
struct ProtocolBuffer {
  private(set) var bytes: [UInt8] = []

  mutating func add(_ field: Int, integer: Int) {
    add(varint: UInt64(field) << 3)
    add(varint: UInt64(bitPattern: Int64(integer)))
  }

  mutating func add(_ field: Int, message: ProtocolBuffer) { add(field, content: message.bytes) }

  mutating func add(_ field: Int, text: String) { add(field, content: Array(text.utf8)) }

  private mutating func add(_ field: Int, content: [UInt8]) {
    add(varint: UInt64(field) << 3 | 2)
    add(varint: UInt64(content.count))
    bytes += content
  }

  private mutating func add(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}
