// Photographs come as a folder for each class. Files are listed once; what is read is a function of the numbers of the rows,
// so that any order can be read, by any thread, and again.

import AccelerandoCore
import AccelerandoFormats
import Foundation

/// Labelled image files that become bytes when they are asked for.
///
/// Decoded images are kept (see `ImageCache`), so that only the first pass decodes. All functions may be called from several
/// threads.
public final class ImageFolder: Sendable {
  /// A file that cannot be read, and why.
  public struct Unreadable: Hashable, Sendable {
    /// The path.
    public let path: String
    /// What is wrong with it.
    public let reason: String
  }

  /// The path of each image.
  public let paths: [String]
  /// The index of each image's class; empty where there are no classes.
  public let labels: [Int]
  /// The names of the classes.
  public let classNames: [String]
  /// The type of one image: uint8 `[height, width, channels]`.
  public let imageType: TensorType
  /// The files that were left out because they cannot be read.
  public let skipped: [Unreadable]
  /// The size, the channels and the resizing of the images.
  public let form: ImageForm
  /// The places of the images in the list of files that was given.
  public let keptRows: [Int]
  private let cache: ImageCache?

  /// The number of images.
  public var count: Int { paths.count }

  /// Lists a directory: a folder for each class, in the order of their names, with images in it or in folders below. Where
  /// there are no folders, the images in the directory itself have no class. Names that begin with a dot are left out.
  /// - Parameters:
  ///   - directory: the directory.
  ///   - form: the size, the channels and the resizing.
  ///   - skip: whether files that cannot be read are left out. They are found by decoding all of them now.
  ///   - storage: where decoded images are kept.
  ///   - classNames: the classes in an order, if not all or in the order of their names.
  /// - Throws: `FormatError` when there are no images, a class has none, a class that is named is not there, or, without a
  ///   size, when the images differ in theirs.
  public convenience init(
    _ directory: URL, form: ImageForm = ImageForm(), skip: Bool = false, storage: ImageCache.Storage = .automatic,
    classNames: [String]? = nil
  ) throws {
    let listing = try ImageListing(directory, classNames: classNames)
    try self.init(
      paths: listing.paths, labels: listing.labels, classNames: listing.classNames, name: directory.path, form: form,
      skip: skip, storage: storage)
  }

  /// Takes a list of files.
  /// - Parameters:
  ///   - paths: the path of each image.
  ///   - labels: the index of each image's class; empty for none.
  ///   - classNames: the names of the classes.
  ///   - name: what errors call the list.
  ///   - form: the size, the channels and the resizing.
  ///   - skip: whether files that cannot be read are left out. They are found by decoding all of them now.
  ///   - storage: where decoded images are kept.
  /// - Throws: `FormatError` when there are no images or the numbers of paths and labels differ; without a size, when the
  ///   images differ in theirs.
  public init(
    paths: [String], labels: [Int] = [], classNames: [String] = [], name: String, form: ImageForm = ImageForm(),
    skip: Bool = false, storage: ImageCache.Storage = .automatic
  ) throws {
    guard !paths.isEmpty else {
      throw FormatError(
        file: name, reason: "there are no images here",
        remedy: "Images are files that end in \(ImageFile.fileExtensions.map { ".\($0)" }.joined(separator: ", "))")
    }
    guard labels.isEmpty || labels.count == paths.count else {
      throw FormatError(file: name, reason: "there are \(labels.count) labels for \(paths.count) images")
    }
    if let size = form.size, !((1...1 << 16).contains(size.height) && (1...1 << 16).contains(size.width)) {
      throw FormatError(file: name, reason: "images cannot have a size of \(size)", remedy: "Sides are 1 to 65536")
    }
    var kept = Array(paths.indices)
    if skip {
      let attempts = inParallel(paths.count) { row in
        _ = try ImageFile.pixels(FileContents(URL(fileURLWithPath: paths[row])), channels: form.channels)
      }
      kept = attempts.indices.filter { (try? attempts[$0].get()) != nil }
      skipped = attempts.enumerated().compactMap { row, attempt in
        guard case .failure(let error) = attempt else { return nil }
        return Unreadable(path: paths[row], reason: "\(error)")
      }
      guard !kept.isEmpty else {
        throw FormatError(
          file: name, reason: "none of the \(paths.count) images can be read",
          remedy: skipped.first.map { "The first one: \($0.reason)" })
      }
    } else {
      skipped = []
    }
    keptRows = kept
    self.paths = kept.map { paths[$0] }
    self.labels = labels.isEmpty ? [] : kept.map { labels[$0] }
    self.classNames = classNames
    self.form = form
    let size = try form.size ?? Self.commonSize(of: self.paths)
    imageType = TensorType(.uint8, [size.height, size.width, form.channels.rawValue])
    cache = try ImageCache(self.paths, form, rowBytes: imageType.byteCount, storage)
  }

