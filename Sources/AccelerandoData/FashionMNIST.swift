// Fashion-MNIST downloads automatically if it is not on the machine. In the cache it is decompressed, so that later
// starts map it instead of decompressing it.

import AccelerandoCore
import AccelerandoFormats
import Foundation

/// Fashion-MNIST: 60,000 and 10,000 grey images of 28 × 28, in ten classes of clothing.
///
/// The data are copyright Zalando SE, under the MIT licence.
public enum FashionMNIST {
  /// The names of the classes.
  public static let classNames = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
  ]

  /// Its name on the command line and in recipes; its directory has this name everywhere.
  public static let name = "fashion-mnist"

  /// The type of one image.
  public static let imageType = TensorType(.uint8, [28, 28, 1])

  /// The number of images to train on.
  public static let trainingCount = 60_000

  package static let files = [
    DatasetFile(
      name: "train-images-idx3-ubyte", compressedSize: 26_421_880,
      sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
    DatasetFile(
      name: "train-labels-idx1-ubyte", compressedSize: 29_515,
      sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    DatasetFile(
      name: "t10k-images-idx3-ubyte", compressedSize: 4_422_102,
      sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
    DatasetFile(
      name: "t10k-labels-idx1-ubyte", compressedSize: 5_148,
      sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
  ]

  static let sources: [any DatasetSource] = [
    DebianPackage(package: "dataset-fashion-mnist", folder: "usr/share/datasets/fashion-mnist", size: 30_900_652),
    WebFolder(address: "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"),
    WebFolder(address: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"),
  ]

  /// Loads the dataset: from the directory that `places` names, or else from `ACCELERANDO_DATA`, the user's cache or
  /// the system's packages; if none of them has it, it is downloaded and kept in the cache.
  ///
  /// A directory may hold the four files plain or gzipped, itself or in a folder `fashion-mnist`.
  /// - Parameters:
  ///   - places: the directories to search.
  ///   - observer: is told about downloads.
  /// - Throws: `FormatError` when the files are damaged or do not match, or when they cannot be downloaded.
  public static func load(
    from places: DatasetPlaces = .current(), observer: FetchObserver = TerminalFetchObserver().observe
  ) throws -> ImageDataset {
    if let named = places.named {
      guard let found = locate(in: named) else { throw missing(in: named) }
      return try dataset(of: found)
    }
    if let preferred = places.preferred, let found = locate(in: preferred) { return try dataset(of: found) }
    return try loadKept(files, in: places, observer: observer)
  }

  /// Loads the files from the cache; where it does not have them, or they are damaged, from the system or from the web.
  package static func loadKept(
    _ files: [DatasetFile], in places: DatasetPlaces, observer: FetchObserver
  ) throws -> ImageDataset {
    let cache = places.cache.appendingPathComponent(name, isDirectory: true)
    if let found = locate(in: cache) {
      do {
        // Verified each time: a damaged image would be trained on like any other.
        return try dataset(verified(found, files: files), names: found.map(\.path))
      } catch {
        observer(.note("The cached data cannot be used and are fetched again: \(error)"))
      }
    }
    for directory in places.system {
      if let found = locate(in: directory) { return try keep(found, files: files, in: cache, observer: observer) }
    }
    guard places.mayFetch else {
      throw FormatError(
        file: name, reason: "the dataset is not on this machine", remedy: "Run 'accelerando data fetch \(name)'")
    }
    return try fetch(files, from: sources, into: cache, observer: observer)
  }

  /// The arrays of files that are the ones they should be.
  /// - Throws: `FormatError` for damaged files, and others.
  private static func verified(_ found: [URL], files: [DatasetFile]) throws -> [NDArray] {
    try zip(files, found).map { file, url in
      let array = try IDX.read(url)
      let digest = try IDX.sha256(of: array)
      guard digest == file.sha256 else {
        throw FormatError(
          file: url.path, reason: "its contents have the SHA-256 \(digest), not \(file.sha256)",
          remedy: "The file is damaged or is another one; remove it and fetch it again")
      }
      return array
    }
  }

  /// Fetches the files from the first source that has them into a cache directory and loads them from there.
  package static func fetch(
    _ files: [DatasetFile], from sources: [any DatasetSource], into cache: URL, observer: FetchObserver
  ) throws -> ImageDataset {
    let scratch = FileManager.default.temporaryDirectory
      .appendingPathComponent("accelerando-\(UUID().uuidString)", isDirectory: true)
    try makeDirectory(at: scratch)
    defer { try? FileManager.default.removeItem(at: scratch) }
    var failures: [String] = []
    for source in sources {
      do {
        let fetched = try source.fetch(files, scratch: scratch, observer: observer)
        guard let found = locate(in: fetched) else { throw missing(in: fetched) }
        return try keep(found, files: files, in: cache, observer: observer)
      } catch {
        failures.append("\(source.name) (\(error))")
      }
    }
    throw FormatError(
      file: name,
      reason: "the dataset is not on this machine and cannot be fetched: \(failures.joined(separator: "; "))",
      remedy: "Put \(files.map { "\($0.name).gz" }.joined(separator: ", ")) into a directory and name it with --data, "
        + "or train on the bundled sample with --data sample")
  }

  /// Reads files, verifies them, and keeps them decompressed in a cache directory.
  package static func keep(
    _ found: [URL], files: [DatasetFile], in cache: URL, observer: FetchObserver
  ) throws -> ImageDataset {
    let arrays = try verified(found, files: files)
    do {
      try makeDirectory(at: cache)
      for (file, array) in zip(files, arrays) {
        try IDX.write(array, to: cache.appendingPathComponent(file.name))
      }
    } catch {
      observer(.note("The data cannot be kept for next time: \(error)"))
      return try dataset(arrays, names: found.map(\.path))
    }
    guard let kept = locate(in: cache) else { throw missing(in: cache) }
    return try dataset(of: kept)
  }

  /// The four files in a directory or its folder `fashion-mnist`, in the order of `files`; nil when one is missing.
  package static func locate(in directory: URL) -> [URL]? {
    for candidate in [directory, directory.appendingPathComponent(name, isDirectory: true)] {
      let found = files.compactMap { file in spellings(of: file, in: candidate).first { access($0.path, F_OK) == 0 } }
      if found.count == files.count { return found }
    }
    return nil
  }

  /// The possible names of a file: plain first, since it can be mapped.
  private static func spellings(of file: DatasetFile, in directory: URL) -> [URL] {
    let dotted = file.name.replacingOccurrences(of: "-idx", with: ".idx")
    return [file.name, dotted, "\(file.name).gz", "\(dotted).gz"].map { directory.appendingPathComponent($0) }
  }

  private static func missing(in directory: URL) -> FormatError {
    let absent = files.filter { file in !spellings(of: file, in: directory).contains { access($0.path, F_OK) == 0 } }
    return FormatError(
      file: directory.path,
      reason: "there is no \(absent.map(\.name).joined(separator: ", no ")) here, plain or with .gz",
      remedy: "Name the directory that holds the four files of Fashion-MNIST")
  }

  private static func dataset(of found: [URL]) throws -> ImageDataset {
    try dataset(found.map { try IDX.read($0) }, names: found.map(\.path))
  }

  private static func dataset(_ arrays: [NDArray], names: [String]) throws -> ImageDataset {
    func part(_ first: Int) throws -> LabelledImages {
      try LabelledImages(
        images: arrays[first], labels: arrays[first + 1], classes: classNames.count,
        names: (names[first], names[first + 1]))
    }
    return ImageDataset(train: try part(0), test: try part(2), classNames: classNames)
  }

  /// A small part of the dataset that is built into the program: the first 512 and 128 images.
  /// - Throws: `FormatError` if the program itself is damaged.
  public static func sample() throws -> ImageDataset {
    let arrays = try FashionMNISTSample.parts.map { part in
      guard let data = Data(base64Encoded: part.base64, options: .ignoreUnknownCharacters) else {
        throw FormatError(file: part.name, reason: "the bundled sample is not base64")
      }
      return try IDX.read(FileContents([UInt8](data), name: part.name))
    }
    return try dataset(arrays, names: FashionMNISTSample.parts.map(\.name))
  }
}
