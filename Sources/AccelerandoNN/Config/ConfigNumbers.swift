// Settings that are numbers within limits, for the catalogs.

extension ConfigReader {
  /// A number from 0 to 1, or `fallback` where it is not set.
  func fraction(_ key: String, default fallback: Double) throws -> Double {
    let number = try double(key, default: fallback)
    guard (0...1).contains(number) else { throw refused(key, "a number from 0 to 1") }
    return number
  }

  /// A number above 0, or `fallback` where it is not set.
  func positive(_ key: String, default fallback: Double) throws -> Double {
    let number = try double(key, default: fallback)
    guard number > 0, number.isFinite else { throw refused(key, "a number above 0") }
    return number
  }

  /// A whole number of at least 1, or `fallback` where it is not set.
  func count(_ key: String, default fallback: Int) throws -> Int {
    let number = try int(key, default: fallback)
    guard number >= 1 else { throw refused(key, "a whole number of at least 1") }
    return number
  }

  /// What to throw for a setting that is there and cannot be.
  func refused(_ key: String, _ expected: String) -> ConfigError {
    complaint(key, expected, value(key) ?? Config(.null))
  }
}
