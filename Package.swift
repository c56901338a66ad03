// swift-tools-version: 6.0
import PackageDescription

let package = Package(
  name: "Accelerando",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "accelerando", targets: ["AccelerandoCLI"]),
    .library(name: "Accelerando", targets: ["Accelerando"]),
    .library(name: "AccelerandoRecipes", targets: ["AccelerandoRecipes"]),
    .library(name: "AccelerandoCore", targets: ["AccelerandoCore"]),
    .library(name: "AccelerandoNN", targets: ["AccelerandoNN"]),
    .library(name: "AccelerandoTrain", targets: ["AccelerandoTrain"]),
    .library(name: "AccelerandoCompress", targets: ["AccelerandoCompress"]),
    .library(name: "AccelerandoCPU", targets: ["AccelerandoCPU"]),
    .library(name: "AccelerandoXLA", targets: ["AccelerandoXLA"]),
    .library(name: "AccelerandoFormats", targets: ["AccelerandoFormats"]),
    .library(name: "AccelerandoData", targets: ["AccelerandoData"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // Rounding and roots come from the C library's mathematics, which Linux links by name.
    .target(name: "AccelerandoCore", linkerSettings: [.linkedLibrary("m", .when(platforms: [.linux]))]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(
      name: "AccelerandoFormats",
      dependencies: [
        "AccelerandoCore", "CPNG", "CZlib",
        .target(name: "COpenSSL", condition: .when(platforms: [.linux])),
      ]),
    // Calls of libpng, which is loaded at run time: nothing to link.
    .target(name: "CPNG"),
    .target(name: "AccelerandoData", dependencies: ["AccelerandoCore", "AccelerandoFormats"]),
    .target(
      name: "AccelerandoRecipes",
      dependencies: [
        "AccelerandoCore", "AccelerandoFormats", "AccelerandoData", "AccelerandoNN", "AccelerandoTrain", "Yams",
      ]),
    .target(
      name: "Accelerando",
      dependencies: [
        "AccelerandoCore", "AccelerandoFormats", "AccelerandoData", "AccelerandoNN", "AccelerandoTrain",
        "AccelerandoCompress", "AccelerandoCPU", "AccelerandoXLA", "AccelerandoMPI",
      ]),
    .executableTarget(
      name: "AccelerandoCLI",
      dependencies: [
        "Accelerando", "AccelerandoRecipes", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .target(name: "CPJRT"),
    .target(name: "AccelerandoXLA", dependencies: ["AccelerandoCore", "AccelerandoFormats", "CPJRT"]),
    .target(name: "CKernels", linkerSettings: [.linkedLibrary("m", .when(platforms: [.linux]))]),
    .target(name: "AccelerandoCPU", dependencies: ["AccelerandoCore", "CKernels"]),
    .target(name: "AccelerandoNN", dependencies: ["AccelerandoCore", "AccelerandoFormats"]),
    .target(
      name: "AccelerandoTrain", dependencies: ["AccelerandoCore", "AccelerandoNN", "AccelerandoFormats"]),
    .target(
      name: "AccelerandoCompress",
      dependencies: ["AccelerandoCore", "AccelerandoNN", "AccelerandoTrain", "AccelerandoFormats"]),
    // Open MPI is loaded at run time, by processes that mpirun has started: nothing to link, nothing to switch on.
    .target(name: "AccelerandoMPI", dependencies: ["AccelerandoCore"]),
    .executableTarget(name: "SeedMLP", dependencies: ["Accelerando"], path: "Examples/SeedMLP"),
    .executableTarget(name: "SeedCNN", dependencies: ["Accelerando"], path: "Examples/SeedCNN"),
    .executableTarget(name: "CustomLayer", dependencies: ["Accelerando"], path: "Examples/CustomLayer"),
    .executableTarget(name: "CustomTrainingLoop", dependencies: ["Accelerando"], path: "Examples/CustomTrainingLoop"),
    .executableTarget(name: "GAN", dependencies: ["Accelerando"], path: "Examples/GAN"),
    .target(
      name: "AccelerandoTestSupport", dependencies: ["AccelerandoCore"], path: "Tests/AccelerandoTestSupport"),
    .testTarget(name: "AccelerandoCoreTests", dependencies: ["AccelerandoCore", "AccelerandoTestSupport"]),
    .testTarget(
      name: "AccelerandoCPUTests",
      dependencies: [
        "AccelerandoCPU", "AccelerandoFormats", "AccelerandoTestSupport", "CAllocationCounter", "CKernels",
      ]),
    .testTarget(
      name: "AccelerandoXLATests",
      dependencies: [
        "AccelerandoXLA", "AccelerandoCPU", "AccelerandoData", "AccelerandoFormats", "AccelerandoNN",
        "AccelerandoTestSupport", "AccelerandoTrain", "CPJRT",
      ]),
    .testTarget(
      name: "AccelerandoNNTests",
      dependencies: [
        "AccelerandoCore", "AccelerandoCPU", "AccelerandoFormats", "AccelerandoNN", "AccelerandoTestSupport",
        "AccelerandoXLA",
      ]),
    .testTarget(
      name: "AccelerandoTrainTests",
      dependencies: [
        "AccelerandoCore", "AccelerandoNN", "AccelerandoTrain", "AccelerandoCPU", "AccelerandoFormats",
        "AccelerandoTestSupport", "CAllocationCounter",
      ]),
    .target(
      name: "AccelerandoFuzz",
      dependencies: ["AccelerandoCore", "AccelerandoNN", "AccelerandoTestSupport", "AccelerandoTrain"],
      path: "Tests/AccelerandoFuzz"),
    .testTarget(
      name: "AccelerandoFuzzTests",
      dependencies: [
        "AccelerandoCPU", "AccelerandoCore", "AccelerandoFormats", "AccelerandoFuzz", "AccelerandoNN",
        "AccelerandoTestSupport", "AccelerandoTrain", "AccelerandoXLA",
      ]),
    // What Scripts/sanitize.sh runs: a program, so that no more is built for it than it needs.
    .executableTarget(
      name: "SanitizedParts",
      dependencies: [
        "AccelerandoCPU", "AccelerandoCore", "AccelerandoFormats", "AccelerandoFuzz", "AccelerandoTestSupport",
        "AccelerandoTrain",
      ], path: "Tests/SanitizedParts"),
    .testTarget(
      name: "AccelerandoCompressTests",
      dependencies: [
        "AccelerandoCompress", "AccelerandoCore", "AccelerandoNN", "AccelerandoTrain", "AccelerandoCPU",
        "AccelerandoFormats", "AccelerandoXLA",
      ]),
    .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
    .testTarget(
      name: "AccelerandoFormatsTests", dependencies: ["AccelerandoFormats", "AccelerandoTestSupport"],
      exclude: ["Fixtures"]),
    .testTarget(
      name: "AccelerandoDataTests",
      dependencies: ["AccelerandoCore", "AccelerandoData", "AccelerandoFormats", "AccelerandoTestSupport"]),
    .testTarget(
      name: "AccelerandoRecipesTests", dependencies: ["AccelerandoCPU", "AccelerandoRecipes", "AccelerandoTestSupport"]),
    .testTarget(
      name: "AccelerandoCLITests", dependencies: ["AccelerandoCLI", "AccelerandoCore", "AccelerandoFormats"]),
  ]
)
