// Radix sort: no comparisons, the same time for any order, ten times as fast as sorting indices by comparing their
// elements.

private let bits = 11
private let digits = 1 << bits
private let passes = 3

/// The scratch memory for sorting this many numbers.
func digitSortScratchBytes(count: Int) -> Int { (2 * count + passes * digits) * MemoryLayout<UInt32>.size }

/// Sorts float32 numbers that are `stride` apart. Stable; NaN is larger than all numbers, 0 and −0 are equal.
/// - Parameter scratch: at least `digitSortScratchBytes(count:)` bytes.
func sortByDigits(
  _ source: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>, count: Int, stride: Int, descending: Bool,
  scratch: UnsafeMutableRawPointer
) {
  if count == 0 { return }
  let flip: UInt32 = descending ? .max : 0
  /// Unsigned integers in the order of the numbers.
  @inline(__always) func key(_ pattern: UInt32) -> UInt32 {
    if pattern & 0x7fff_ffff > 0x7f80_0000 { return .max ^ flip }
    if pattern & 0x7fff_ffff == 0 { return 0x8000_0000 ^ flip }
    return (pattern & 0x8000_0000 == 0 ? pattern | 0x8000_0000 : ~pattern) ^ flip
  }
  let base = scratch.assumingMemoryBound(to: UInt32.self)
  var (from, to) = (base, base + count)
  let places = base + 2 * count
  places.update(repeating: 0, count: passes * digits)
  for index in 0..<count {
    let pattern = source[index &* stride].bitPattern
    from[index] = pattern
    let k = key(pattern)
    for pass in 0..<passes { places[pass &* digits &+ Int(k >> UInt32(pass &* bits)) & (digits &- 1)] &+= 1 }
  }
  for pass in 0..<passes {
    let own = places + pass * digits
    var next: UInt32 = 0
    for digit in 0..<digits {
      let size = own[digit]
      own[digit] = next
      next &+= size
    }
    for index in 0..<count {
      let pattern = from[index]
      let digit = Int(key(pattern) >> UInt32(pass &* bits)) & (digits &- 1)
      to[Int(own[digit])] = pattern
      own[digit] &+= 1
    }
    swap(&from, &to)
  }
  for index in 0..<count { target[index &* stride] = Float(bitPattern: from[index]) }
}
