// Files that are no usable plugins, each refused in words. The libraries are built here, since nobody ships broken ones.

import AccelerandoXLA
import CPJRT
import Foundation
import Testing

@Suite struct PluginLibraryTests {
  private static let isLinuxWithCompiler: Bool = {
    #if os(Linux)
      compiler != nil
    #else
      false
    #endif
  }()

  private func refusal(_ path: String) -> String {
    do {
      _ = try Plugin.load(path)
      return "nothing was thrown"
    } catch let error as DeviceError {
      return error.kind == .badPlugin ? error.description : "wrong kind: \(error)"
    } catch {
      return "not a device error: \(error)"
    }
  }

  /// Builds a shared library of a C source.
  private func build(_ source: String, _ name: String, in directory: URL, _ options: [String] = []) throws -> String {
    let file = directory.appendingPathComponent("\(name).c")
    try Data(source.utf8).write(to: file)
    let library = directory.appendingPathComponent("\(name).so").path
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try #require(compiler))
    process.arguments = ["-shared", "-fPIC", "-o", library, file.path] + options
    try process.run()
    waitForExit(process)
    try #require(process.terminationStatus == 0)
    return library
  }

  @Test func aFileThatIsNotThereIsRefused() {
    #expect(refusal("/nowhere/plugin.so").contains("there is no plugin /nowhere/plugin.so"))
  }

  @Test func aFileThatIsNoLibraryIsRefused() throws {
    try withTemporaryDirectory { directory in
      for content in ["", "a text that is long enough to have a header"] {
        let file = directory.appendingPathComponent("plugin\(content.count).so")
        try Data(content.utf8).write(to: file)
        #expect(refusal(file.path).contains("is not a shared library"))
      }
    }
  }

  @Test(.enabled(if: isLinuxWithCompiler, "needs Linux and a C compiler"))
  func aLibraryOfAnotherMachineIsRefused() throws {
    try withTemporaryDirectory { directory in
      let path = try build("int x;", "foreign", in: directory)
      var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      bytes[18] = 243
      bytes[19] = 0
      try bytes.write(to: URL(fileURLWithPath: path))
      #expect(refusal(path).contains("is for RISC-V; this machine is"))
    }
  }

  @Test(.enabled(if: isLinuxWithCompiler, "needs Linux and a C compiler"))
  func aLibraryThatIsNoPluginIsRefused() throws {
    try withTemporaryDirectory { directory in
      let path = try build("int x;", "plain", in: directory)
      #expect(refusal(path).contains("has no function GetPjrtApi"))
    }
  }

  @Test(.enabled(if: isLinuxWithCompiler, "needs Linux and a C compiler"))
  func aMissingLibraryIsNamed() throws {
    try withTemporaryDirectory { directory in
      _ = try build("int y(void) { return 1; }", "libneeded", in: directory)
      let path = try build(
        "int y(void); int x(void) { return y(); }", "needy", in: directory, ["-L\(directory.path)", "-lneeded"])
      try FileManager.default.removeItem(at: directory.appendingPathComponent("libneeded.so"))
      #expect(refusal(path).contains("needs the library libneeded.so, which is not on this machine"))
    }
  }

  @Test(.enabled(if: isLinuxWithCompiler, "needs Linux and a C compiler"))
  func aPluginThatIsTooOldIsRefused() throws {
    let header = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../Sources/CPJRT/include/CPJRT.h").standardizedFileURL.path
    try withTemporaryDirectory { directory in
      let source = """
        #include "\(header)"
        static struct { PjrtApi api; void *methods[30]; } table;
        void *GetPjrtApi(void) { table.api.head.size = sizeof table; table.api.minor = 12; return &table; }
        """
      let path = try build(source, "old", in: directory)
      #expect(refusal(path).contains("speaks version 0.12 of PJRT"))
      let empty = try build("void *GetPjrtApi(void) { return 0; }", "empty", in: directory)
      #expect(refusal(empty).contains("gives no table of methods"))
    }
  }
}
