// NumPy's format for one array: the exchange with Python.

import AccelerandoCore
import Foundation

/// NPY files, versions 1 to 3, in C and Fortran order, of either byte order.
///
/// `bfloat16` is stored as by NumPy's package ml_dtypes, as two bytes without a type (`V2`).
public enum NPY {
  /// Reads a file. Elements in C order and little-endian are mapped where the file is large, not read.
  /// 16-bit integers become `int32`, which holds all of them.
  /// - Throws: `FormatError` when the file cannot be read, is no NPY file, is truncated or longer than it says, or
  ///   holds elements that no `DType` stands for.
  public static func read(_ url: URL) throws -> NDArray { try read(FileContents(url)) }

  /// Reads a file that is already open.
  public static func read(_ contents: FileContents) throws -> NDArray {
    var reader = ByteReader(contents)
    let header = try NPYHeader(&reader)
    let left = contents.count - reader.offset
    guard left == header.payload else {
      throw reader.error(
        "\(header.shape) elements of \(header.format.width) bytes need \(header.payload) bytes; the file has \(left)",
        remedy: left < header.payload ? "The file is truncated; get it again" : "The file is damaged; get it again")
    }
    let format = header.format
    let isNarrow = format.width != format.dtype.byteCount
    let shape = header.isFortranOrder ? Array(header.shape.reversed()) : header.shape
    let stored = isNarrow ? TensorType(.uint8, [header.payload]) : TensorType(format.dtype, shape)
    var array = try contents.array(at: reader.offset, type: stored)
    if format.isBigEndian { array.withUnsafeMutableBytes { $0.reverseBytes(ofWidth: format.width) } }
    if isNarrow { array = try array.widened(isSigned: format.isSigned).reshaped(shape) }
    return header.isFortranOrder ? array.transposedFromFortranOrder() : array
  }

  /// Writes a file, whole or not at all.
  /// - Throws: `FormatError` when the file cannot be written.
  public static func write(_ array: NDArray, to url: URL) throws {
    try AtomicFile.write(to: url) { file in
      try file.write(NPYHeader.encoded(array.type))
      try array.withUnsafeBytes { try file.write($0) }
    }
  }

  /// The bytes of a file that holds the array.
  public static func encoded(_ array: NDArray) -> [UInt8] {
    array.withUnsafeBytes { NPYHeader.encoded(array.type) + $0 }
  }
}

extension NDArray {
  /// The array whose dimensions are these in reverse: what Fortran order stores first varies fastest.
  fileprivate func transposedFromFortranOrder() -> NDArray {
    let width = dtype.byteCount
    var result = NDArray(zeros: type.with(Array(shape.reversed())))
    guard elementCount > 0 else { return result }
    let sizes = result.shape
    // In the source, one step along the result's dimension `axis` skips the sizes of all the dimensions before it.
    var steps: [Int] = []
    var step = width
    for size in sizes {
      steps.append(step)
      step *= size
    }
    withUnsafeBytes { source in
      result.withUnsafeMutableBytes { target in
        var index = [Int](repeating: 0, count: sizes.count)
        var from = 0
        for to in stride(from: 0, to: target.count, by: width) {
          for byte in 0..<width { target[to + byte] = source[from + byte] }
          for axis in sizes.indices.reversed() {
            index[axis] += 1
            from += steps[axis]
            if index[axis] < sizes[axis] { break }
            from -= steps[axis] * sizes[axis]
            index[axis] = 0
          }
        }
      }
    }
    return result
  }
}
