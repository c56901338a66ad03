// The order of samples in an epoch: a function of the seed and the epoch alone, so that the same seed trains the same
// bits, and a run that resumes at epoch 5 continues with the same order.

import AccelerandoCore
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
