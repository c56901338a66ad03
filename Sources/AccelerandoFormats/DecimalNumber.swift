// Numbers in text, as fast as they can be read: a table of a million rows has tens of millions of them. The result is the
// nearest Double, as strtod's is. Nearly all numbers need one product, of the digits and 128 bits of the power of ten
// (D. Lemire, "Number parsing at a gigabyte per second", 2021). The few that it cannot decide go to the standard library.

import Foundation

/// Reads decimal numbers from bytes.
///
/// Unchecked because a pointer is not Sendable by itself: the table that it points to is written once.
struct DecimalNumber: @unchecked Sendable {
  /// What separates the fraction: a point, or a comma.
  let separator: UInt8
  private let powers: UnsafePointer<PowerOfFive>

  init(separator: UInt8 = UInt8(ascii: ".")) {
    self.separator = separator
    powers = PowerOfFive.table
  }

  /// A number, and where it ends.
  struct Result {
    var value: Double
    var end: UnsafePointer<UInt8>
    /// Whether it has neither a fraction nor an exponent.
    var isInteger: Bool
  }

  /// Reads a number that begins at `start`: a sign, digits with or without a fraction, an exponent. Infinities and NaN are
  /// words and are not read here.
  /// - Returns: nil where no number begins.
  @inline(__always)
  func read(_ start: UnsafePointer<UInt8>, _ limit: UnsafePointer<UInt8>) -> Result? {
    var place = start
    guard place < limit else { return nil }
    // Half of all numbers may be negative, in no order: nothing to branch on.
    let sign = place.pointee
    let isNegative = sign == UInt8(ascii: "-")
    place += isNegative || sign == UInt8(ascii: "+") ? 1 : 0
    let first = place
    var digits: UInt64 = 0
    readDigits(&digits, &place, limit)
    var count = place - first
    var exponent = 0
    var isInteger = true
    if place < limit, place.pointee == separator {
      place += 1
      let fraction = place
      readDigits(&digits, &place, limit)
      exponent = fraction - place
      count += place - fraction
      isInteger = false
    }
    guard count > 0 else { return nil }
    let mantissaEnd = place
    if place < limit, place.pointee | 0x20 == UInt8(ascii: "e") {
      guard let written = readExponent(&place, limit) else { return nil }
      exponent += written
      isInteger = false
    }
    var value: Double
    // Nineteen digits always fit into 64 bits.
    if count <= 19, let rounded = nearest(digits, exponent) {
      value = rounded
    } else {
      value = readSlowly(first, mantissaEnd, place)
    }
    value = Double(bitPattern: value.bitPattern ^ (UInt64(isNegative ? 1 : 0) << 63))
    return Result(value: value, end: place, isInteger: isInteger)
  }

  @inline(__always)
  private func readDigits(
    _ digits: inout UInt64, _ place: inout UnsafePointer<UInt8>, _ limit: UnsafePointer<UInt8>
  ) {
    while limit - place >= 8 {
      let word = UInt64(littleEndian: UnsafeRawPointer(place).loadUnaligned(as: UInt64.self)) ^ 0x3030_3030_3030_3030
      // The highest bit of each byte that is no digit.
      let others = (((word & 0x7F7F_7F7F_7F7F_7F7F) &+ 0x7676_7676_7676_7676) | word) & 0x8080_8080_8080_8080
      let count = others.trailingZeroBitCount / 8
      // The digits before it, behind zeros: numbers of every length take the same way, which no processor guesses.
      digits = digits &* wholePower(count) &+ Self.eightDigits(count == 0 ? 0 : word &<< UInt64(64 &- 8 &* count))
      place += count
      if count < 8 { return }
    }
    while place < limit {
      let digit = place.pointee &- UInt8(ascii: "0")
      guard digit <= 9 else { break }
      digits = digits &* 10 &+ UInt64(digit)
      place += 1
    }
  }

