// TensorFlow's hash of text, which decides where words go that no vocabulary has: other bits would put them elsewhere than
// Keras does. The function is FarmHash's Fingerprint64 (G. Pike, 2014), a hash that is the same on every machine.

/// Fingerprint64 of bytes.
struct FarmHash {
  private static let k0: UInt64 = 0xc3a5_c85c_97cb_3127
  private static let k1: UInt64 = 0xb492_b66f_be98_f273
  private static let k2: UInt64 = 0x9ae1_6a3b_2f90_404f

  private let bytes: UnsafeRawBufferPointer
  private var length: Int { bytes.count }

  /// The fingerprint of a text's bytes.
  static func fingerprint(_ text: String) -> UInt64 {
    var text = text
    return text.withUTF8 { FarmHash(bytes: UnsafeRawBufferPointer($0)).value }
  }

  /// Two fingerprints made one, as TensorFlow crosses features.
  static func joined(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let mul: UInt64 = 0xc6a4_a793_5bd1_e995
    var result = a ^ mul
    result ^= shiftMix(b &* mul) &* mul
    result = shiftMix(result &* mul) &* mul
    return shiftMix(result)
  }

  private var value: UInt64 {
    switch length {
    case 0...16: upTo16()
    case 17...32: upTo32()
    case 33...64: upTo64()
    default: long()
    }
  }

  private func word(_ offset: Int) -> UInt64 {
    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  private func half(_ offset: Int) -> UInt64 {
    UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
  }

  private static func rotated(_ value: UInt64, _ bits: UInt64) -> UInt64 { value &>> bits | value &<< (64 - bits) }

  private static func shiftMix(_ value: UInt64) -> UInt64 { value ^ value &>> 47 }

  private static func mixed(_ u: UInt64, _ v: UInt64, _ mul: UInt64) -> UInt64 {
    let a = shiftMix((u ^ v) &* mul)
    return shiftMix((v ^ a) &* mul) &* mul
  }

  private func upTo16() -> UInt64 {
    let mul = Self.k2 &+ UInt64(length) &* 2
    if length >= 8 {
      let a = word(0) &+ Self.k2
      let b = word(length - 8)
      return Self.mixed(
        Self.rotated(b, 37) &* mul &+ a, (Self.rotated(a, 25) &+ b) &* mul, mul)
    }
    if length >= 4 { return Self.mixed(UInt64(length) &+ half(0) &<< 3, half(length - 4), mul) }
    guard length > 0 else { return Self.k2 }
    let y = UInt64(bytes[0]) &+ UInt64(bytes[length >> 1]) &<< 8
    let z = UInt64(length) &+ UInt64(bytes[length - 1]) &<< 2
    return Self.shiftMix(y &* Self.k2 ^ z &* Self.k0) &* Self.k2
  }

  private func upTo32() -> UInt64 {
    let mul = Self.k2 &+ UInt64(length) &* 2
    let a = word(0) &* Self.k1
    let b = word(8)
    let c = word(length - 8) &* mul
    let d = word(length - 16) &* Self.k2
    return Self.mixed(
      Self.rotated(a &+ b, 43) &+ Self.rotated(c, 30) &+ d, a &+ Self.rotated(b &+ Self.k2, 18) &+ c, mul)
  }

  private func upTo64() -> UInt64 {
    let mul = Self.k2 &+ UInt64(length) &* 2
    let a = word(0) &* Self.k2
    let b = word(8)
    let c = word(length - 8) &* mul
    let d = word(length - 16) &* Self.k2
    let y = Self.rotated(a &+ b, 43) &+ Self.rotated(c, 30) &+ d
    let z = Self.mixed(y, a &+ Self.rotated(b &+ Self.k2, 18) &+ c, mul)
    let e = word(16) &* mul
    let f = word(24)
    let g = (y &+ word(length - 32)) &* mul
    let h = (z &+ word(length - 24)) &* mul
    return Self.mixed(
      Self.rotated(e &+ f, 43) &+ Self.rotated(g, 30) &+ h, e &+ Self.rotated(f &+ a, 18) &+ g, mul)
  }

  /// Two words of state that take in 32 bytes.
  private func absorbed(_ offset: Int, _ first: UInt64, _ second: UInt64) -> (UInt64, UInt64) {
    let a = first &+ word(offset)
    let last = word(offset + 24)
    let b = Self.rotated(second &+ a &+ last, 21)
    let sum = a &+ word(offset + 8) &+ word(offset + 16)
    return (sum &+ last, b &+ Self.rotated(sum, 44) &+ a)
  }

  private func long() -> UInt64 {
    let seed: UInt64 = 81
    var y = seed &* Self.k1 &+ 113
    var z = Self.shiftMix(y &* Self.k2 &+ 113) &* Self.k2
    var x = seed &* Self.k2 &+ word(0)
    var v: (UInt64, UInt64) = (0, 0)
    var w: (UInt64, UInt64) = (0, 0)
    let blocks = (length - 1) / 64
    for block in 0..<blocks {
      let at = block * 64
      x = Self.rotated(x &+ y &+ v.0 &+ word(at + 8), 37) &* Self.k1
      y = Self.rotated(y &+ v.1 &+ word(at + 48), 42) &* Self.k1
      x ^= w.1
      y = y &+ v.0 &+ word(at + 40)
      z = Self.rotated(z &+ w.0, 33) &* Self.k1
      v = absorbed(at, v.1 &* Self.k1, x &+ w.0)
      w = absorbed(at + 32, z &+ w.1, y &+ word(at + 16))
      swap(&z, &x)
    }
    let mul = Self.k1 &+ (z & 0xff) &<< 1
    let at = length - 64
    w.0 = w.0 &+ UInt64((length - 1) & 63)
    v.0 = v.0 &+ w.0
    w.0 = w.0 &+ v.0
    x = Self.rotated(x &+ y &+ v.0 &+ word(at + 8), 37) &* mul
    y = Self.rotated(y &+ v.1 &+ word(at + 48), 42) &* mul
    x ^= w.1 &* 9
    y = y &+ v.0 &* 9 &+ word(at + 40)
    z = Self.rotated(z &+ w.0, 33) &* mul
    v = absorbed(at, v.1 &* mul, x &+ w.0)
    w = absorbed(at + 32, z &+ w.1, y &+ word(at + 16))
    swap(&z, &x)
    return Self.mixed(
      Self.mixed(v.0, w.0, mul) &+ Self.shiftMix(y) &* Self.k0 &+ z, Self.mixed(v.1, w.1, mul) &+ x, mul)
  }
}
