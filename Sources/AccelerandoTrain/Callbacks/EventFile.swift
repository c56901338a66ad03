// The files that TensorBoard reads: records with checksums, each holding one Event message. The few fields in use are
// encoded by hand; a protobuf library would cost every clean build more than all of this.

import AccelerandoCore
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

  /// Writes how the values of arrays are spread, by tag (HistogramProto: min, max, num, sum, sum_squares, bucket_limit, bucket).
  /// Numbers that are not finite are left out.
  func write(histograms: [(tag: String, values: NDArray)], step: Int) throws {
    var summary = Data()
    for (tag, array) in histograms {
      let values = array.elements(as: Double.self).filter(\.isFinite)
      let (low, high) = (values.min() ?? 0, values.max() ?? 0)
      let count = 30
      let width = (high - low) / Double(count)
      var buckets = [Double](repeating: 0, count: count)
      for value in values {
        let place = width > 0 && width.isFinite ? (value - low) / width : 0
        buckets[min(max(Int(place), 0), count - 1)] += 1
      }
      var histogram = Data()
      let sums = [low, high, Double(values.count), values.reduce(0, +), values.reduce(0) { $0 + $1 * $1 }]
      for (number, value) in sums.enumerated() {
        histogram.append(key(UInt8(number + 1), wire: 1))
        histogram.append(littleEndian(value.bitPattern))
      }
      // The last limit is the largest value itself, whatever rounding made of the sum.
      let limits = (1...count).map { $0 == count ? high : low + Double($0) * width }
      for (number, list) in [(UInt8(6), limits), (7, buckets)] {
        histogram.append(field(number, list.reduce(into: Data()) { $0.append(littleEndian($1.bitPattern)) }))
      }
      summary.append(field(1, field(1, Data(tag.utf8)) + field(5, histogram)))
    }
    try append(event(step: step, field: 5, summary))
  }

  /// Writes a graph (GraphDef of NodeDefs: name, op, input).
  func write(graph: [(name: String, operation: String, inputs: [String])]) throws {
    var content = Data()
    for node in graph {
      var entry = field(1, Data(node.name.utf8)) + field(2, Data(node.operation.utf8))
      for input in node.inputs { entry.append(field(3, Data(input.utf8))) }
      content.append(field(1, entry))
    }
    try append(event(step: 0, field: 4, content))
  }

  /// An Event: wall_time (1), step (2), and file_version (3), graph_def (4) or summary (5).
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
