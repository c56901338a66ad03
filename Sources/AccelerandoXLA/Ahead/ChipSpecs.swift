// Peak performance of chips, as published by their makers. Bounds of a program's time follow from it, and whether it
// fits. Numbers are per chip, without sparsity; a chip may appear to programs as more than one device.

import AccelerandoCore

/// A kind of chip.
public struct ChipSpec: Hashable, Sendable {
  /// The name in a target: `v5e`, `h200`.
  public let name: String
  /// The maker's name.
  public let title: String
  /// `tpu` or `cuda`.
  public let platform: String
  /// The number of devices per chip that a program sees.
  public let devicesPerChip: Int
  /// Bytes of memory on a chip.
  public let memoryBytes: Int
  /// Bytes per second between a chip and its memory.
  public let memoryBandwidth: Double
  /// Bytes per second that a chip can send to its neighbours, over all links together in one direction.
  public let linkBandwidth: Double
  /// Floating-point operations per second in matrix products, by the element type of the operands.
  let peaks: [DType: Double]
  /// Further properties that a GPU's compiler needs; nil for others.
  let gpu: GPUDetails?

  /// Floating-point operations per second in products of tensors of a type, as XLA computes them by default.
  public func peak(_ dtype: DType) -> Double { peaks[dtype] ?? peaks[.float32] ?? 0 }

  /// Bytes of a chip's memory that programs get. XLA takes three quarters of a GPU's memory at the start and leaves the
  /// rest to libraries; of a TPU's, the system reserves a little.
  public var usableBytes: Int { platform == "cuda" ? memoryBytes / 4 * 3 : memoryBytes / 64 * 63 }

  /// The minimum time in seconds from the start of a kernel to the start of the next. A GPU runs kernels one after
  /// another, each on all multiprocessors; a TPU runs a program without such gaps.
  public var kernelSeconds: Double { platform == "cuda" ? 2e-6 : 0 }

  /// Makes a description; rates are in units of 10¹² for arithmetic and 10⁹ bytes for memory and links.
  private init(
    _ name: String, _ title: String, tpu memory: Int, bandwidth: Double, links: Double, bfloat16: Double,
    devicesPerChip: Int = 1
  ) {
    self.name = name
    self.title = title
    platform = "tpu"
    self.devicesPerChip = devicesPerChip
    memoryBytes = memory
    memoryBandwidth = bandwidth * 1e9
    linkBandwidth = links * 1e9
    // A TPU's matrix unit multiplies bfloat16; products of float32 are rounded to it unless a program asks for more.
    peaks = [.bfloat16: bfloat16 * 1e12, .float16: bfloat16 * 1e12, .float32: bfloat16 * 1e12]
    gpu = nil
  }

  private init(
    _ name: String, _ title: String, cuda memory: Int, bandwidth: Double, links: Double, half: Double, float32: Double,
    float64: Double, gpu: GPUDetails
  ) {
    self.name = name
    self.title = title
    platform = "cuda"
    devicesPerChip = 1
    memoryBytes = memory
    memoryBandwidth = bandwidth * 1e9
    linkBandwidth = links * 1e9
    peaks = [.bfloat16: half * 1e12, .float16: half * 1e12, .float32: float32 * 1e12, .float64: float64 * 1e12]
    self.gpu = gpu
  }

  /// The kind of chip with a name.
  public static func named(_ name: String, platform: String) -> ChipSpec? {
    all.first { $0.platform == platform && $0.name == name.lowercased() }
  }

  /// All known kinds.
  public static let all: [ChipSpec] = tpus + gpus

  // Google Cloud's pages "TPU v3" to "TPU7x", system architecture (2025): compute and memory per chip, and the
  // inter-chip interconnect's bandwidth, of which half goes out. Memory is what a chip has; the runtime keeps a little
  // of it.
  private static let tpus = [
    ChipSpec(
      "v3", "TPU v3", tpu: 32 << 30, bandwidth: 900, links: 82, bfloat16: 123, devicesPerChip: 2),
    ChipSpec("v4", "TPU v4", tpu: 32 << 30, bandwidth: 1200, links: 150, bfloat16: 275, devicesPerChip: 2),
    ChipSpec("v5e", "TPU v5e", tpu: 16 << 30, bandwidth: 819, links: 100, bfloat16: 197),
    ChipSpec("v5p", "TPU v5p", tpu: 95 << 30, bandwidth: 2765, links: 300, bfloat16: 459),
    ChipSpec("v6e", "TPU v6e (Trillium)", tpu: 32 << 30, bandwidth: 1640, links: 224, bfloat16: 918),
    ChipSpec(
      "tpu7x", "TPU7x (Ironwood)", tpu: 192 << 30, bandwidth: 7370, links: 600, bfloat16: 2307, devicesPerChip: 2),
  ]