  /// The number that eight bytes of 0 to 9 say, the first byte lowest.
  @inline(__always)
  private static func eightDigits(_ bytes: UInt64) -> UInt64 {
    let pairs = (bytes &* 10) &+ (bytes >> 8)
    let low = (pairs & 0x0000_00FF_0000_00FF) &* 0x000F_4240_0000_0064
    let high = ((pairs >> 16) & 0x0000_00FF_0000_00FF) &* 0x0000_2710_0000_0001
    return (low &+ high) >> 32
  }

  /// 10 to the power of 0 to 8.
  @inline(__always)
  private func wholePower(_ exponent: Int) -> UInt64 { powers[exponent &+ PowerOfFive.offset].wholeTen }

  /// Reads `e-12` at `place`; nil where no digits follow.
  private func readExponent(_ place: inout UnsafePointer<UInt8>, _ limit: UnsafePointer<UInt8>) -> Int? {
    place += 1
    var isNegative = false
    if place < limit, place.pointee == UInt8(ascii: "-") || place.pointee == UInt8(ascii: "+") {
      isNegative = place.pointee == UInt8(ascii: "-")
      place += 1
    }
    let first = place
    var exponent = 0
    while place < limit {
      let digit = place.pointee &- UInt8(ascii: "0")
      guard digit <= 9 else { break }
      // Beyond this every number is zero or infinite, unless it has as many digits.
      if exponent < 1 << 40 { exponent = exponent * 10 + Int(digit) }
      place += 1
    }
    return place == first ? nil : isNegative ? -exponent : exponent
  }

  /// The Double nearest to `digits` · 10^`exponent`; nil where that takes more than a product of 128 bits.
  @inline(__always)
  private func nearest(_ digits: UInt64, _ exponent: Int) -> Double? {
    if exponent == 0, digits <= 1 << 53 { return Double(digits) }
    if digits == 0 || exponent < -342 { return 0 }
    if exponent > 308 { return .infinity }
    let shift = digits.leadingZeroBitCount
    let scaled = digits << UInt64(shift)
    let power = powers[exponent + PowerOfFive.offset]
    var (high, low) = scaled.multipliedFullWidth(by: power.high)
    // 55 bits decide: 53, one to round by, and one that the product may lack. Only where all below them are ones can the
    // lower half of the power reach them.
    if high & 0x1FF == 0x1FF {
      let second = scaled.multipliedFullWidth(by: power.low).high
      let (sum, overflow) = low.addingReportingOverflow(second)
      low = sum
      if overflow { high &+= 1 }
      if low == .max, exponent < -27 || exponent > 55 { return nil }
    }
    let top = Int(high >> 63)
    var mantissa = high >> UInt64(top + 9)
    // The binary exponent of 10^exponent is the floor of exponent · log2(10).
    var binary = ((217706 &* exponent) >> 16) + 63 + top - shift + 1023
    // Numbers that have fewer bits are rare.
    guard binary > 0 else { return nil }
    // Halfway between two: to the even one. Only these powers leave the product exact.
    if low <= 1, exponent >= -4, exponent <= 23, mantissa & 3 == 1, mantissa << UInt64(top + 9) == high {
      mantissa &= ~1
    }
    mantissa = (mantissa + (mantissa & 1)) >> 1
    if mantissa >= 1 << 53 {
      mantissa = 1 << 52
      binary += 1
    }
    guard binary < 0x7FF else { return .infinity }
    return Double(bitPattern: UInt64(binary) << 52 | (mantissa & (1 << 52 - 1)))
  }

