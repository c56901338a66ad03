// The ways in which a dataset can be downloaded. Each puts the files into a directory and guarantees nothing: the
// caller verifies their checksums.

import AccelerandoFormats
import Foundation

/// A place outside this machine that has a dataset.
package protocol DatasetSource: Sendable {
  /// The name to show.
  var name: String { get }
  /// Puts the files into a new directory inside `scratch`.
  /// - Returns: the directory.
  /// - Throws: `FormatError` when they are not available from here.
  func fetch(_ files: [DatasetFile], scratch: URL, observer: FetchObserver) throws -> URL
}

/// A file of a dataset.
package struct DatasetFile: Sendable {
  /// Its name without `.gz`.
  package let name: String
  /// The size of the gzipped file, approximately: for the progress bar.
  package let compressedSize: Int
  /// The digest of the decompressed file: gzip compresses the same bytes differently in different places.
  package let sha256: String

  package init(name: String, compressedSize: Int, sha256: String) {
    self.name = name
    self.compressedSize = compressedSize
    self.sha256 = sha256
  }
}

/// A package of Debian and its relatives, downloaded and unpacked without being installed, so that no root is needed.
package struct DebianPackage: DatasetSource {
  package let package: String
  /// The path of the files in the package.
  package let folder: String
  /// The size of the package, approximately: for the progress bar.
  package let size: Int
  package var name: String { "Debian's package \(package)" }

  package func fetch(_ files: [DatasetFile], scratch: URL, observer: FetchObserver) throws -> URL {
    guard Command.find("apt-get") != nil, Command.find("dpkg-deb") != nil else {
      throw FormatError(file: package, reason: "this system has no apt-get")
    }
    do {
      try download(options: [], into: scratch, observer: observer)
    } catch {
      // A system that has never read the package lists, such as a fresh container, does not know the package. The lists
      // can be read into a directory of our own.
      let state = scratch.appendingPathComponent("apt", isDirectory: true)
      for part in ["lists/partial", "archives/partial"] {
        try makeDirectory(at: state.appendingPathComponent(part))
      }
      let options = [
        "-o", "Dir::State::Lists=\(state.path)/lists", "-o", "Dir::Cache=\(state.path)",
        "-o", "Dir::Cache::archives=\(state.path)/archives", "-o", "Debug::NoLocking=1",
      ]
      observer(.note("Reading the list of packages …"))
      try Command(name: "apt-get", arguments: options + ["update"], directory: scratch).run()
      try download(options: options, into: scratch, observer: observer)
    }
    let contents = try FileManager.default.contentsOfDirectory(at: scratch, includingPropertiesForKeys: nil)
    guard let archive = contents.first(where: { $0.pathExtension == "deb" }) else {
      throw FormatError(file: package, reason: "apt-get downloaded nothing")
    }
    let unpacked = scratch.appendingPathComponent("unpacked", isDirectory: true)
    try Command(name: "dpkg-deb", arguments: ["-x", archive.path, unpacked.path], directory: scratch).run()
    return unpacked.appendingPathComponent(folder, isDirectory: true)
  }

  private func download(options: [String], into scratch: URL, observer: FetchObserver) throws {
    try Command(name: "apt-get", arguments: options + ["download", package], directory: scratch).run {
      let present = (try? FileManager.default.contentsOfDirectory(atPath: scratch.path)) ?? []
      if let archive = present.first(where: { $0.hasPrefix(package) }) {
        let received = sizeOfFile(scratch.appendingPathComponent(archive))
        observer(.progress(file: package, received: min(received, size), total: size))
      }
    }
    observer(.progress(file: package, received: size, total: size))
  }
}

/// Files on the web.
package struct WebFolder: DatasetSource {
  /// The address that file names are appended to.
  package let address: String
  package var name: String { address }

  package func fetch(_ files: [DatasetFile], scratch: URL, observer: FetchObserver) throws -> URL {
    let folder = scratch.appendingPathComponent("web-\(UUID().uuidString)", isDirectory: true)
    try makeDirectory(at: folder)
    for file in files {
      let target = folder.appendingPathComponent("\(file.name).gz")
      let arguments = [
        "--fail", "--location", "--silent", "--show-error", "--connect-timeout", "15", "--speed-limit", "1000",
        "--speed-time", "30", "--retry", "2", "--output", target.path, "\(address)\(file.name).gz",
      ]
      try Command(name: "curl", arguments: arguments, directory: folder).run {
        let received = min(sizeOfFile(target), file.compressedSize)
        observer(.progress(file: file.name, received: received, total: file.compressedSize))
      }
      observer(.progress(file: file.name, received: file.compressedSize, total: file.compressedSize))
    }
    return folder
  }
}

private func sizeOfFile(_ url: URL) -> Int {
  var status = stat()
  return stat(url.path, &status) == 0 ? Int(status.st_size) : 0
}
