// A hash of text with a key ("salt"), as TensorFlow's strong hash is: SipHash-2-4 (Aumasson and Bernstein, 2012).

/// SipHash-2-4 of a text's bytes.
struct SipHash {
  private var v0: UInt64
  private var v1: UInt64
  private var v2: UInt64
  private var v3: UInt64

  private init(_ salt: Salt) {
    let (k0, k1) = (UInt64(bitPattern: Int64(salt.first)), UInt64(bitPattern: Int64(salt.second)))
    v0 = k0 ^ 0x736f_6d65_7073_6575
    v1 = k1 ^ 0x646f_7261_6e64_6f6d
    v2 = k0 ^ 0x6c79_6765_6e65_7261
    v3 = k1 ^ 0x7465_6462_7974_6573
  }

  /// The hash of a text.
  static func hash(_ text: String, salt: Salt) -> UInt64 {
    var text = text
    return text.withUTF8 { bytes in
      var state = SipHash(salt)
      let whole = bytes.count & ~7
      for offset in stride(from: 0, to: whole, by: 8) {
        state.absorb(
          UInt64(littleEndian: UnsafeRawBufferPointer(bytes).loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
      }
      var last = UInt64(truncatingIfNeeded: bytes.count) &<< 56
      for (place, byte) in bytes[whole...].enumerated() { last |= UInt64(byte) &<< UInt64(8 * place) }
      state.absorb(last)
      state.v2 ^= 0xff
      for _ in 0..<4 { state.round() }
      return state.v0 ^ state.v1 ^ state.v2 ^ state.v3
    }
  }

  private mutating func absorb(_ word: UInt64) {
    v3 ^= word
    round()
    round()
    v0 ^= word
  }

  private mutating func round() {
    func turned(_ value: UInt64, _ bits: UInt64) -> UInt64 { value &<< bits | value &>> (64 - bits) }
    v0 = v0 &+ v1
    v1 = turned(v1, 13) ^ v0
    v0 = turned(v0, 32)
    v2 = v2 &+ v3
    v3 = turned(v3, 16) ^ v2
    v0 = v0 &+ v3
    v3 = turned(v3, 21) ^ v0
    v2 = v2 &+ v1
    v1 = turned(v1, 17) ^ v2
    v2 = turned(v2, 32)
  }
}

/// The key of a hash.
public struct Salt: Hashable, Sendable {
  /// The first half of the key.
  public let first: Int
  /// The second half of the key.
  public let second: Int

  /// Takes the halves of the key.
  public init(_ first: Int, _ second: Int) {
    self.first = first
    self.second = second
  }

  /// Takes one number for both halves.
  public init(_ value: Int) { self.init(value, value) }
}

/// The buckets into which a hash puts text, as TensorFlow's `to_hash_bucket_fast` and `to_hash_bucket_strong`.
struct HashBuckets {
  let count: Int
  var salt: Salt?

  /// The bucket of a text, from 0.
  func bucket(of text: String) -> Int {
    let hash = salt.map { SipHash.hash(text, salt: $0) } ?? FarmHash.fingerprint(text)
    return Int(hash % UInt64(max(count, 1)))
  }
}
