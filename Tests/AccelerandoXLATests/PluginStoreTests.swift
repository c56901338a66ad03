// Plugins in the user's cache: there whole or not at all, found in all the usual places.

import AccelerandoFormats
import AccelerandoXLA
import Foundation
import Testing

@Suite struct PluginStoreTests {
  @Test func whatCannotBeInstalledLeavesNothingBehind() throws {
    try withTemporaryDirectory { directory in
      let store = PluginStore(directory: directory.appendingPathComponent("plugins"))
      let text = directory.appendingPathComponent("text.so")
      try Data("no library".utf8).write(to: text)
      #expect(throws: DeviceError.self) { try store.install(file: text) }
      #expect(throws: FormatError.self) { try store.install(file: directory.appendingPathComponent("nothing.so")) }
      #expect(store.plugins() == [])
      let left = (try? FileManager.default.contentsOfDirectory(atPath: store.directory.path)) ?? []
      #expect(left == [])
    }
  }

  @Test func removingWhatIsNotInstalledIsRefused() throws {
    try withTemporaryDirectory { directory in
      let store = PluginStore(directory: directory)
      for name in ["cpu", "", "..", "../x", ".hidden"] {
        #expect(throws: FormatError.self) { try store.remove(name) }
      }
    }
  }

  @Test(.enabled(if: TestPlugins.isThere, TestPlugins.whySkipped))
  func aLibraryIsInstalledFoundAndRemoved() throws {
    let plugin = try #require(TestPlugins.found.first)
    try withTemporaryDirectory { directory in
      let store = PluginStore(directory: directory)
      let installed = try store.install(file: URL(fileURLWithPath: plugin.path))
      #expect(FileManager.default.fileExists(atPath: installed.path))
      #expect(installed.platform == "cpu")
      #expect(store.plugins() == [installed])
      #expect(PluginSearch(store: store).plugins(for: "cpu") == [installed])
      #expect(try store.remove(installed.name) == installed)
      #expect(store.plugins() == [])
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
    }
  }

  @Test func theEnvironmentAndSitePackagesAreSearched() throws {
    try withTemporaryDirectory { directory in
      let library = directory.appendingPathComponent("libtpu/libtpu.so")
      try makeDirectory(at: library.deletingLastPathComponent())
      try Data().write(to: library)
      let search = PluginSearch(
        store: PluginStore(directory: directory.appendingPathComponent("store")),
        namesAndPaths: "rocm:/opt/rocm.so, cuda13:/opt/cuda.so,,broken,:x,y:", siteFolders: [directory])
      #expect(search.plugins().map(\.name) == ["rocm", "cuda13", "tpu"])
      #expect(search.plugins(for: "cuda").map(\.path) == ["/opt/cuda.so"])
      #expect(search.plugins(for: "tpu").map(\.path) == [library.path])
      #expect(search.plugins(for: "rocm").map(\.origin) == ["PJRT_NAMES_AND_LIBRARY_PATHS"])
    }
  }

  @Test func aPlatformWithoutAPluginSaysWhatToInstall() throws {
    try withTemporaryDirectory { directory in
      let search = PluginSearch(store: PluginStore(directory: directory))
      for (platform, remedy) in [("cpu", "install cpu"), ("cuda", "install cuda12|cuda13"), ("x", "install PATH")] {
        let error = #expect(throws: DeviceError.self) { try XLABackend.openClient(platform, search: search) }
        #expect(error?.kind == .noDevice)
        #expect(error?.description.contains(remedy) == true)
      }
    }
  }
}
