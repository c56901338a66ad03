// How often each token occurs, and in how many samples. Counts of parts of the data add up to those of the whole, so
// that data larger than memory are counted in one pass, on any number of threads.

import AccelerandoFormats

/// How often tokens occur in some samples.
public struct TokenCounts: Sendable {
  /// The count of one token.
  struct Count: Sendable {
    /// How often it occurs.
    var occurrences = 0
    /// The number of samples in which it occurs.
    var samples = 0
    /// The last of these, from 1; only of use while they are counted.
    var lastSample = 0
  }

  private(set) var texts: [ExactName: Count] = [:]
  private(set) var integers: [Int: Count] = [:]
  /// The number of samples.
  public private(set) var sampleCount = 0

  /// Counts nothing yet.
  public init() {}

  /// Begins the next sample.
  mutating func beginSample() { sampleCount += 1 }

  /// Counts a text of the current sample.
  mutating func count(_ text: String) { Self.count(&texts[ExactName(text), default: Count()], in: sampleCount) }

  /// Counts a whole number of the current sample.
  mutating func count(_ integer: Int) { Self.count(&integers[integer, default: Count()], in: sampleCount) }

  private static func count(_ count: inout Count, in sample: Int) {
    count.occurrences += 1
    if count.lastSample != sample {
      count.lastSample = sample
      count.samples += 1
    }
  }

  /// Adds the counts of other samples.
  public mutating func merge(_ other: TokenCounts) {
    func sum(_ a: Count, _ b: Count) -> Count {
      Count(occurrences: a.occurrences + b.occurrences, samples: a.samples + b.samples)
    }
    texts.merge(other.texts, uniquingKeysWith: sum)
    integers.merge(other.integers, uniquingKeysWith: sum)
    sampleCount += other.sampleCount
  }
}