  /// The size that all images have.
  private static func commonSize(of paths: [String]) throws -> ImageForm.Size {
    let sizes = try inParallel(paths.count) { row in
      let header = try ImageFile.header(FileContents(URL(fileURLWithPath: paths[row])))
      return ImageForm.Size(height: header.height, width: header.width)
    }.map { try $0.get() }
    if let other = sizes.firstIndex(where: { $0 != sizes[0] }) {
      throw differingSizes(paths[other], sizes[other], sizes[0])
    }
    return sizes[0]
  }

  private static func differingSizes(_ path: String, _ size: ImageForm.Size, _ first: ImageForm.Size) -> FormatError {
    FormatError(
      file: path, reason: "the image has \(size) pixels; the first image has \(first)",
      remedy: "Set an image size, to which all are resized")
  }

  /// A text that differs where files or the form of the images do: the names of the files with their folders, and their
  /// sizes, wherever they are.
  public var identity: String {
    get throws {
      let digest = try SHA256Digest()
      try digest.update("\(form)\n")
      for path in paths {
        var status = stat()
        guard stat(path, &status) == 0 else { throw FormatError.system("inspect the file", file: path) }
        let name = path.split(separator: "/").suffix(2).joined(separator: "/")
        try digest.update("\(name.utf8.count) \(name) \(status.st_size)\n")
      }
      return try digest.finish()
    }
  }

  /// Images, one after the other.
  /// - Parameter rows: their numbers.
  /// - Returns: uint8 `[rows, height, width, channels]`.
  /// - Throws: `FormatError` for a file that cannot be read, or, without a size, for one of another size.
  public func images(_ rows: some Collection<Int>) throws -> NDArray {
    var result = NDArray(zeros: imageType.with([rows.count] + imageType.shape))
    try result.withUnsafeMutableBytes { try read(rows: rows, into: $0) }
    return result
  }

  /// Writes images into memory, one after the other, decoding on several threads.
  /// - Parameters:
  ///   - rows: their numbers.
  ///   - target: room for all of them.
  /// - Throws: `FormatError` for a file that cannot be read, or, without a size, for one of another size.
  public func read(rows: some Collection<Int>, into target: UnsafeMutableRawBufferPointer) throws {
    let rows = Array(rows)
    let rowBytes = imageType.byteCount
    guard rows.allSatisfy(paths.indices.contains), target.count >= rows.count * rowBytes else {
      throw FormatError(
        file: "images",
        reason: "rows are 0 to \(count - 1), and \(rows.count) images take \(rows.count * rowBytes) bytes")
    }
    guard let cache else {
      return try decode(rows) { UnsafeMutableRawBufferPointer(rebasing: target[$0 * rowBytes..<($0 + 1) * rowBytes]) }
    }
    try cache.read(rows, into: target) { places, memory in
      try decode(places.map { rows[$0] }) { memory(places[$0]) }
    }
  }

  /// Decodes images, each to where a function says that it belongs.
  private func decode(_ rows: [Int], _ memory: (Int) -> UnsafeMutableRawBufferPointer) throws {
    let size = ImageForm.Size(height: imageType.shape[0], width: imageType.shape[1])
    nonisolated(unsafe) let targets = rows.indices.map(memory)
    let (paths, form) = (paths, form)
    let results = inParallel(rows.count) { place in
      let path = paths[rows[place]]
      let image = try ImageFile.pixels(FileContents(URL(fileURLWithPath: path)), channels: form.channels)
      let found = ImageForm.Size(height: image.height, width: image.width)
      if form.size == nil, found != size { throw Self.differingSizes(path, found, size) }
      image.resized(to: size, form).bytes.withUnsafeBytes { targets[place].copyMemory(from: $0) }
    }
    for result in results { try result.get() }
  }
}
