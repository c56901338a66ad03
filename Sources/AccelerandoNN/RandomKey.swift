// Random numbers without hidden state: a key is a value, and the numbers are a function of the key alone. The generator
// is threefry2x32 with the partitionable counter layout of JAX, so every element can be drawn alone and in any order.
// Transcendental functions are computed here from IEEE arithmetic: the bits must not depend on the system's libm.

import AccelerandoCore

/// A key of the counter-based generator threefry2x32; equal keys draw equal numbers, on every machine.
public struct RandomKey: Hashable, Sendable {
  /// The upper 32 bits.
  public let high: UInt32
  /// The lower 32 bits.
  public let low: UInt32

  /// Makes a key of two words.
  public init(_ high: UInt32, _ low: UInt32) {
    self.high = high
    self.low = low
  }

  /// Makes a key of a seed: its upper and its lower 32 bits.
  public init(seed: UInt64) {
    self.init(UInt32(truncatingIfNeeded: seed >> 32), UInt32(truncatingIfNeeded: seed))
  }

  /// The key as an input of programs: `uint32[2]`.
  public var array: NDArray { NDArray([high, low]) }

  /// The generator's block function: encrypts a pair of words in twenty rounds.
  public func encrypt(_ first: UInt32, _ second: UInt32) -> (UInt32, UInt32) {
    let keys = (high, low, high ^ low ^ 0x1BD1_1BDA)
    var (x, y) = (first &+ keys.0, second &+ keys.1)
    func mix(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: UInt32) {
      round(a)
      round(b)
      round(c)
      round(d)
    }
    func round(_ rotation: UInt32) {
      x = x &+ y
      y = (y &<< rotation | y &>> (32 &- rotation)) ^ x
    }
    mix(13, 15, 26, 6)
    (x, y) = (x &+ keys.1, y &+ keys.2 &+ 1)
    mix(17, 29, 16, 24)
    (x, y) = (x &+ keys.2, y &+ keys.0 &+ 2)
    mix(13, 15, 26, 6)
    (x, y) = (x &+ keys.0, y &+ keys.1 &+ 3)
    mix(17, 29, 16, 24)
    (x, y) = (x &+ keys.1, y &+ keys.2 &+ 4)
    mix(13, 15, 26, 6)
    return (x &+ keys.2, y &+ keys.0 &+ 5)
  }
}

extension RandomKey {
  /// `count` words of random bits. Word `i` depends on the key and `i` alone.
  public func bits(_ count: Int) -> [UInt32] {
    drawn(count) { words, numbers, count in numbers.update(from: words, count: count) }
  }

