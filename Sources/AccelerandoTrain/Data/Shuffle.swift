// The order of samples in an epoch: a function of the seed and the epoch alone, so that the same seed trains the same
// bits, and a run that resumes at epoch 5 continues with the same order.

import AccelerandoNN

/// The indices of a range in random order (Fisher-Yates shuffle).
func shuffledOrder(_ rows: Range<Int>, key: RandomKey) -> [Int] {
  var order = Array(rows)
  var generator = SplitMix(state: UInt64(key.high) << 32 | UInt64(key.low))
  var last = order.count - 1
  while last > 0 {
    let other = Int(generator.next(upperBound: UInt64(last + 1)))
    if other != last { order.swapAt(last, other) }
    last -= 1
  }
  return order
}

/// SplitMix64 by Steele, Lea and Flood: far cheaper than a cipher, and good enough for the order of samples.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
