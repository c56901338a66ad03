// Our declaration of the interface against the header that plugins are built with: a C compiler is asked for every offset
// and size of both.

import AccelerandoXLA
import CPJRT
import Foundation
import Testing

/// A struct of ours, a struct of the header's that it stands for, and pairs of fields.
private struct LayoutPair {
  let own: String
  let real: String
  let fields: [(own: String, real: String)]

  init(_ own: String, _ real: String, _ fields: [(String, String)]) {
    self.own = own
    self.real = real
    self.fields = fields
  }
}

private let pairs: [LayoutPair] =
  objects.flatMap { own, field, reals in
    reals.map { real in LayoutPair(own, "PJRT_\(real.name)_Args", zip(field, real.fields).map { ($0, $1) }) }
  } + [
    LayoutPair("PjrtApi", "PJRT_Api", [("version_head", "pjrt_api_version")]),
    LayoutPair(
      "PjrtNamedValue", "PJRT_NamedValue",
      [
        ("name", "name"), ("name_length", "name_size"), ("kind", "type"), ("value", "string_value"),
        ("count", "value_size"),
      ]),
    LayoutPair(
      "PjrtOnReady", "PJRT_Event_OnReady_Args", [("event", "event"), ("callback", "callback"), ("context", "user_arg")]),
    LayoutPair(
      "PjrtClientCreation", "PJRT_Client_Create_Args",
      [
        ("options", "create_options"), ("option_count", "num_options"), ("store_get", "kv_get_callback"),
        ("store_put", "kv_put_callback"), ("client", "client"), ("store_try_get", "kv_try_get_callback"),
      ]),
    LayoutPair(
      "PjrtProgram", "PJRT_Program",
      [("code", "code"), ("code_length", "code_size"), ("format", "format"), ("format_length", "format_size")]),
    LayoutPair(
      "PjrtCompilation", "PJRT_Client_Compile_Args",
      [
        ("client", "client"), ("program", "program"), ("options", "compile_options"),
        ("options_length", "compile_options_size"), ("executable", "executable"),
      ]),
    LayoutPair(
      "PjrtTopologyCreation", "PJRT_TopologyDescription_Create_Args",
      [
        ("name", "topology_name"), ("name_length", "topology_name_size"), ("options", "create_options"),
        ("option_count", "num_options"), ("topology", "topology"),
      ]),
    LayoutPair(
      "PjrtAheadCompilation", "PJRT_Compile_Args",
      [
        ("topology", "topology"), ("program", "program"), ("options", "compile_options"),
        ("options_length", "compile_options_size"), ("client", "client"), ("executable", "executable"),
      ]),
    LayoutPair(
      "PjrtUpload", "PJRT_Client_BufferFromHostBuffer_Args",
      [
        ("client", "client"), ("data", "data"), ("element_type", "type"), ("dimensions", "dims"),
        ("dimension_count", "num_dims"), ("byte_strides", "byte_strides"), ("byte_stride_count", "num_byte_strides"),
        ("semantics", "host_buffer_semantics"), ("device", "device"), ("memory", "memory"),
        ("layout", "device_layout"), ("done_with_host", "done_with_host_buffer"), ("buffer", "buffer"),
      ]),
    LayoutPair(
      "PjrtLayout", "PJRT_Buffer_MemoryLayout",
      [
        ("tiled_head", "tiled"), ("minor_to_major", "tiled.minor_to_major"), ("rank", "tiled.minor_to_major_size"),
        ("tiles", "tiled.tile_dims"), ("tile_count", "tiled.num_tiles"), ("kind", "type"),
      ]),
    LayoutPair(
      "PjrtDownload", "PJRT_Buffer_ToHostBuffer_Args",
      [("buffer", "src"), ("layout", "host_layout"), ("data", "dst"), ("length", "dst_size"), ("event", "event")]),
    LayoutPair(
      "PjrtMemoryStats", "PJRT_Device_MemoryStats_Args",
      [
        ("device", "device"), ("bytes_in_use", "bytes_in_use"), ("peak_bytes_in_use", "peak_bytes_in_use"),
        ("has_peak_bytes_in_use", "peak_bytes_in_use_is_set"), ("allocations", "num_allocs"),
        ("has_allocations", "num_allocs_is_set"), ("largest_allocation", "largest_alloc_size"),
        ("has_largest_allocation", "largest_alloc_size_is_set"), ("bytes_limit", "bytes_limit"),
        ("has_bytes_limit", "bytes_limit_is_set"), ("unused", "bytes_reserved"),
      ]),
    LayoutPair(
      "PjrtCompiledMemory", "PJRT_Executable_GetCompiledMemoryStats_Args",
      [
        ("executable", "executable"), ("code_bytes", "generated_code_size_in_bytes"),
        ("argument_bytes", "argument_size_in_bytes"), ("output_bytes", "output_size_in_bytes"),
        ("alias_bytes", "alias_size_in_bytes"), ("temporary_bytes", "temp_size_in_bytes"),
        ("unused", "host_generated_code_size_in_bytes"), ("peak_bytes", "peak_memory_in_bytes"),
      ]),
    LayoutPair(
      "PjrtOptimizedProgram", "PJRT_Executable_OptimizedProgram_Args",
      [("executable", "executable"), ("program", "program")]),
    LayoutPair(
      "PjrtSerialization", "PJRT_Executable_Serialize_Args",
      [
        ("executable", "executable"), ("bytes", "serialized_bytes"), ("length", "serialized_bytes_size"),
        ("handle", "serialized_executable"), ("free_handle", "serialized_executable_deleter"),
      ]),
    LayoutPair(
      "PjrtDeserialization", "PJRT_Executable_DeserializeAndLoad_Args",
      [
        ("client", "client"), ("bytes", "serialized_executable"), ("length", "serialized_executable_size"),
        ("executable", "loaded_executable"), ("options", "overridden_serialized_compile_options"),
        ("options_length", "overridden_serialized_compile_options_size"),
      ]),
    LayoutPair(
      "PjrtExecuteOptions", "PJRT_ExecuteOptions",
      [
        ("unused", "send_callbacks"), ("launch_id", "launch_id"), ("kept_inputs", "non_donatable_input_indices"),
        ("kept_input_count", "num_non_donatable_input_indices"), ("context", "context"),
        ("call_location", "call_location"), ("task_count", "num_tasks"), ("task_ids", "task_ids"),
        ("incarnation_ids", "incarnation_ids"),
      ]),
    LayoutPair(
      "PjrtExecution", "PJRT_LoadedExecutable_Execute_Args",
      [
        ("executable", "executable"), ("options", "options"), ("arguments", "argument_lists"),
        ("device_count", "num_devices"), ("argument_count", "num_args"), ("results", "output_lists"),
        ("complete_events", "device_complete_events"), ("device", "execute_device"),
      ]),
  ]