  /// `count` numbers made of words, a block of them at a time.
  /// - Parameter convert: turns words into numbers, as many as it is told.
  private func drawn<Number: BitwiseCopyable>(
    _ count: Int, _ convert: (UnsafeMutablePointer<UInt32>, UnsafeMutablePointer<Number>, Int) -> Void
  ) -> [Number] {
    let count = max(count, 0)
    return [Number](unsafeUninitializedCapacity: count) { numbers, made in
      withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 2 * Self.block) { memory in
        guard let numbers = numbers.baseAddress, let words = memory.baseAddress else { return }
        for start in stride(from: 0, to: count, by: Self.block) {
          fill(words, words + Self.block, from: start)
          convert(words, numbers + start, min(Self.block, count - start))
        }
      }
      made = count
    }
  }

  private static let block = 256

  /// Writes a block of words. The rounds are the outer loop, so that the processor computes several words at a time.
  private func fill(_ x: UnsafeMutablePointer<UInt32>, _ y: UnsafeMutablePointer<UInt32>, from start: Int) {
    let keys = [high, low, high ^ low ^ 0x1BD1_1BDA]
    // A block that begins at a multiple of its size has the same upper half of the index throughout.
    let (upper, lower) = (UInt32(truncatingIfNeeded: start >> 32), UInt32(truncatingIfNeeded: start))
    for index in 0..<Self.block {
      x[index] = upper &+ keys[0]
      y[index] = lower &+ UInt32(truncatingIfNeeded: index) &+ keys[1]
    }
    for group in 0..<5 {
      for rotation in group % 2 == 0 ? [13, 15, 26, 6] as [UInt32] : [17, 29, 16, 24] {
        for index in 0..<Self.block {
          x[index] = x[index] &+ y[index]
          y[index] = (y[index] &<< rotation | y[index] &>> (32 &- rotation)) ^ x[index]
        }
      }
      let (first, second) = (keys[(group + 1) % 3], keys[(group + 2) % 3] &+ UInt32(group + 1))
      for index in 0..<Self.block {
        x[index] = x[index] &+ first
        y[index] = y[index] &+ second
      }
    }
    for index in 0..<Self.block { x[index] ^= y[index] }
  }

  /// `count` keys, practically independent of each other and of this key.
  public func split(_ count: Int = 2) -> [RandomKey] {
    (0..<max(count, 0)).map { index in
      let (a, b) = encrypt(UInt32(truncatingIfNeeded: index >> 32), UInt32(truncatingIfNeeded: index))
      return RandomKey(a, b)
    }
  }

  /// A key derived from this key and a number: for step 7, for worker 3.
  public func folded(_ number: UInt32) -> RandomKey {
    let (a, b) = encrypt(0, number)
    return RandomKey(a, b)
  }

  /// A key derived from this key and a name, such as a parameter's path.
  public func folded(_ name: String) -> RandomKey {
    // FNV-1a: Swift's own hashes differ from run to run.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return folded(UInt32(truncatingIfNeeded: hash >> 32)).folded(UInt32(truncatingIfNeeded: hash))
  }

  /// `count` numbers uniform in `low ..< high`.
  public func uniform(_ count: Int, from low: Float = 0, to high: Float = 1) -> [Float] {
    let width = high - low
    return drawn(count) { words, numbers, count in
      for index in 0..<count {
        // 23 random bits behind a leading one make a number in 1 ..< 2.
        let unit = Float(bitPattern: words[index] &>> 9 | 0x3F80_0000) - 1
        let number = unit * width + low
        numbers[index] = number < low ? low : number
      }
    }
  }

  /// `count` numbers of the standard normal distribution.
  public func normal(_ count: Int) -> [Float] {
    uniform(count, from: Float(-1).nextUp, to: 1).map { Float(2).squareRoot() * inverseErf($0) }
  }

  /// `count` numbers of the standard normal distribution truncated to `low ... high`.
  public func truncatedNormal(_ count: Int, from low: Float = -2, to high: Float = 2) -> [Float] {
    let root = Float(2).squareRoot()
    return uniform(count, from: Float(erf(Double(low / root))), to: Float(erf(Double(high / root)))).map { u in
      min(max(root * inverseErf(u), low.nextUp), high.nextDown)
    }
  }

  /// The numbers `0 ..< count` in random order.
  public func permutation(_ count: Int) -> [Int] {
    var order = Array(0..<max(count, 0))
    // Sorting by random words leaves ties in order; enough rounds make that negligible.
    let rounds = Int((3 * logarithm(Double(max(count, 1))) / logarithm(Double(UInt32.max))).rounded(.up))
    var key = self
    for _ in 0..<rounds {
      let keys = key.split()
      key = keys[0]
      let words = keys[1].bits(count)
      let ranked = words.indices.map { UInt64(words[$0]) << 32 | UInt64($0) }.sorted()
      order = ranked.map { order[Int($0 & 0xFFFF_FFFF)] }
    }
    return order
  }
}

/// The inverse of the error function, with the single-precision approximation of M. Giles (2010), evaluated in `Float`.
private func inverseErf(_ x: Float) -> Float {
  let magnitude = Double(x.magnitude)
  if magnitude == 1 { return x * .infinity }
  var w = Float(-logarithm((1 - magnitude) * (1 + magnitude)))
  let isCentral = w < 5
  w = isCentral ? w - 2.5 : w.squareRoot() - 3
  let coefficients = isCentral ? centralCoefficients : tailCoefficients
  return x * coefficients.dropFirst().reduce(coefficients[0]) { $0 * w + $1 }
}

private let centralCoefficients: [Float] = [
  2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
  0.246640727, 1.50140941,
]
private let tailCoefficients: [Float] = [
  -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
  1.00167406, 2.83297682,
]

/// The error function by its power series; beyond ±4 it is ±1 in single precision.
private func erf(_ x: Double) -> Double {
  if x.magnitude > 4 { return x > 0 ? 1 : -1 }
  var (term, sum, n) = (x, x, 1.0)
  while term.magnitude > 1e-18 {
    term *= -x * x / n
    sum += term / (2 * n + 1)
    n += 1
  }
  return sum * 2 / Double.pi.squareRoot()
}

/// The natural logarithm of a positive finite number: exponent and series of atanh for the significand.
private func logarithm(_ x: Double) -> Double {
  var (exponent, significand) = (Double(x.exponent), x.significand)
  if significand > 1.5 {
    significand /= 2
    exponent += 1
  }
  let s = (significand - 1) / (significand + 1)
  var (power, sum, n) = (s, s, 3.0)
  while power.magnitude > 1e-18 {
    power *= s * s
    sum += power / n
    n += 2
  }
  return exponent * 0.693147180559945309417 + 2 * sum
}