  /// Reads a number of many digits, or one that no product decides.
  /// - Parameters:
  ///   - first: where its digits begin, behind the sign.
  ///   - end: where they end.
  ///   - exponentEnd: where its exponent ends.
  private func readSlowly(
    _ first: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>, _ exponentEnd: UnsafePointer<UInt8>
  ) -> Double {
    var exponent = 0
    if end < exponentEnd {
      var place = end
      exponent = readExponent(&place, exponentEnd) ?? 0
    }
    // The first nineteen digits that count, and whether others follow.
    var (digits, count, isCut, isFraction): (UInt64, Int, Bool, Bool) = (0, 0, false, false)
    var place = first
    while place < end {
      defer { place += 1 }
      if place.pointee == separator {
        isFraction = true
        continue
      }
      let digit = UInt64(place.pointee &- UInt8(ascii: "0"))
      if count < 19 {
        digits = digits * 10 + digit
        if digits > 0 { count += 1 }
        if isFraction { exponent -= 1 }
      } else {
        isCut = isCut || digit > 0
        if !isFraction { exponent += 1 }
      }
    }
    // What is cut off lies between these two.
    if let low = nearest(digits, exponent),
      !isCut || (digits < .max && nearest(digits + 1, exponent) == low)
    {
      return low
    }
    let bytes = UnsafeBufferPointer(start: first, count: exponentEnd - first)
    let text = String(decoding: bytes.map { $0 == separator ? UInt8(ascii: ".") : $0 }, as: UTF8.self)
    // The standard library takes "5." as well as ".5" with a digit more.
    return Double("0" + text) ?? Double("0" + text.replacingOccurrences(of: ".", with: ".0")) ?? .nan
  }
}

/// 128 bits of a power of five, its highest bit set: truncated for positive exponents, rounded up for negative ones.
private struct PowerOfFive {
  var high: UInt64
  var low: UInt64
  /// The power of ten for exponents of 0 to 19.
  var wholeTen: UInt64 = 0

  /// The place of the exponent 0 in the table.
  static let offset = 342

  /// The powers of −342 to 308: beyond them every number of 19 digits is zero or infinite. Made once, kept for good.
  nonisolated(unsafe) static let table: UnsafePointer<PowerOfFive> = {
    let table = UnsafeMutablePointer<PowerOfFive>.allocate(capacity: offset + 309)
    // Limbs of 32 bits, the lowest first.
    var limbs: [UInt64] = [1]
    for exponent in 0...308 {
      let (high, low) = leadingBits(limbs)
      table[offset + exponent] = PowerOfFive(high: high, low: low)
      var carry: UInt64 = 0
      for index in limbs.indices {
        let product = limbs[index] * 5 + carry
        (limbs[index], carry) = (product & 0xFFFF_FFFF, product >> 32)
      }
      if carry > 0 { limbs.append(carry) }
    }
    // Dividing by 5 again and again, down to a whole number each time, is dividing by the power.
    limbs = [UInt64](repeating: 0, count: 34) + [1]
    for exponent in 1...offset {
      var rest: UInt64 = 0
      for index in limbs.indices.reversed() {
        let part = rest << 32 | limbs[index]
        (limbs[index], rest) = (part / 5, part % 5)
      }
      let (high, low) = leadingBits(limbs)
      table[offset - exponent] = PowerOfFive(
        high: low == .max ? high + 1 : high, low: low &+ 1)
    }
    for exponent in 0..<20 { table[offset + exponent].wholeTen = (0..<exponent).reduce(1) { value, _ in value * 10 } }
    return UnsafePointer(table)
  }()

  /// The highest 128 bits of a number, from its highest one on.
  private static func leadingBits(_ limbs: [UInt64]) -> (UInt64, UInt64) {
    var top = limbs.count - 1
    while limbs[top] == 0 { top -= 1 }
    func limb(_ index: Int) -> UInt64 { index >= 0 ? limbs[index] : 0 }
    let shift = UInt64(limbs[top].leadingZeroBitCount - 32)
    func word(_ index: Int) -> UInt64 {
      ((limb(index) << 32 | limb(index - 1)) << shift) | (shift == 0 ? 0 : limb(index - 2) >> (32 - shift))
    }
    return (word(top), word(top - 2))
  }
}