/// Structs that several methods share: ours, its fields, and each method with the fields' names there.
private let objects: [(own: String, fields: [String], reals: [(name: String, fields: [String])])] = [
  (
    "PjrtObject", ["object"],
    [
      ("Error_Destroy", ["error"]), ("Event_Destroy", ["event"]), ("Event_Await", ["event"]),
      ("Client_Destroy", ["client"]), ("Buffer_Destroy", ["buffer"]), ("Executable_Destroy", ["executable"]),
      ("LoadedExecutable_Destroy", ["executable"]), ("TopologyDescription_Destroy", ["topology"]),
    ]
  ),
  (
    "PjrtObjectToText", ["object", "text", "length"],
    [
      ("Error_Message", ["error", "message", "message_size"]),
      ("Client_PlatformName", ["client", "platform_name", "platform_name_size"]),
      ("Client_PlatformVersion", ["client", "platform_version", "platform_version_size"]),
      ("DeviceDescription_Kind", ["device_description", "device_kind", "device_kind_size"]),
    ]
  ),
  (
    "PjrtObjectToInt", ["object", "value"],
    [("Error_GetCode", ["error", "code"]), ("DeviceDescription_Id", ["device_description", "id"])]
  ),
  ("PjrtObjectToBool", ["object", "value"], [("Event_IsReady", ["event", "is_ready"])]),
  (
    "PjrtObjectToSize", ["object", "value"],
    [
      ("Executable_NumOutputs", ["executable", "num_outputs"]),
      ("Buffer_UnsafePointer", ["buffer", "buffer_pointer"]),
    ]
  ),
  (
    "PjrtObjectToObject", ["object", "result"],
    [
      ("Device_GetDescription", ["device", "device_description"]),
      ("LoadedExecutable_GetExecutable", ["loaded_executable", "executable"]),
      ("Buffer_ReadyEvent", ["buffer", "event"]),
    ]
  ),
  (
    "PjrtObjectToList", ["object", "list", "count"],
    [
      ("Client_AddressableDevices", ["client", "addressable_devices", "num_addressable_devices"]),
      ("TopologyDescription_GetDeviceDescriptions", ["topology", "descriptions", "num_descriptions"]),
    ]
  ),
  ("PjrtAttributes", ["values", "count"], [("Plugin_Attributes", ["attributes", "num_attributes"])]),
  (
    "PjrtObjectToAttributes", ["object", "count", "values"],
    [
      ("DeviceDescription_Attributes", ["device_description", "num_attributes", "attributes"]),
      ("Executable_GetCostAnalysis", ["executable", "num_properties", "properties"]),
    ]
  ),
]

