// The plugins that are known by name: which packages contain them, and where in a package the library is. Others are
// used by path.

/// A plugin that can be installed by name.
public enum PluginKind: String, Hashable, Sendable, CaseIterable {
  case cpu, cuda12, cuda13, tpu

  /// The name of their devices: `cuda` for both versions.
  public var platform: String {
    switch self {
    case .cpu: "cpu"
    case .cuda12, .cuda13: "cuda"
    case .tpu: "tpu"
    }
  }

  /// Python packages with the plugin's library, best first, and its path in them.
  ///
  /// For the CPU the newer build comes first: its loops are faster and it follows XLA's releases; the older one is
  /// XLA's own package and is used if the first is not available.
  public var libraries: [(package: String, path: String)] {
    switch self {
    case .cpu:
      [
        ("lammps-jax-pjrt-cpu", "lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so"),
        ("xla-cpu-pjrt", "xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so"),
      ]
    case .cuda12: [("jax-cuda12-pjrt", "jax_plugins/xla_cuda12/xla_cuda_plugin.so")]
    case .cuda13: [("jax-cuda13-pjrt", "jax_plugins/xla_cuda13/xla_cuda_plugin.so")]
    case .tpu: [("libtpu", "libtpu/libtpu.so")]
    }
  }

  /// Packages with libraries that the plugin opens, which must be installed next to it.
  public var companions: [String] {
    switch self {
    case .cpu, .tpu: []
    case .cuda12:
      [
        "nvidia-cublas-cu12", "nvidia-cuda-cupti-cu12", "nvidia-cuda-nvcc-cu12", "nvidia-cuda-nvrtc-cu12",
        "nvidia-cuda-runtime-cu12", "nvidia-cudnn-cu12", "nvidia-cufft-cu12", "nvidia-cusolver-cu12",
        "nvidia-cusparse-cu12", "nvidia-nccl-cu12", "nvidia-nvjitlink-cu12", "nvidia-nvshmem-cu12",
      ]
    case .cuda13:
      [
        "nvidia-cublas", "nvidia-cuda-cupti", "nvidia-cuda-nvcc", "nvidia-cuda-nvrtc", "nvidia-cuda-runtime",
        "nvidia-cudnn-cu13", "nvidia-cufft", "nvidia-cusolver", "nvidia-cusparse", "nvidia-nccl-cu13",
        "nvidia-nvjitlink", "nvidia-nvvm", "nvidia-nvshmem-cu13",
      ]
    }
  }

  /// The companions that the compiler needs if nothing is to be run: NVIDIA's assembler and its library of functions.
  public var compilerCompanions: [String] {
    switch self {
    case .cpu, .tpu: []
    case .cuda12: ["nvidia-cuda-nvcc-cu12"]
    case .cuda13: ["nvidia-cuda-nvcc", "nvidia-nvvm"]
    }
  }
}
