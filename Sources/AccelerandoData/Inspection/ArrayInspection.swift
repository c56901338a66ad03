// What is in arrays in files: their types, ranges, and what no loss can be computed from.

import AccelerandoCore
import AccelerandoFormats
import Foundation

/// One array: NPY, or IDX plain or gzipped.
enum ArrayInspection: InspectableData {
  static func isAt(_ url: URL) -> Bool {
    guard let contents = try? FileContents(url) else { return false }
    switch FileKind(of: contents) {
    case .npy, .idx: return true
    // A gzipped table is no IDX file.
    case .gzip: return (try? IDX.read(contents)) != nil
    default: return false
    }
  }

  static func summary(of url: URL, _ settings: InspectionSettings) throws -> DataSummary {
    let contents = try FileContents(url)
    let isNPY = FileKind(of: contents) == .npy
    let array = isNPY ? try NPY.read(contents) : try IDX.read(contents)
    var summary = DataSummary(
      source: url.path, kind: isNPY ? "NPY" : "IDX", count: array.shape.first ?? 1, things: "rows")
    describe(array, called: url.deletingPathExtension().lastPathComponent, into: &summary)
    return summary
  }

  /// Describes an array and its classes, and says what is suspicious of it.
  static func describe(_ array: NDArray, called name: String, into summary: inout DataSummary) {
    let numbers = array.elements(as: Double.self)
    let sample = array.shape.dropFirst().isEmpty ? "" : " \(Array(array.shape.dropFirst()))"
    var column = ColumnSummary(name: name, type: "\(array.dtype.rawValue)\(sample)")
    var (sum, squares, count, infinite) = (0.0, 0.0, 0.0, 0)
    var (low, high) = (Double.infinity, -Double.infinity)
    var counts: [Double: Int]? = array.shape.count <= 1 || Array(array.shape.dropFirst()).elementCount == 1 ? [:] : nil
    for value in numbers {
      if value.isNaN {
        column.missing += 1
        continue
      }
      if value.isInfinite { infinite += 1 }
      (low, high) = (min(low, value), max(high, value))
      count += 1
      let step = value - sum
      sum += step / count
      squares += step * (value - sum)
      counts?[value, default: 0] += 1
    }
    func text(_ value: Double) -> String { Int(exactly: value).map { "\($0)" } ?? String(format: "%.6g", value) }
    if count > 0 {
      (column.minimum, column.maximum) = (text(low), text(high))
      (column.mean, column.deviation) = (sum, (squares / count).squareRoot())
    }
    column.distinct = counts?.count
    summary.columns.append(column)
    if column.missing > 0 {
      summary.suspicions.append("'\(name)' has \(column.missing) elements that are no number (NaN).")
    }
    if infinite > 0 { summary.suspicions.append("'\(name)' has \(infinite) infinite elements.") }
    if count > 1, low == high { summary.suspicions.append("All elements of '\(name)' are \(text(low)).") }
    guard let counts, !counts.isEmpty, counts.count <= 1000, counts.count * 2 <= numbers.count,
      counts.keys.allSatisfy({ $0 == $0.rounded() })
    else { return }
    summary.balances.append(
      ClassBalance(name: name, counts: Dictionary(counts.map { (text($0.key), $0.value) }, uniquingKeysWith: +)))
    // Classes are counted from 0.
    if low < 0, counts.count > 2 {
      summary.suspicions.append("'\(name)' has labels below 0: classes are counted from 0.")
    } else if counts.count > 2, low >= 0, Int(exactly: high).map({ $0 + 1 != counts.count }) ?? true {
      summary.suspicions.append(
        "'\(name)' has \(counts.count) different labels from \(text(low)) to \(text(high)): classes are counted from 0 without gaps."
      )
    }
  }
}

/// Arrays by name in an NPZ file.
enum ArchiveInspection: InspectableData {
  static func isAt(_ url: URL) -> Bool {
    guard let contents = try? FileContents(url), FileKind(of: contents) == .zip,
      let archive = try? NPZArchive(contents)
    else { return false }
    return !archive.names.isEmpty
  }

  static func summary(of url: URL, _ settings: InspectionSettings) throws -> DataSummary {
    let archive = try NPZArchive(FileContents(url))
    let arrays = try archive.names.compactMap { name in try archive.array(name).map { (name, $0) } }
    var summary = DataSummary(
      source: url.path, kind: "NPZ", count: arrays.first?.1.shape.first ?? 0, things: "rows in the first array")
    for (name, array) in arrays { ArrayInspection.describe(array, called: name, into: &summary) }
    // Inputs and targets of one part, and samples of one part in the other.
    for part in ["train", "test"] {
      let sizes = arrays.filter { $0.0.hasSuffix("_\(part)") || $0.0.contains("_\(part)_") }
      if let first = sizes.first, let other = sizes.first(where: { $0.1.shape.first != first.1.shape.first }) {
        summary.suspicions.append(
          "'\(first.0)' has \(first.1.shape.first ?? 0) rows and '\(other.0)' \(other.1.shape.first ?? 0): samples and targets do not match."
        )
      }
    }
    for (name, array) in arrays where name.hasPrefix("x_test") {
      guard let twin = arrays.first(where: { $0.0 == "x_train" + name.dropFirst(6) })?.1,
        twin.shape.dropFirst() == array.shape.dropFirst()
      else { continue }
      let known = Set(rowHashes(twin))
      let shared = rowHashes(array).count { known.contains($0) }
      if shared > 0 {
        summary.suspicions.append(
          "\(shared) of the \(array.shape.first ?? 0) samples of '\(name)' are also in 'x_train\(name.dropFirst(6))': what is measured on them is not new."
        )
      }
    }
    return summary
  }

  private static func rowHashes(_ array: NDArray) -> [Int] {
    let rows = array.shape.first ?? 0
    guard rows > 0 else { return [] }
    let size = array.byteCount / rows
    return array.withUnsafeBytes { bytes in
      (0..<rows).map { row in
        var hasher = Hasher()
        hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: bytes[row * size..<(row + 1) * size]))
        return hasher.finalize()
      }
    }
  }
}
