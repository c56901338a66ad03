// swift-tools-version: 6.0
import PackageDescription

let package = Package(
  name: "Accelerando",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "AccelerandoCore", targets: ["AccelerandoCore"]),
    .library(name: "AccelerandoNN", targets: ["AccelerandoNN"]),
  ],
  targets: [
    .target(name: "AccelerandoCore"),
    .target(name: "CKernels"),
    .target(name: "AccelerandoCPU", dependencies: ["AccelerandoCore", "CKernels"]),
    .target(name: "AccelerandoNN", dependencies: ["AccelerandoCore"]),
    .target(
      name: "AccelerandoTestSupport", dependencies: ["AccelerandoCore"], path: "Tests/AccelerandoTestSupport"),
    .testTarget(name: "AccelerandoCoreTests", dependencies: ["AccelerandoCore", "AccelerandoTestSupport"]),
  ]
)
