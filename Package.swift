// swift-tools-version: 6.0
import PackageDescription

let package = Package(
  name: "Accelerando",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "AccelerandoCore", targets: ["AccelerandoCore"]),
    .library(name: "AccelerandoNN", targets: ["AccelerandoNN"]),
    .library(name: "AccelerandoTrain", targets: ["AccelerandoTrain"]),
    .library(name: "AccelerandoCPU", targets: ["AccelerandoCPU"]),
    .library(name: "AccelerandoFormats", targets: ["AccelerandoFormats"]),
    .library(name: "AccelerandoDatasets", targets: ["AccelerandoDatasets"]),
  ],
  targets: [
    .target(name: "AccelerandoCore"),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(
      name: "AccelerandoFormats",
      dependencies: [
        "AccelerandoCore", "CZlib",
        .target(name: "COpenSSL", condition: .when(platforms: [.linux])),
      ]),
    .target(name: "AccelerandoDatasets", dependencies: ["AccelerandoCore", "AccelerandoFormats"]),
    .target(name: "CKernels", linkerSettings: [.linkedLibrary("m", .when(platforms: [.linux]))]),
    .target(name: "AccelerandoCPU", dependencies: ["AccelerandoCore", "CKernels"]),
    .target(name: "AccelerandoNN", dependencies: ["AccelerandoCore"]),
    .target(
      name: "AccelerandoTrain", dependencies: ["AccelerandoCore", "AccelerandoNN", "AccelerandoFormats"]),
    .target(
      name: "AccelerandoTestSupport", dependencies: ["AccelerandoCore"], path: "Tests/AccelerandoTestSupport"),
    .testTarget(name: "AccelerandoCoreTests", dependencies: ["AccelerandoCore", "AccelerandoTestSupport"]),
    .testTarget(
      name: "AccelerandoCPUTests", dependencies: ["AccelerandoCPU", "AccelerandoFormats", "AccelerandoTestSupport"]),
    .testTarget(
      name: "AccelerandoNNTests",
      dependencies: [
        "AccelerandoCore", "AccelerandoCPU", "AccelerandoFormats", "AccelerandoNN", "AccelerandoTestSupport",
      ]),
    .testTarget(
      name: "AccelerandoTrainTests",
      dependencies: ["AccelerandoCore", "AccelerandoNN", "AccelerandoTrain", "AccelerandoCPU"]),
    .testTarget(name: "AccelerandoFormatsTests", dependencies: ["AccelerandoFormats"], exclude: ["Fixtures"]),
    .testTarget(name: "AccelerandoDatasetsTests", dependencies: ["AccelerandoDatasets"]),
  ]
)
