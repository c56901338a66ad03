// Where datasets may be on this machine. The environment is read only here, so that everything else can be tested with
// other places.

import AccelerandoFormats
import Foundation

/// The directories in which a dataset is searched for, and the one in which it is kept.
public struct DatasetPlaces: Sendable {
  /// A directory that the user named: only this one is searched.
  public var named: URL?
  /// The directory that the variable `ACCELERANDO_DATA` names.
  public var preferred: URL?
  /// The user's cache, where fetched datasets are kept.
  public var cache: URL
  /// Where the system's packages put datasets, in the order of the search.
  public var system: [URL]
  /// Whether a dataset that is nowhere may be fetched.
  public var mayFetch: Bool

  /// Makes a set of places.
  public init(
    named: URL? = nil, preferred: URL? = nil, cache: URL, system: [URL] = [], mayFetch: Bool = true
  ) {
    self.named = named
    self.preferred = preferred
    self.cache = cache
    self.system = system
    self.mayFetch = mayFetch
  }

  /// The places for this user on this machine.
  public static func current(
    named: URL? = nil, environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> DatasetPlaces {
    func directory(_ variable: String) -> URL? {
      guard let path = environment[variable], !path.isEmpty else { return nil }
      return URL(fileURLWithPath: path, isDirectory: true)
    }
    // Debian's packages put datasets into the directory `datasets` of the system's data directories.
    let shared = environment["XDG_DATA_DIRS"].flatMap { $0.isEmpty ? nil : $0 } ?? "/usr/local/share:/usr/share"
    return DatasetPlaces(
      named: named, preferred: directory("ACCELERANDO_DATA"), cache: userCacheDirectory(environment),
      system: shared.split(separator: ":").map {
        URL(fileURLWithPath: String($0), isDirectory: true).appendingPathComponent("datasets", isDirectory: true)
      })
  }
}