  // NVIDIA's data sheets of each GPU; half-precision and TF32 rates of the tensor cores without sparsity, since XLA
  // computes products of float32 in TF32 where the GPU has it. Links are NVLink in one direction, PCIe where there is
  // none.
  private static let gpus = [
    ChipSpec(
      "v100", "NVIDIA V100 SXM2 16 GB", cuda: 16_945_512_448, bandwidth: 900, links: 150, half: 125, float32: 15.7,
      float64: 7.8, gpu: .volta),
    ChipSpec(
      "t4", "NVIDIA T4 16 GB", cuda: 15_843_721_216, bandwidth: 320, links: 16, half: 65, float32: 8.1, float64: 0.25,
      gpu: .turing),
    ChipSpec(
      "a100", "NVIDIA A100 SXM4 80 GB", cuda: 85_199_355_904, bandwidth: 2039, links: 300, half: 312, float32: 156,
      float64: 19.5, gpu: .ampere(cores: 108)),
    ChipSpec(
      "a100-40", "NVIDIA A100 SXM4 40 GB", cuda: 42_505_273_344, bandwidth: 1555, links: 300, half: 312, float32: 156,
      float64: 19.5, gpu: .ampere(cores: 108)),
    ChipSpec(
      "l4", "NVIDIA L4 24 GB", cuda: 23_580_639_232, bandwidth: 300, links: 32, half: 121, float32: 60, float64: 0.5,
      gpu: .ada(cores: 58)),
    ChipSpec(
      "h100", "NVIDIA H100 SXM5 80 GB", cuda: 85_028_765_696, bandwidth: 3350, links: 450, half: 989.4, float32: 494.7,
      float64: 67, gpu: .hopper(cores: 132)),
    ChipSpec(
      "h200", "NVIDIA H200 SXM5 141 GB", cuda: 151_397_597_184, bandwidth: 4800, links: 450, half: 989.4,
      float32: 494.7, float64: 67, gpu: .hopper(cores: 132)),
    ChipSpec(
      "b200", "NVIDIA B200 180 GB", cuda: 191_512_313_856, bandwidth: 7700, links: 900, half: 2250, float32: 1125,
      float64: 37, gpu: .blackwell(cores: 148)),
  ]
}

/// The properties of a GPU that its compiler needs: the limits of its multiprocessors.
struct GPUDetails: Hashable, Sendable {
  /// The compute capability.
  var major: Int, minor: Int
  /// The number of multiprocessors.
  var cores: Int
  /// Arithmetic units for float32 in a multiprocessor.
  var unitsPerCore: Int
  /// Bytes of shared memory in a multiprocessor, and the most that one block may request.
  var sharedPerCore: Int, sharedPerBlock: Int
  var threadsPerCore = 2048
  /// Bytes of the L2 cache.
  var cache: Int
  /// The clock rate in GHz.
  var clock: Double

  // CUDA's programming guide, "Compute capabilities", and the GPUs' white papers.
  static let volta = GPUDetails(
    major: 7, minor: 0, cores: 80, unitsPerCore: 64, sharedPerCore: 98_304, sharedPerBlock: 98_304, cache: 6 << 20,
    clock: 1.53)
  static let turing = GPUDetails(
    major: 7, minor: 5, cores: 40, unitsPerCore: 64, sharedPerCore: 65_536, sharedPerBlock: 65_536,
    threadsPerCore: 1024, cache: 4 << 20, clock: 1.59)
  static func ampere(cores: Int) -> GPUDetails {
    GPUDetails(
      major: 8, minor: 0, cores: cores, unitsPerCore: 64, sharedPerCore: 167_936, sharedPerBlock: 166_912,
      cache: 40 << 20, clock: 1.41)
  }
  static func ada(cores: Int) -> GPUDetails {
    GPUDetails(
      major: 8, minor: 9, cores: cores, unitsPerCore: 128, sharedPerCore: 102_400, sharedPerBlock: 101_376,
      threadsPerCore: 1536, cache: 48 << 20, clock: 2.04)
  }
  static func hopper(cores: Int) -> GPUDetails {
    GPUDetails(
      major: 9, minor: 0, cores: cores, unitsPerCore: 128, sharedPerCore: 233_472, sharedPerBlock: 232_448,
      cache: 50 << 20, clock: 1.98)
  }
  static func blackwell(cores: Int) -> GPUDetails {
    GPUDetails(
      major: 10, minor: 0, cores: cores, unitsPerCore: 128, sharedPerCore: 233_472, sharedPerBlock: 232_448,
      cache: 126 << 20, clock: 1.965)
  }
}

extension ChipSpec {
  /// A GPU as the text of XLA's `GpuTargetConfigProto`; nil for other chips.
  var gpuTarget: String? {
    guard let gpu else { return nil }
    // From compute capability 9.0 on, the fastest matrix instructions are in a set for this capability alone.
    let features = gpu.major >= 9 ? "feature_extension: ACCELERATED_FEATURES" : ""
    return """
      gpu_device_info {
        threads_per_block_limit: 1024
        threads_per_warp: 32
        shared_memory_per_block: 49152
        shared_memory_per_core: \(gpu.sharedPerCore)
        threads_per_core_limit: \(gpu.threadsPerCore)
        core_count: \(gpu.cores)
        fpus_per_core: \(gpu.unitsPerCore)
        block_dim_limit_x: 2147483647
        block_dim_limit_y: 65535
        block_dim_limit_z: 65535
        memory_bandwidth: \(Int(memoryBandwidth))
        l2_cache_size: \(gpu.cache)
        clock_rate_ghz: \(gpu.clock)
        device_memory_size: \(memoryBytes)
        shared_memory_per_block_optin: \(gpu.sharedPerBlock)
        cuda_compute_capability { major: \(gpu.major) minor: \(gpu.minor) \(features) }
        registers_per_core_limit: 65536
        registers_per_block_limit: 65536
        thread_dim_limit_x: 1024
        thread_dim_limit_y: 1024
        thread_dim_limit_z: 64
        driver_version: "13.0.0"
        runtime_version: "12.8.0"
        compile_time_toolkit_version: "12.8.0"
        dnn_version: "9.10.0"
      }
      platform_name: "CUDA"
      device_description_str: "\(title)"
      """
  }
}
