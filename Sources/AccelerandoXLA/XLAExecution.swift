// Running a compiled program again and again. A call hands the work to the device and comes back; the device may be a few
// steps behind, but never many, since every step in flight holds memory. Whoever reads a result waits for it.

import AccelerandoCore
import CPJRT

/// A compiled program tied to buffers.
final class XLAExecution: Execution {
  let outputs: [any Buffer]
  private let executable: XLAExecutable
  private let inputs: [XLABuffer]
  private let results: [XLABuffer]
  private let call: PreparedCall
  fileprivate var inFlight: [Event] = []

  /// Steps that the host may be ahead of the device: enough to hide the host's work, few enough to bound memory.
  private static let mostInFlight = 4

  init(_ executable: XLAExecutable, _ inputs: [XLABuffer]) {
    let program = executable.program
    self.executable = executable
    self.inputs = inputs
    results = program.outputTypes.enumerated().map { index, type in
      program.aliases[index].map { inputs[$0] } ?? XLABuffer(type, executable.loaded.client, executable.device)
    }
    outputs = results
    call = PreparedCall(executable, kept: Self.inputsToKeep(program, inputs))
  }

  deinit {
    for event in inFlight { event.plugin.destroy(.destroyEvent, event.handle) }
  }

  /// Inputs whose memory the program would take over although another input needs it too.
  private static func inputsToKeep(_ program: Program, _ inputs: [XLABuffer]) -> [Int64] {
    var uses: [ObjectIdentifier: Int] = [:]
    for input in inputs { uses[ObjectIdentifier(input), default: 0] += 1 }
    return Set(program.aliases.values).filter { uses[ObjectIdentifier(inputs[$0]), default: 0] > 1 }.sorted()
      .map(Int64.init)
  }

  func run() throws {
    if inFlight.count >= Self.mostInFlight { try inFlight.removeFirst().wait("run a step") }
    for (index, input) in inputs.enumerated() { call.arguments[index] = try input.current().pointer }
    if let event = try call.run() { inFlight.append(event) }
    for (index, result) in results.enumerated() {
      result.replace(by: try Handle(call.results[index], from: "LoadedExecutable_Execute"))
    }
  }
}

extension XLAExecution {
  func finish() throws {
    while !inFlight.isEmpty { try inFlight.removeFirst().wait("run a step") }
  }
}

/// The memory of a call's arguments, which is filled in once.
private final class PreparedCall {
  let arguments: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  let results: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  private let memory: UnsafeMutableRawBufferPointer
  private let execution: UnsafeMutablePointer<PjrtExecution>
  private let argumentList: UnsafeMutablePointer<UnsafePointer<UnsafeMutableRawPointer?>?>
  private let resultList: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutableRawPointer?>?>
  private let event: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  private let kept: UnsafeMutableBufferPointer<Int64>
  private let loaded: LoadedProgram
  private let resultCount: Int

  init(_ executable: XLAExecutable, kept indices: [Int64]) {
    loaded = executable.loaded
    resultCount = executable.program.outputs.count
    let argumentCount = executable.program.inputs.count
    arguments = .allocate(capacity: max(argumentCount, 1))
    arguments.initialize(repeating: nil, count: max(argumentCount, 1))
    results = .allocate(capacity: max(resultCount, 1))
    results.initialize(repeating: nil, count: max(resultCount, 1))
    argumentList = .allocate(capacity: 1)
    argumentList.initialize(to: UnsafePointer(arguments))
    resultList = .allocate(capacity: 1)
    resultList.initialize(to: results)
    event = .allocate(capacity: 1)
    event.initialize(to: nil)
    kept = .allocate(capacity: max(indices.count, 1))
    _ = kept.initialize(from: indices)
    // Two structs with spare room behind each, for plugins that know longer ones.
    let half = 512
    memory = .allocate(byteCount: 2 * half, alignment: 16)
    memory.initializeMemory(as: UInt8.self, repeating: 0)
    let options = UnsafeMutableRawBufferPointer(rebasing: memory[half...]).bindMemory(to: PjrtExecuteOptions.self)
    let first = UnsafeMutableRawBufferPointer(rebasing: memory[..<half]).bindMemory(to: PjrtExecution.self)
    options[0].head.size = half
    options[0].kept_inputs = UnsafePointer(kept.baseAddress)
    options[0].kept_input_count = indices.count
    first[0].head.size = half
    first[0].executable = loaded.handle.pointer
    first[0].options = options.baseAddress
    first[0].arguments = UnsafePointer(argumentList)
    first[0].device_count = 1
    first[0].argument_count = argumentCount
    first[0].results = UnsafePointer(resultList)
    first[0].complete_events = event
    execution = first.baseAddress ?? .allocate(capacity: 1)
  }

  deinit {
    arguments.deallocate()
    results.deallocate()
    argumentList.deallocate()
    resultList.deallocate()
    event.deallocate()
    kept.deallocate()
    memory.deallocate()
  }

  /// Hands the work over; the results are in `results` then.
  /// - Returns: what will say that the work is done.
  func run() throws(DeviceError) -> Event? {
    event.pointee = nil
    for index in 0..<resultCount { results[index] = nil }
    let plugin = loaded.client.plugin
    let error = pjrt_call(plugin.api, Int32(PjrtLoadedExecute), execution)
    if let error { throw plugin.translated(error, "run the program") }
    guard let event = event.pointee else { return nil }
    return try Event(event, plugin, from: "LoadedExecutable_Execute")
  }
}
