// Random shapes and values for tests. Seeded, so that a failure names the seed and comes back; hostile on purpose: empty
// and size-1 axes, NaN, infinities, signed zeros, the ends of the integer ranges.

import AccelerandoCore
import Foundation

/// A small seeded generator (SplitMix64).
public struct RandomSource: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// Makes a generator; equal seeds give equal numbers.
  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A number uniform in `range`.
  public mutating func real(_ range: ClosedRange<Double> = 0...1) -> Double { Double.random(in: range, using: &self) }

  /// A number of the standard normal distribution.
  public mutating func normal() -> Double {
    (-2 * log(1 - real(0...0.999_999))).squareRoot() * cos(2 * .pi * real())
  }

  /// An integer uniform in `range`.
  public mutating func integer(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

  /// True with the given probability.
  public mutating func chance(_ probability: Double) -> Bool { real() < probability }

  /// One of the elements of a list that has some.
  public mutating func pick<Element>(_ elements: [Element]) -> Element { elements[integer(0...elements.count - 1)] }
}

/// What the values of a random tensor are like. Integers and booleans take what makes sense for them.
public enum Domain: Sendable {
  /// Everything that the type can hold, special values included; for gradients, numbers that lie off the kinks.
  case any
  /// Moderate numbers, among them zeros: what sums and products stay accurate for.
  case moderate
  /// Numbers uniform in the range.
  case range(ClosedRange<Double>)
  /// Numbers no two of which are close, in random order: for maxima and sorting.
  case distinct
}

/// Makes the operands of one example: shapes and values that suit the element type and the purpose.
public struct ExampleMaker {
  /// The numbers that everything is made of.
  public var random: RandomSource
  /// The element type to make an example for.
  public let dtype: DType
  /// Whether the example will be differentiated by finite differences: small, smooth, without special values.
  public let isForGradient: Bool

  /// Makes a maker.
  public init(seed: UInt64, dtype: DType, isForGradient: Bool = false) {
    random = RandomSource(seed: seed)
    self.dtype = dtype
    self.isForGradient = isForGradient
  }

  /// The size of one axis: now and then 0 or 1, mostly small and odd or even, seldom large.
  public mutating func size(atLeast minimum: Int = 0) -> Int {
    let roll = random.real()
    let size =
      if roll < 0.04 { 0 } else if roll < 0.2 { 1 } else if roll < 0.95 || isForGradient {
        random.integer(2...(isForGradient ? 3 : 9))
      } else { random.integer(15...70) }
    return max(size, minimum)
  }

  /// A shape of a rank in `ranks`.
  public mutating func shape(_ ranks: ClosedRange<Int> = 0...4, atLeast minimum: Int = 0) -> [Int] {
    let rank = random.integer(ranks)
    // A long vector: past the end of every SIMD width and every chunk that is dealt to threads.
    if rank == 1, !isForGradient, random.chance(0.25) { return [random.integer(1000...40_000)] }
    var shape = (0..<rank).map { _ in size(atLeast: minimum) }
    while shape.elementCount > 60_000 { shape[random.integer(0...rank - 1)] = 2 }
    return shape
  }

  /// A tensor of the example's element type.
  public mutating func tensor(_ shape: [Int], _ domain: Domain = .any, dtype: DType? = nil) -> NDArray {
    let type = TensorType(dtype ?? self.dtype, shape)
    if type.dtype.isFloating { return NDArray(reals(type.elementCount, domain), type) }
    let integers = (0..<type.elementCount).map { _ in integer(type.dtype, domain) }
    return NDArray(integers: integers, type)
  }

  /// A tensor of indices: mostly inside `0 ..< limit`, sometimes outside.
  public mutating func indices(_ shape: [Int], limit: Int, dtype: DType) -> NDArray {
    let lowest = dtype.isUnsigned ? 0 : -2
    let values = (0..<shape.elementCount).map { _ in
      random.chance(0.75) ? random.integer(0...max(limit - 1, 0)) : random.integer(lowest...limit + 2)
    }
    return NDArray(integers: values.map(Int64.init), TensorType(dtype, shape))
  }

  private mutating func reals(_ count: Int, _ domain: Domain) -> [Double] {
    switch domain {
    case .any: return (0..<count).map { _ in isForGradient ? offKinks() : anything() }
    case .moderate: return (0..<count).map { _ in random.chance(0.05) ? 0 : random.normal() }
    case .range(let range): return (0..<count).map { _ in random.real(range) }
    case .distinct:
      let spread = (0..<count).map { Double($0) + random.real(0...0.5) - Double(count / 2) }
      return spread.shuffled(using: &random).map { $0 * (count > 100 ? 0.01 : 0.2) }
    }
  }

  /// A number that is not near a multiple of ½, where roundings jump and |x| bends.
  private mutating func offKinks() -> Double {
    (random.normal() * 3).rounded() / 2 + random.real(0.1...0.4)
  }

  /// No subnormal numbers: a fast backend may take them for zeros.
  private mutating func anything() -> Double {
    if random.chance(0.9) { return random.normal() * 3 }
    return random.pick([
      0, -0.0, 1, -1, 0.5, -2.5, .nan, .infinity, -.infinity, 1e-3, 1e3, -1e3, 1e-30, 1e30, 70000, 88, -104,
    ])
  }

  private mutating func integer(_ dtype: DType, _ domain: Domain) -> Int64 {
    switch domain {
    case .any:
      let roll = random.real()
      if roll < 0.4 { return dtype.wrapped(Int64(random.integer(-9...9))) }
      if roll < 0.9 { return dtype.wrapped(Int64(bitPattern: random.next())) }
      let top = Int64.max >> Int64(64 - dtype.bitCount)
      return dtype.wrapped(random.pick([0, 1, -1, top, ~top]))
    case .moderate, .distinct: return dtype.wrapped(Int64(random.integer(dtype.isUnsigned ? 0...9 : -5...5)))
    case .range(let range):
      let value = Int64(nearestTo: random.real(range))
      return dtype.wrapped(dtype.isUnsigned ? max(value, 0) : value)
    }
  }
}

extension NDArray {
  /// An array of a floating-point type from numbers, rounded to it.
  init(_ reals: [Double], _ type: TensorType) { self.init(type, reals.map { .real($0) }) }

  /// An array of an integer type from integers that fit.
  init(integers: [Int64], _ type: TensorType) { self.init(type, integers.map { .integer($0) }) }

  private init(_ type: TensorType, _ elements: [ReferenceScalar]) {
    // The makers above count the elements from the shape, so the array can always be made.
    self = (try? ReferenceArray(type, elements).array()) ?? NDArray(zeros: type)
  }
}
