// The methods of a plugin, each with the struct that it takes. One generic call serves them all: it fills in the size,
// refuses methods that the plugin lacks, and translates errors.

import CPJRT

/// A struct of arguments, which begins with its own size.
protocol PluginArguments {
  init()
  var head: PjrtHead { get set }
}

extension PjrtObject: PluginArguments {}
extension PjrtObjectToInt: PluginArguments {}
extension PjrtObjectToBool: PluginArguments {}
extension PjrtObjectToSize: PluginArguments {}
extension PjrtObjectToObject: PluginArguments {}
extension PjrtObjectToText: PluginArguments {}
extension PjrtObjectToList: PluginArguments {}
extension PjrtAttributes: PluginArguments {}
extension PjrtObjectToAttributes: PluginArguments {}
extension PjrtOnReady: PluginArguments {}
extension PjrtClientCreation: PluginArguments {}
extension PjrtCompilation: PluginArguments {}
extension PjrtTopologyCreation: PluginArguments {}
extension PjrtAheadCompilation: PluginArguments {}
extension PjrtUpload: PluginArguments {}
extension PjrtDownload: PluginArguments {}
extension PjrtMemoryStats: PluginArguments {}
extension PjrtCompiledMemory: PluginArguments {}
extension PjrtOptimizedProgram: PluginArguments {}
extension PjrtSerialization: PluginArguments {}
extension PjrtDeserialization: PluginArguments {}
extension PjrtExecution: PluginArguments {}
extension PjrtHead: PluginArguments {
  var head: PjrtHead {
    get { self }
    set { self = newValue }
  }
}

/// A method: its offset in the table, and its name for errors.
struct PluginMethod<Arguments: PluginArguments>: Sendable {
  let place: Int
  let name: String

  init(_ place: Int, _ name: String) {
    self.place = place
    self.name = name
  }
}

extension PluginMethod where Arguments == PjrtHead {
  static var initialize: Self { Self(PjrtPluginInitialize, "Plugin_Initialize") }
}

extension PluginMethod where Arguments == PjrtObject {
  static var destroyError: Self { Self(PjrtErrorDestroy, "Error_Destroy") }
  static var destroyEvent: Self { Self(PjrtEventDestroy, "Event_Destroy") }
  static var awaitEvent: Self { Self(PjrtEventAwait, "Event_Await") }
  static var destroyClient: Self { Self(PjrtClientDestroy, "Client_Destroy") }
  static var destroyBuffer: Self { Self(PjrtBufferDestroy, "Buffer_Destroy") }
  static var destroyExecutable: Self { Self(PjrtExecutableDestroy, "Executable_Destroy") }
  static var destroyLoaded: Self { Self(PjrtLoadedDestroy, "LoadedExecutable_Destroy") }
  static var destroyTopology: Self { Self(PjrtTopologyDestroy, "TopologyDescription_Destroy") }
}

extension PluginMethod where Arguments == PjrtObjectToText {
  static var errorMessage: Self { Self(PjrtErrorMessage, "Error_Message") }
  static var platformName: Self { Self(PjrtClientPlatformName, "Client_PlatformName") }
  static var platformVersion: Self { Self(PjrtClientPlatformVersion, "Client_PlatformVersion") }
  static var deviceKind: Self { Self(PjrtDescriptionKind, "DeviceDescription_Kind") }
}

extension PluginMethod where Arguments == PjrtObjectToInt {
  static var errorCode: Self { Self(PjrtErrorGetCode, "Error_GetCode") }
  static var deviceNumber: Self { Self(PjrtDescriptionId, "DeviceDescription_Id") }
}

extension PluginMethod where Arguments == PjrtObjectToBool {
  static var isReady: Self { Self(PjrtEventIsReady, "Event_IsReady") }
}

extension PluginMethod where Arguments == PjrtObjectToSize {
  static var outputCount: Self { Self(PjrtExecutableNumOutputs, "Executable_NumOutputs") }
  static var bufferAddress: Self { Self(PjrtBufferUnsafePointer, "Buffer_UnsafePointer") }
}

extension PluginMethod where Arguments == PjrtObjectToObject {
  static var deviceDescription: Self { Self(PjrtDeviceGetDescription, "Device_GetDescription") }
  static var loadedExecutable: Self { Self(PjrtLoadedGetExecutable, "LoadedExecutable_GetExecutable") }
  static var bufferReady: Self { Self(PjrtBufferReadyEvent, "Buffer_ReadyEvent") }
}

extension PluginMethod where Arguments == PjrtObjectToList {
  static var devices: Self { Self(PjrtClientAddressableDevices, "Client_AddressableDevices") }
  static var topologyDevices: Self { Self(PjrtTopologyDevices, "TopologyDescription_GetDeviceDescriptions") }
}

extension PluginMethod where Arguments == PjrtAttributes {
  static var attributes: Self { Self(PjrtPluginAttributes, "Plugin_Attributes") }
}

extension PluginMethod where Arguments == PjrtObjectToAttributes {
  static var deviceAttributes: Self { Self(PjrtDescriptionAttributes, "DeviceDescription_Attributes") }
  static var costAnalysis: Self { Self(PjrtExecutableGetCostAnalysis, "Executable_GetCostAnalysis") }
}

extension PluginMethod where Arguments == PjrtOnReady {
  static var onReady: Self { Self(PjrtEventOnReady, "Event_OnReady") }
}

extension PluginMethod where Arguments == PjrtClientCreation {
  static var createClient: Self { Self(PjrtClientCreate, "Client_Create") }
}

extension PluginMethod where Arguments == PjrtCompilation {
  static var compile: Self { Self(PjrtClientCompile, "Client_Compile") }
}

extension PluginMethod where Arguments == PjrtTopologyCreation {
  static var createTopology: Self { Self(PjrtTopologyCreate, "TopologyDescription_Create") }
}

extension PluginMethod where Arguments == PjrtAheadCompilation {
  static var compileAhead: Self { Self(PjrtCompileAhead, "Compile") }
}

extension PluginMethod where Arguments == PjrtUpload {
  static var upload: Self { Self(PjrtClientBufferFromHostBuffer, "Client_BufferFromHostBuffer") }
}

extension PluginMethod where Arguments == PjrtDownload {
  static var download: Self { Self(PjrtBufferToHostBuffer, "Buffer_ToHostBuffer") }
}

extension PluginMethod where Arguments == PjrtMemoryStats {
  static var memoryStats: Self { Self(PjrtDeviceMemoryStats, "Device_MemoryStats") }
}

extension PluginMethod where Arguments == PjrtCompiledMemory {
  static var compiledMemory: Self { Self(PjrtExecutableGetCompiledMemoryStats, "Executable_GetCompiledMemoryStats") }
}

extension PluginMethod where Arguments == PjrtOptimizedProgram {
  static var optimizedProgram: Self { Self(PjrtExecutableOptimizedProgram, "Executable_OptimizedProgram") }
}

extension PluginMethod where Arguments == PjrtSerialization {
  static var serialize: Self { Self(PjrtExecutableSerialize, "Executable_Serialize") }
}

extension PluginMethod where Arguments == PjrtDeserialization {
  static var deserialize: Self { Self(PjrtExecutableDeserializeAndLoad, "Executable_DeserializeAndLoad") }
}

extension PluginMethod where Arguments == PjrtExecution {
  static var execute: Self { Self(PjrtLoadedExecute, "LoadedExecutable_Execute") }
}
