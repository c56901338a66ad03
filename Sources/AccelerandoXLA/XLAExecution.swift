// Running a compiled program repeatedly. A call enqueues the work and returns; the device may be a few steps behind,
// but not many, since every step in flight holds memory. Reading a result waits for it.

import AccelerandoCore
import CPJRT

/// A compiled program bound to buffers.
final class XLAExecution: Execution {
  let outputs: [any Buffer]
  private let executable: XLAExecutable
  private let inputs: [XLABuffer]
  private let results: [XLABuffer]
  private let call: PreparedCall
  fileprivate var inFlight: [Event] = []

  /// The number of steps that the host may be ahead of the device: enough to hide the host's work, few enough to bound
  /// memory.
  private static let mostInFlight = 4

  init(_ executable: XLAExecutable, _ inputs: [XLABuffer]) {
    let program = executable.program
    self.executable = executable
    self.inputs = inputs
    let isStacked = inputs.contains(where: \.isStacked)
    results = program.outputTypes.enumerated().map { index, type in
      program.aliases[index].map { inputs[$0] }
        ?? XLABuffer(type, executable.loaded.client, executable.devices, isStacked: isStacked)
    }
    outputs = results
    call = PreparedCall(executable, kept: Self.inputsToKeep(program, inputs))
  }

  deinit {
    for event in inFlight { event.plugin.destroy(.destroyEvent, event.handle) }
  }

  /// Inputs whose memory the program would reuse although another input needs it too.
  private static func inputsToKeep(_ program: Program, _ inputs: [XLABuffer]) -> [Int64] {
    var uses: [ObjectIdentifier: Int] = [:]
    for input in inputs { uses[ObjectIdentifier(input), default: 0] += 1 }
    return Set(program.aliases.values).filter { uses[ObjectIdentifier(inputs[$0]), default: 0] > 1 }.sorted()
      .map(Int64.init)
  }

  func run() throws {
    if inFlight.count >= Self.mostInFlight * call.deviceCount {
      for _ in 0..<call.deviceCount { try inFlight.removeFirst().wait("run a step") }
    }
    for place in 0..<call.deviceCount {
      let first = place * inputs.count
      for (index, input) in inputs.enumerated() { call.arguments[first + index] = try input.current(place).pointer }
    }
    try call.run(&inFlight)
    for place in 0..<call.deviceCount {
      let first = place * results.count
      for (index, result) in results.enumerated() {
        result.replace(place, by: try Handle(call.results[first + index], from: "LoadedExecutable_Execute"))
      }
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
  let deviceCount: Int
  /// The arguments of the first device, then those of the next.
  let arguments: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  /// The results of the first device, then those of the next.
  let results: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  private let memory: UnsafeMutableRawBufferPointer
  private let execution: UnsafeMutablePointer<PjrtExecution>
  private let argumentLists: UnsafeMutablePointer<UnsafePointer<UnsafeMutableRawPointer?>?>
  private let resultLists: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutableRawPointer?>?>
  private let events: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  private let kept: UnsafeMutableBufferPointer<Int64>
  private let loaded: LoadedProgram
  private let resultCount: Int

  init(_ executable: XLAExecutable, kept indices: [Int64]) {
    func allocate<Element>(_ count: Int, _ value: Element) -> UnsafeMutablePointer<Element> {
      let pointer = UnsafeMutablePointer<Element>.allocate(capacity: max(count, 1))
      pointer.initialize(repeating: value, count: max(count, 1))
      return pointer
    }
    loaded = executable.loaded
    deviceCount = executable.devices.count
    let argumentCount = executable.program.inputs.count
    resultCount = deviceCount * executable.program.outputs.count
    arguments = allocate(deviceCount * argumentCount, nil)
    results = allocate(resultCount, nil)
    argumentLists = allocate(deviceCount, nil)
    resultLists = allocate(deviceCount, nil)
    events = allocate(deviceCount, nil)
    for place in 0..<deviceCount {
      argumentLists[place] = UnsafePointer(arguments + place * argumentCount)
      resultLists[place] = results + place * executable.program.outputs.count
    }
    kept = .allocate(capacity: max(indices.count, 1))
    _ = kept.initialize(from: indices)
    // Two structs with spare room after each, for plugins with longer ones.
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
    first[0].arguments = UnsafePointer(argumentLists)
    first[0].device_count = deviceCount
    first[0].argument_count = argumentCount
    first[0].results = UnsafePointer(resultLists)
    first[0].complete_events = events
    execution = first.baseAddress ?? .allocate(capacity: 1)
  }

  deinit {
    arguments.deallocate()
    results.deallocate()
    argumentLists.deallocate()
    resultLists.deallocate()
    events.deallocate()
    kept.deallocate()
    memory.deallocate()
  }

  /// Enqueues the work; the results are then in `results`.
  /// - Parameter inFlight: receives an event for each device that tells when the work is done.
  func run(_ inFlight: inout [Event]) throws(DeviceError) {
    for place in 0..<deviceCount { events[place] = nil }
    for index in 0..<resultCount { results[index] = nil }
    let plugin = loaded.client.plugin
    let error = pjrt_call(plugin.api, Int32(PjrtLoadedExecute), execution)
    if let error { throw plugin.translated(error, "run the program") }
    for place in 0..<deviceCount {
      guard let event = events[place] else { continue }
      inFlight.append(try Event(event, plugin, from: "LoadedExecutable_Execute"))
    }
  }
}
