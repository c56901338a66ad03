// The files that TensorBoard reads: records with checksums, each holding one Event message. The four fields in use are
// encoded by hand; a protobuf library would cost every clean build more than all of this.

import AccelerandoFormats
import Foundation

/// An event file of TensorBoard that is being written.
final class EventFile {
  private let file: LogFile

  /// A name that TensorBoard takes for that of an event file, and that no other run has.
  static func newName() -> String {
    let process = ProcessInfo.processInfo
    let seconds = Int(Date().timeIntervalSince1970)
    let uptime = DispatchTime.now().uptimeNanoseconds
    return "events.out.tfevents.\(seconds).\(process.hostName).\(process.processIdentifier).\(uptime)"
  }

  /// Makes a file in a directory, which is made if it is not there. An earlier file of the name is emptied.
  /// - Throws: `FormatError` when the file cannot be made.
  init(in directory: URL, named name: String) throws {
    try makeDirectory(at: directory)
    file = try LogFile(directory.appendingPathComponent(name), continues: false)
    try append(event(step: 0, field: 3, Data("brain.Event:2".utf8)))
  }

  /// Takes a file that is there, to write at its end; nil if it is gone.
  init?(continuing url: URL) {
    guard let file = try? LogFile(url, continues: true, creates: false) else { return nil }
    self.file = file
  }

  /// The bytes that were written.
  func length() throws -> Int { try file.length() }

  /// Writes numbers of a step, by tag.
  func write(_ values: [(tag: String, value: Double)], step: Int) throws {
    var summary = Data()
    for (tag, value) in values {
      var entry = field(1, Data(tag.utf8))
      entry.append(key(2, wire: 5))
      entry.append(littleEndian(Float(value).bitPattern))
      summary.append(field(1, entry))
    }
    try append(event(step: step, field: 5, summary))
  }

  /// An Event: wall_time (1), step (2), and file_version (3) or summary (5).
  private func event(step: Int, field number: UInt8, _ content: Data) -> Data {
    var event = key(1, wire: 1)
    event.append(littleEndian(Date().timeIntervalSince1970.bitPattern))
    if step > 0 {
      event.append(key(2, wire: 0))
      event.append(varint(UInt64(step)))
    }
    event.append(field(number, content))
    return event
  }

  /// A record: length, its checksum, content, its checksum.
  private func append(_ content: Data) throws {
    let length = littleEndian(UInt64(content.count))
    var record = length
    record.append(littleEndian(maskedChecksum(length)))
    record.append(content)
    record.append(littleEndian(maskedChecksum(content)))
    try file.write([UInt8](record))
  }

  private func key(_ number: UInt8, wire: UInt8) -> Data { Data([number << 3 | wire]) }

  private func field(_ number: UInt8, _ content: Data) -> Data {
    key(number, wire: 2) + varint(UInt64(content.count)) + content
  }

  private func varint(_ value: UInt64) -> Data {
    var rest = value
    var bytes: [UInt8] = []
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return Data(bytes + [UInt8(rest)])
  }

  private func littleEndian<Number: FixedWidthInteger>(_ value: Number) -> Data {
    withUnsafeBytes(of: value.littleEndian) { Data($0) }
  }

  /// CRC-32C (Castagnoli), rotated and offset as in the record format.
  private func maskedChecksum(_ bytes: Data) -> UInt32 {
    var crc = UInt32.max
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
    }
    crc = ~crc
    return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
  }
}
