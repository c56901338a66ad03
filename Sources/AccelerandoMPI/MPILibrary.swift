// Open MPI, loaded only when a process was started by mpirun: it is found at run time, like the plugins of
// accelerators, so that the same program works on machines without MPI.

import AccelerandoCore
import Foundation

/// An error of the processes that train together.
public struct WorkerError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String

  /// Makes an error.
  public init(_ description: String) { self.description = description }
}

/// The functions of Open MPI that are used here. Unchecked because its addresses never change once the library is
/// loaded.
struct MPILibrary: @unchecked Sendable {
  typealias Initialize =
    @convention(c) (UnsafeRawPointer?, UnsafeRawPointer?, Int32, UnsafeMutablePointer<Int32>) -> Int32
  typealias Query = @convention(c) (UnsafeMutableRawPointer, UnsafeMutablePointer<Int32>) -> Int32
  typealias Finish = @convention(c) () -> Int32
  typealias Abort = @convention(c) (UnsafeMutableRawPointer, Int32) -> Int32
  typealias Request = UnsafeMutablePointer<UnsafeMutableRawPointer?>
  typealias StartAllGather =
    @convention(c) (
      UnsafeMutableRawPointer?, Int32, UnsafeMutableRawPointer, UnsafeMutableRawPointer?, UnsafePointer<Int32>,
      UnsafePointer<Int32>, UnsafeMutableRawPointer, UnsafeMutableRawPointer, Request
    ) -> Int32
  typealias Test = @convention(c) (Request, UnsafeMutablePointer<Int32>, UnsafeMutableRawPointer?) -> Int32
  typealias Wait = @convention(c) (Request, UnsafeMutableRawPointer?) -> Int32

  let initialize: Initialize
  let rank: Query
  let size: Query
  let finish: Finish
  let abort: Abort
  let startAllGather: StartAllGather
  let test: Test
  let wait: Wait
  /// All processes.
  let world: UnsafeMutableRawPointer
  /// The types of a byte and of eight.
  let byte: UnsafeMutableRawPointer
  let eightBytes: UnsafeMutableRawPointer

  /// Loads the library.
  /// - Throws: `WorkerError` when it is missing, or is not Open MPI.
  static func load() throws -> MPILibrary {
    #if os(macOS)
      let names = ["libmpi.dylib", "/opt/homebrew/lib/libmpi.dylib"]
    #else
      let names = ["libmpi.so.40", "libmpi.so"]
    #endif
    // Open MPI's own plugins look up its symbols globally.
    guard let handle = names.lazy.compactMap({ dlopen($0, RTLD_NOW | RTLD_GLOBAL) }).first else {
      throw WorkerError(
        "this process was started by mpirun, but the library of Open MPI (\(names[0])) is not found. "
          + "Install it: apt install libopenmpi3 openmpi-bin, or brew install open-mpi.")
    }
    func symbol(_ name: String) throws -> UnsafeMutableRawPointer {
      guard let address = dlsym(handle, name) else {
        throw WorkerError("the MPI library has no '\(name)': it is not Open MPI, which is needed here.")
      }
      return address
    }
    return MPILibrary(
      initialize: unsafeBitCast(try symbol("MPI_Init_thread"), to: Initialize.self),
      rank: unsafeBitCast(try symbol("MPI_Comm_rank"), to: Query.self),
      size: unsafeBitCast(try symbol("MPI_Comm_size"), to: Query.self),
      finish: unsafeBitCast(try symbol("MPI_Finalize"), to: Finish.self),
      abort: unsafeBitCast(try symbol("MPI_Abort"), to: Abort.self),
      startAllGather: unsafeBitCast(try symbol("MPI_Iallgatherv"), to: StartAllGather.self),
      test: unsafeBitCast(try symbol("MPI_Test"), to: Test.self),
      wait: unsafeBitCast(try symbol("MPI_Wait"), to: Wait.self),
      world: try symbol("ompi_mpi_comm_world"), byte: try symbol("ompi_mpi_byte"),
      eightBytes: try symbol("ompi_mpi_int64_t"))
  }
}
