// The binary interface of PJRT plugins, as far as it is used here. PJRT is how XLA's compilers for CPUs, GPUs and TPUs are
// reached: a shared library exports one function, which returns a table of methods. Every method takes a pointer to one
// struct that holds arguments and results.
//
// This is a declaration of our own, made from the facts of the interface: the order and the sizes of fields. Many methods
// take structs of the same layout ("an object in, a text out"), so that there is one struct for a layout, not one for a
// method. A test compares every offset and size with the real header where one is present.
//
// Versions differ in the length of structs and of the table: each begins with its own size. A plugin rejects arguments that
// are shorter than it knows and ignores what is longer; callers reserve spare zeroed bytes behind every struct.

#ifndef CPJRT_H
#define CPJRT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// How every struct begins.
typedef struct {
  size_t size;
  void *extension;
} PjrtHead;

/// The table of methods. The methods follow it in memory, in the order of PjrtMethod; `head.size` says how many there are.
typedef struct {
  PjrtHead head;
  PjrtHead version_head;
  int major;
  int minor;
} PjrtApi;

/// Places in the table of methods.
enum {
  PjrtErrorDestroy = 0,
  PjrtErrorMessage = 1,
  PjrtErrorGetCode = 2,
  PjrtPluginInitialize = 3,
  PjrtPluginAttributes = 4,
  PjrtEventDestroy = 5,
  PjrtEventIsReady = 6,
  PjrtEventAwait = 8,
  PjrtEventOnReady = 9,
  PjrtClientCreate = 10,
  PjrtClientDestroy = 11,
  PjrtClientPlatformName = 12,
  PjrtClientPlatformVersion = 14,
  PjrtClientAddressableDevices = 16,
  PjrtClientCompile = 20,
  PjrtClientBufferFromHostBuffer = 22,
  PjrtDescriptionId = 23,
  PjrtDescriptionAttributes = 25,
  PjrtDescriptionKind = 26,
  PjrtDeviceGetDescription = 29,
  PjrtDeviceMemoryStats = 34,
  PjrtExecutableDestroy = 40,
  PjrtExecutableNumOutputs = 44,
  PjrtExecutableGetCostAnalysis = 46,
  PjrtExecutableOptimizedProgram = 48,
  PjrtExecutableSerialize = 49,
  PjrtLoadedDestroy = 50,
  PjrtLoadedGetExecutable = 51,
  PjrtLoadedExecute = 55,
  PjrtExecutableDeserializeAndLoad = 56,
  PjrtBufferDestroy = 58,
  PjrtBufferToHostBuffer = 70,
  PjrtBufferReadyEvent = 72,
  PjrtBufferUnsafePointer = 73,
  PjrtTopologyCreate = 82,
  PjrtTopologyDestroy = 83,
  PjrtTopologyDevices = 86,
  PjrtCompileAhead = 89,
  PjrtExecutableGetCompiledMemoryStats = 96,
};

/// Calls a method of the table.
/// \return an error to be destroyed by the caller, or NULL. Of the methods that cannot fail (those of errors), NULL.
void *pjrt_call(const PjrtApi *api, int method, void *arguments);

/// An object; nothing or an error comes back.
typedef struct {
  PjrtHead head;
  void *object;
} PjrtObject;

/// An object in, a number out.
typedef struct {
  PjrtHead head;
  const void *object;
  int value;
} PjrtObjectToInt;

/// An object in, a yes or no out.
typedef struct {
  PjrtHead head;
  void *object;
  bool value;
} PjrtObjectToBool;

/// An object in, a size or an address out.
typedef struct {
  PjrtHead head;
  void *object;
  size_t value;
} PjrtObjectToSize;

/// An object in, another object out.
typedef struct {
  PjrtHead head;
  void *object;
  void *result;
} PjrtObjectToObject;

/// An object in, a text out that belongs to the object.
typedef struct {
  PjrtHead head;
  const void *object;
  const char *text;
  size_t length;
} PjrtObjectToText;

/// An object in, a list of objects out that belongs to it.
typedef struct {
  PjrtHead head;
  void *object;
  void *const *list;
  size_t count;
} PjrtObjectToList;

/// What a named value holds.
enum {
  PjrtNamedText = 0,
  PjrtNamedInt64 = 1,
  PjrtNamedInt64List = 2,
  PjrtNamedFloat = 3,
  PjrtNamedBool = 4,
};

/// A value with a name: an attribute or an option.
typedef struct {
  PjrtHead head;
  const char *name;
  size_t name_length;
  int kind;
  union {
    const char *text;
    int64_t int64;
    const int64_t *int64_list;
    float number;
    bool truth;
  } value;
  /// Bytes of a text, elements of a list, otherwise 1.
  size_t count;
} PjrtNamedValue;

/// Named values out.
typedef struct {
  PjrtHead head;
  const PjrtNamedValue *values;
  size_t count;
} PjrtAttributes;

