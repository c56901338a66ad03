import AccelerandoCore
import AccelerandoData
import AccelerandoFormats
import Foundation
import Testing

@Suite struct FashionMNISTTests {
  static let names = FashionMNIST.files.map(\.name)

  private func withTemporaryDirectory(_ body: (URL) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("datasets-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    try body(directory)
  }

  /// Puts a small dataset into a directory, in which every image is `value`.
  private func write(_ value: Double, to directory: URL, compressed: Bool = true, labels: Int = 3) throws {
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    for name in Self.names {
      let shape = name.contains("images") ? [3, 28, 28] : [labels]
      let array = NDArray(repeating: value, type: TensorType(.uint8, shape))
      let url = directory.appendingPathComponent(compressed ? "\(name).gz" : name)
      try IDX.write(array, to: url, compressed: compressed)
    }
  }

  /// The description of what `write` puts into a directory.
  private func files(of value: Double) throws -> [DatasetFile] {
    try Self.names.map { name in
      let shape = name.contains("images") ? [3, 28, 28] : [3]
      let array = NDArray(repeating: value, type: TensorType(.uint8, shape))
      return DatasetFile(name: name, compressedSize: 1, sha256: try IDX.sha256(of: array))
    }
  }

  private func places(in root: URL) -> DatasetPlaces {
    DatasetPlaces(
      preferred: root.appendingPathComponent("preferred"), cache: root.appendingPathComponent("cache"),
      system: [root.appendingPathComponent("system")], mayFetch: false)
  }

  private func firstPixel(_ dataset: ImageDataset) -> UInt8 {
    dataset.train.images.withUnsafeBytes { $0[0] }
  }

  @Test func theNamedDirectoryComesBeforeThePreferredOneAndThatBeforeTheCache() throws {
    try withTemporaryDirectory { root in
      var places = places(in: root)
      try write(1, to: root.appendingPathComponent("cache/fashion-mnist"), compressed: false)
      #expect(try firstPixel(FashionMNIST.loadKept(files(of: 1), in: places, observer: { _ in })) == 1)
      try write(2, to: root.appendingPathComponent("preferred/fashion-mnist"))
      #expect(try firstPixel(FashionMNIST.load(from: places)) == 2)
      places.named = root.appendingPathComponent("named")
      try write(3, to: root.appendingPathComponent("named"))
      let dataset = try FashionMNIST.load(from: places)
      #expect(firstPixel(dataset) == 3)
      #expect(dataset.train.images.type == TensorType(.uint8, [3, 28, 28, 1]))
      #expect(dataset.test.labels.type == TensorType(.uint8, [3]))
    }
  }

  @Test func aNamedDirectoryWithoutTheFilesIsAnErrorThatListsThem() throws {
    try withTemporaryDirectory { root in
      var places = places(in: root)
      places.named = root.appendingPathComponent("named")
      try write(1, to: root.appendingPathComponent("named"))
      try FileManager.default.removeItem(at: root.appendingPathComponent("named/t10k-labels-idx1-ubyte.gz"))
      let error = #expect(throws: FormatError.self) { try FashionMNIST.load(from: places) }
      #expect(error?.description.contains("there is no t10k-labels-idx1-ubyte here, plain or with .gz") == true)
    }
  }

  @Test func whenNothingMayBeFetchedTheErrorSaysHow() throws {
    try withTemporaryDirectory { root in
      let error = #expect(throws: FormatError.self) { try FashionMNIST.load(from: places(in: root)) }
      #expect(error?.description.contains("accelerando data fetch fashion-mnist") == true)
    }
  }

  @Test func labelsThatDoNotFitTheImagesAreRefused() throws {
    try withTemporaryDirectory { root in
      try write(1, to: root, labels: 4)
      let counts = #expect(throws: FormatError.self) {
        try FashionMNIST.load(from: DatasetPlaces(named: root, cache: root))
      }
      #expect(counts?.description.contains("has 4 labels for the 3 images") == true)
      try write(10, to: root)
      let classes = #expect(throws: FormatError.self) {
        try FashionMNIST.load(from: DatasetPlaces(named: root, cache: root))
      }
      #expect(classes?.description.contains("label 0 is 10; classes are 0 to 9") == true)
    }
  }

  @Test func aTruncatedFileIsRefusedWithItsPlace() throws {
    try withTemporaryDirectory { root in
      try write(1, to: root)
      let url = root.appendingPathComponent("train-images-idx3-ubyte.gz")
      let whole = try Data(contentsOf: url)
      try whole.prefix(whole.count - 9).write(to: url)
      let error = #expect(throws: FormatError.self) {
        try FashionMNIST.load(from: DatasetPlaces(named: root, cache: root))
      }
      #expect(error?.file == url.path)
      #expect(error?.offset != nil)
    }
  }

  @Test func filesOfTheSystemAreCheckedAndKeptDecompressed() throws {
    try withTemporaryDirectory { root in
      let system = root.appendingPathComponent("system/fashion-mnist")
      try write(4, to: system)
      let other = #expect(throws: FormatError.self) { try FashionMNIST.load(from: places(in: root)) }
      #expect(other?.description.contains("its contents have the SHA-256") == true)
      #expect(!FileManager.default.fileExists(atPath: root.appendingPathComponent("cache").path))

      let found = try #require(FashionMNIST.locate(in: root.appendingPathComponent("system")))
      let cache = root.appendingPathComponent("cache/fashion-mnist")
      let dataset = try FashionMNIST.keep(found, files: files(of: 4), in: cache, observer: { _ in })
      #expect(firstPixel(dataset) == 4)
      #expect(try FileManager.default.contentsOfDirectory(atPath: cache.path).sorted() == Self.names.sorted())
      #expect(try firstPixel(FashionMNIST.loadKept(files(of: 4), in: places(in: root), observer: { _ in })) == 4)
    }
  }

  @Test func filesThatAreDamagedInTheCacheAreNoticedAndTakenAnew() throws {
    try withTemporaryDirectory { root in
      let cache = root.appendingPathComponent("cache/fashion-mnist")
      try write(4, to: cache, compressed: false)
      // One pixel of one picture: the file is as readable as before.
      let images = cache.appendingPathComponent(Self.names[0])
      var bytes = try [UInt8](Data(contentsOf: images))
      bytes[16] = 5
      try Data(bytes).write(to: images)
      var notes: [String] = []
      let observe: FetchObserver = { if case .note(let text) = $0 { notes.append(text) } }
      let alone = #expect(throws: FormatError.self) {
        try FashionMNIST.loadKept(files(of: 4), in: places(in: root), observer: observe)
      }
      #expect(alone?.description.contains("not on this machine") == true)
      #expect(notes.count == 1 && notes[0].contains("SHA-256"), "\(notes)")
      try write(4, to: root.appendingPathComponent("system"))
      let dataset = try FashionMNIST.loadKept(files(of: 4), in: places(in: root), observer: observe)
      #expect(firstPixel(dataset) == 4)
      #expect(try [UInt8](Data(contentsOf: images))[16] == 4)
    }
  }

  @Test func dataThatCannotBeKeptAreStillData() throws {
    try withTemporaryDirectory { root in
      try write(5, to: root.appendingPathComponent("system"))
      let found = try #require(FashionMNIST.locate(in: root.appendingPathComponent("system")))
      // A file stands where the cache's directory should be.
      let blocked = root.appendingPathComponent("cache")
      try Data([1]).write(to: blocked)
      var notes: [String] = []
      let dataset = try FashionMNIST.keep(
        found, files: files(of: 5), in: blocked.appendingPathComponent("fashion-mnist"),
        observer: { if case .note(let text) = $0 { notes.append(text) } })
      #expect(firstPixel(dataset) == 5)
      #expect(notes.count == 1)
      #expect(notes.first?.contains("cannot be kept for next time") == true)
    }
  }

  struct Unreachable: DatasetSource {
    let name = "nowhere"
    func fetch(_ files: [DatasetFile], scratch: URL, observer: FetchObserver) throws -> URL {
      throw FormatError(file: "nowhere", reason: "there is no network")
    }
  }

  struct Neighbour: DatasetSource {
    let name = "the neighbour"
    let folder: URL
    func fetch(_ files: [DatasetFile], scratch: URL, observer: FetchObserver) throws -> URL { folder }
  }

  @Test func theNextSourceIsAskedWhenOneFailsOrSendsOtherBytes() throws {
    try withTemporaryDirectory { root in
      try write(6, to: root.appendingPathComponent("wrong"))
      try write(7, to: root.appendingPathComponent("right"))
      let cache = root.appendingPathComponent("cache")
      let sources: [any DatasetSource] = [
        Unreachable(), Neighbour(folder: root.appendingPathComponent("wrong")),
        Neighbour(folder: root.appendingPathComponent("right")),
      ]
      let dataset = try FashionMNIST.fetch(files(of: 7), from: sources, into: cache, observer: { _ in })
      #expect(firstPixel(dataset) == 7)
      let error = #expect(throws: FormatError.self) {
        try FashionMNIST.fetch(files(of: 7), from: Array(sources.prefix(2)), into: cache, observer: { _ in })
      }
      #expect(error?.description.contains("there is no network") == true)
      #expect(error?.description.contains("the neighbour (") == true)
      #expect(error?.description.contains("--data sample") == true)
    }
  }

  @Test func theSampleIsRealAndHasEveryClass() throws {
    let sample = try FashionMNIST.sample()
    #expect(sample.train.images.type == TensorType(.uint8, [512, 28, 28, 1]))
    #expect(sample.test.images.type == TensorType(.uint8, [128, 28, 28, 1]))
    #expect(Set(sample.train.labels.elements(as: UInt8.self)) == Set(0..<10))
    // The first training image of Fashion-MNIST is an ankle boot.
    #expect(sample.classNames[Int(sample.train.labels.elements(as: UInt8.self)[0])] == "Ankle boot")
    #expect(try sample.prefix(5).train.count == 5)
    #expect(try sample.prefix(1000).test.count == 128)
  }

  @Test func placesComeFromTheEnvironment() {
    let places = DatasetPlaces.current(environment: ["HOME": "/home/ada", "ACCELERANDO_DATA": "/data"])
    #expect(places.preferred?.path == "/data")
    #expect(places.system.map(\.path) == ["/usr/local/share/datasets", "/usr/share/datasets"])
    let elsewhere = DatasetPlaces.current(environment: ["HOME": "/home/ada", "XDG_DATA_DIRS": "/a:/b/"])
    #expect(elsewhere.system.map(\.path) == ["/a/datasets", "/b/datasets"])
    #if os(Linux)
      #expect(places.cache.path == "/home/ada/.cache/accelerando")
      let other = DatasetPlaces.current(environment: ["HOME": "/home/ada", "XDG_CACHE_HOME": "/caches"])
      #expect(other.cache.path == "/caches/accelerando")
      #expect(other.preferred == nil)
    #endif
  }
}
