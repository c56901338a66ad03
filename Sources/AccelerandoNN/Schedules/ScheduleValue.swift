// A number that is either known now or computed in the program. Schedules are formulas over it, so that each is written
// once for both the compiled step and the host.

import AccelerandoCore

#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// A number on the host, or a scalar of a program that is being traced.
public enum ScheduleValue {
  /// A number that is known.
  case known(Double)
  /// A floating-point scalar in a trace.
  case traced(Tensor)

  /// The number if it is known.
  public var known: Double? {
    if case .known(let value) = self { return value }
    return nil
  }

  /// The value as a tensor of the same trace and element type as another.
  func tensor(like other: Tensor) -> Tensor {
    switch self {
    case .known(let value): other.scalar(value)
    case .traced(let tensor): tensor
    }
  }

  private func combined(
    _ other: ScheduleValue, _ known: (Double, Double) -> Double, _ traced: (Tensor, Tensor) -> Tensor
  ) -> ScheduleValue {
    switch (self, other) {
    case (.known(let a), .known(let b)): .known(known(a, b))
    case (.traced(let a), _): .traced(traced(a, other.tensor(like: a)))
    case (.known, .traced(let b)): .traced(traced(tensor(like: b), b))
    }
  }

  private func mapped(_ known: (Double) -> Double, _ traced: (Tensor) -> Tensor) -> ScheduleValue {
    switch self {
    case .known(let value): .known(known(value))
    case .traced(let tensor): .traced(traced(tensor))
    }
  }

  public static func + (a: Self, b: Self) -> Self { a.combined(b, +, +) }
  public static func - (a: Self, b: Self) -> Self { a.combined(b, -, -) }
  public static func * (a: Self, b: Self) -> Self { a.combined(b, *, *) }
  public static func / (a: Self, b: Self) -> Self { a.combined(b, /, /) }

  /// The smaller of two values.
  public func minimum(_ other: Self) -> Self { combined(other, Swift.min) { $0.minimum($1) } }
  /// The larger of two values.
  public func maximum(_ other: Self) -> Self { combined(other, Swift.max) { $0.maximum($1) } }
  /// The value raised to a power.
  public func power(_ exponent: Self) -> Self { combined(exponent, pow) { $0.power($1) } }
  /// The largest whole number not above the value.
  public func floor() -> Self { mapped({ $0.rounded(.down) }) { $0.floor() } }
  /// The smallest whole number not below the value.
  public func ceil() -> Self { mapped({ $0.rounded(.up) }) { $0.ceil() } }
  /// The natural logarithm of the value.
  public func log() -> Self { mapped({ logarithm($0) }) { $0.log() } }
  /// The cosine of the value, in radians.
  public func cosine() -> Self { mapped({ cos($0) }) { $0.cos() } }

  /// One value while this one is below a limit, another afterwards.
  public func choosing(below limit: Self, _ before: Self, else after: Self) -> Self {
    if let value = known, let limit = limit.known { return value < limit ? before : after }
    guard case .traced(let like) = self.combined(limit, +, +) else { return after }
    let isBefore = tensor(like: like).less(than: limit.tensor(like: like))
    return .traced(select(isBefore, before.tensor(like: like), after.tensor(like: like)))
  }
}

extension ScheduleValue: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral {
  public init(floatLiteral value: Double) { self = .known(value) }
  public init(integerLiteral value: Int) { self = .known(Double(value)) }
}

/// The function of the system's library, whose name is that of the method.
private func logarithm(_ value: Double) -> Double { log(value) }