/// An object in, named values out that belong to it.
typedef struct {
  PjrtHead head;
  void *object;
  size_t count;
  const PjrtNamedValue *values;
} PjrtObjectToAttributes;

/// To be called when an event has come, on a thread of the plugin's. The error is NULL or to be destroyed.
typedef struct {
  PjrtHead head;
  void *event;
  void (*callback)(void *error, void *context);
  void *context;
} PjrtOnReady;

/// Makes a client. The pointers between are for clusters of processes.
typedef struct {
  PjrtHead head;
  const PjrtNamedValue *options;
  size_t option_count;
  void *store_get[2];
  void *store_put[2];
  void *client;
  void *store_try_get[2];
} PjrtClientCreation;

/// A program in one of the plugin's languages.
typedef struct {
  PjrtHead head;
  char *code;
  size_t code_length;
  const char *format;
  size_t format_length;
} PjrtProgram;

/// Compiles for a client's devices.
typedef struct {
  PjrtHead head;
  void *client;
  const PjrtProgram *program;
  const char *options;
  size_t options_length;
  void *executable;
} PjrtCompilation;

/// Describes devices that need not be there: how many of which kind, and how they are connected.
typedef struct {
  PjrtHead head;
  const char *name;
  size_t name_length;
  const PjrtNamedValue *options;
  size_t option_count;
  void *topology;
} PjrtTopologyCreation;

/// Compiles for devices that need not be there. No client is needed.
typedef struct {
  PjrtHead head;
  const void *topology;
  const PjrtProgram *program;
  const char *options;
  size_t options_length;
  void *client;
  void *executable;
} PjrtAheadCompilation;

/// How long the plugin may read the host's memory.
enum {
  PjrtHostDuringCall = 0,
  PjrtHostUntilTransferred = 1,
  PjrtHostZeroCopy = 2,
};

/// Copies or borrows memory of the host's.
typedef struct {
  PjrtHead head;
  void *client;
  const void *data;
  int element_type;
  const int64_t *dimensions;
  size_t dimension_count;
  const int64_t *byte_strides;
  size_t byte_stride_count;
  int semantics;
  void *device;
  void *memory;
  void *layout;
  void *done_with_host;
  void *buffer;
} PjrtUpload;

/// The order of a tensor's dimensions in memory, the fastest first; no tiles.
typedef struct {
  PjrtHead head;
  PjrtHead tiled_head;
  const int64_t *minor_to_major;
  size_t rank;
  void *tiles[2];
  size_t tile_count;
  int kind;
} PjrtLayout;

/// Copies a buffer to the host. With no memory given, says how much is needed.
typedef struct {
  PjrtHead head;
  void *buffer;
  PjrtLayout *layout;
  void *data;
  size_t length;
  void *event;
} PjrtDownload;

/// The memory of a device; what is not known is marked so, but for the first number.
typedef struct {
  PjrtHead head;
  void *device;
  int64_t bytes_in_use;
  int64_t peak_bytes_in_use;
  bool has_peak_bytes_in_use;
  int64_t allocations;
  bool has_allocations;
  int64_t largest_allocation;
  bool has_largest_allocation;
  int64_t bytes_limit;
  bool has_bytes_limit;
  void *unused[12];
} PjrtMemoryStats;

/// The memory that a compiled program needs.
typedef struct {
  PjrtHead head;
  void *executable;
  int64_t code_bytes;
  int64_t argument_bytes;
  int64_t output_bytes;
  int64_t alias_bytes;
  int64_t temporary_bytes;
  int64_t unused[5];
  int64_t peak_bytes;
} PjrtCompiledMemory;

/// The compiled program's text: called once with no code for its length, and again with memory for it.
typedef struct {
  PjrtHead head;
  void *executable;
  PjrtProgram *program;
} PjrtOptimizedProgram;

/// Makes bytes of a compiled program. They are freed by `free_handle(handle)`.
typedef struct {
  PjrtHead head;
  const void *executable;
  const char *bytes;
  size_t length;
  void *handle;
  void (*free_handle)(void *handle);
} PjrtSerialization;

/// Makes a compiled program of bytes.
typedef struct {
  PjrtHead head;
  void *client;
  const char *bytes;
  size_t length;
  void *executable;
  const char *options;
  size_t options_length;
} PjrtDeserialization;

/// Options of one execution.
typedef struct {
  PjrtHead head;
  void *unused[4];
  int launch_id;
  const int64_t *kept_inputs;
  size_t kept_input_count;
  void *context;
  const char *call_location;
  size_t task_count;
  int *task_ids;
  int64_t *incarnation_ids;
} PjrtExecuteOptions;

/// Runs a compiled program on one or more devices: a list of arguments and a list for the results for each.
typedef struct {
  PjrtHead head;
  void *executable;
  PjrtExecuteOptions *options;
  void *const *const *arguments;
  size_t device_count;
  size_t argument_count;
  void **const *results;
  void **complete_events;
  void *device;
} PjrtExecution;

#endif