/// Places in the table, and the header's names of the methods.
private let methods: [(place: Int, name: String)] = [
  (PjrtErrorDestroy, "Error_Destroy"), (PjrtErrorMessage, "Error_Message"), (PjrtErrorGetCode, "Error_GetCode"),
  (PjrtPluginInitialize, "Plugin_Initialize"), (PjrtPluginAttributes, "Plugin_Attributes"),
  (PjrtEventDestroy, "Event_Destroy"), (PjrtEventIsReady, "Event_IsReady"), (PjrtEventAwait, "Event_Await"),
  (PjrtEventOnReady, "Event_OnReady"), (PjrtClientCreate, "Client_Create"), (PjrtClientDestroy, "Client_Destroy"),
  (PjrtClientPlatformName, "Client_PlatformName"), (PjrtClientPlatformVersion, "Client_PlatformVersion"),
  (PjrtClientAddressableDevices, "Client_AddressableDevices"), (PjrtClientCompile, "Client_Compile"),
  (PjrtClientBufferFromHostBuffer, "Client_BufferFromHostBuffer"), (PjrtDescriptionId, "DeviceDescription_Id"),
  (PjrtDescriptionAttributes, "DeviceDescription_Attributes"), (PjrtDescriptionKind, "DeviceDescription_Kind"),
  (PjrtDeviceGetDescription, "Device_GetDescription"), (PjrtDeviceMemoryStats, "Device_MemoryStats"),
  (PjrtExecutableDestroy, "Executable_Destroy"), (PjrtExecutableNumOutputs, "Executable_NumOutputs"),
  (PjrtExecutableGetCostAnalysis, "Executable_GetCostAnalysis"),
  (PjrtExecutableOptimizedProgram, "Executable_OptimizedProgram"), (PjrtExecutableSerialize, "Executable_Serialize"),
  (PjrtLoadedDestroy, "LoadedExecutable_Destroy"), (PjrtLoadedGetExecutable, "LoadedExecutable_GetExecutable"),
  (PjrtLoadedExecute, "LoadedExecutable_Execute"),
  (PjrtExecutableDeserializeAndLoad, "Executable_DeserializeAndLoad"), (PjrtBufferDestroy, "Buffer_Destroy"),
  (PjrtBufferToHostBuffer, "Buffer_ToHostBuffer"), (PjrtBufferReadyEvent, "Buffer_ReadyEvent"),
  (PjrtBufferUnsafePointer, "Buffer_UnsafePointer"),
  (PjrtExecutableGetCompiledMemoryStats, "Executable_GetCompiledMemoryStats"),
  (PjrtTopologyCreate, "TopologyDescription_Create"), (PjrtTopologyDestroy, "TopologyDescription_Destroy"),
  (PjrtTopologyDevices, "TopologyDescription_GetDeviceDescriptions"), (PjrtCompileAhead, "Compile"),
]

/// The header that came with a plugin, if one did.
private let realHeader: URL? = TestPlugins.found.map {
  URL(fileURLWithPath: $0.path).deletingLastPathComponent().appendingPathComponent("include/pjrt_c_api.h")
}.first { FileManager.default.fileExists(atPath: $0.path) }

@Suite struct LayoutTests {
  @Test(
    .enabled(
      if: realHeader != nil && compiler != nil,
      "no plugin of this machine carries pjrt_c_api.h (the package xla-cpu-pjrt does), or there is no C compiler"))
  func everyOffsetAndSizeIsThatOfTheRealHeader() throws {
    let header = try #require(realHeader)
    let own = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../Sources/CPJRT/include/CPJRT.h").standardizedFileURL
    var checks: [String] = []
    func check(_ own: String, _ real: String) {
      checks.append("_Static_assert(\(own) == \(real), \"\(own) and \(real)\");")
    }
    for pair in pairs {
      for field in pair.fields {
        check("offsetof(\(pair.own), \(field.own))", "offsetof(\(pair.real), \(field.real))")
      }
      if pair.own != "PjrtApi" { check("sizeof(\(pair.own))", "sizeof(\(pair.real))") }
    }
    for (place, name) in methods {
      check("sizeof(PjrtApi) + \(place) * sizeof(void *)", "offsetof(PJRT_Api, PJRT_\(name))")
    }
    let source = """
      #include <stdbool.h>
      #include <stddef.h>
      #include <stdint.h>
      #include "\(header.path)"
      #include "\(own.path)"
      \(checks.joined(separator: "\n"))
      """
    try withTemporaryDirectory { directory in
      let file = directory.appendingPathComponent("layout.c")
      try Data(source.utf8).write(to: file)
      let process = Process()
      process.executableURL = URL(fileURLWithPath: try #require(compiler))
      process.arguments = ["-std=c11", "-w", "-fsyntax-only", file.path]
      let pipe = Pipe()
      process.standardError = pipe
      try process.run()
      let said = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      waitForExit(process)
      #expect(process.terminationStatus == 0, "\(said.prefix(4000))")
    }
  }
}
