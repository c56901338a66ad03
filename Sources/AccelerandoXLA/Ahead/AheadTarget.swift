// Devices to compile for, in one word: `tpu:v5e:2x4`, `cuda:h200:8`. Errors in the word are reported before a plugin is
// asked, since plugins have their own terms.

/// Chips of one kind, for ahead-of-time compilation.
public struct AheadTarget: Hashable, Sendable, CustomStringConvertible {
  /// The kind of chip.
  public let chip: ChipSpec
  /// The number of chips along each axis of their network; one number if all are connected.
  public let shape: [Int]

  /// The number of chips.
  public var chipCount: Int { shape.reduce(1, *) }
  /// The number of devices that a program sees.
  public var deviceCount: Int { chipCount * chip.devicesPerChip }
  public var description: String { "\(chip.platform):\(chip.name):\(shapeText)" }
  private var shapeText: String { shape.map(String.init).joined(separator: "x") }

  /// The largest supported number of chips.
  public static let chipLimit = 1024

  /// Reads `PLATFORM:CHIP` or `PLATFORM:CHIP:SHAPE`.
  /// - Throws: `DeviceError` that lists what is known.
  public init(_ text: String) throws {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    let platforms = ["tpu", "cuda"]
    guard (2...3).contains(parts.count), platforms.contains(parts[0]) else {
      throw DeviceError(
        .unsupported, "'\(text)' is no target to compile for",
        remedy: "A target is tpu:CHIP:SHAPE or cuda:CHIP:COUNT, like tpu:v5e:2x4, cuda:h200 or cuda:h100:8")
    }
    guard let chip = ChipSpec.named(parts[1], platform: parts[0]) else {
      let names = ChipSpec.all.filter { $0.platform == parts[0] }.map(\.name)
      throw DeviceError(
        .unsupported, "no \(parts[0]) chip '\(parts[1])' is known", remedy: "Known: \(names.joined(separator: ", "))")
    }
    self.chip = chip
    let isCube = ["v4", "v5p", "tpu7x"].contains(chip.name)
    let rank = chip.platform == "cuda" ? 1 : isCube ? 3 : 2
    guard parts.count == 3 else {
      shape = [Int](repeating: 1, count: rank)
      return
    }
    let sizes = parts[2].split(separator: "x", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    var count = 1
    for size in sizes where size >= 1 { count = min(count, Self.chipLimit + 1) * min(size, Self.chipLimit + 1) }
    guard sizes.count == rank, sizes.allSatisfy({ $0 >= 1 }), count <= Self.chipLimit else {
      let example = rank == 1 ? "cuda:\(chip.name):8" : "tpu:\(chip.name):\(isCube ? "2x2x1" : "2x4")"
      throw DeviceError(
        .unsupported, "'\(parts[2])' is no arrangement of \(chip.title) chips",
        remedy: "\(rank == 1 ? "It is a number" : "It has \(rank) sizes"), of up to \(Self.chipLimit) chips: \(example)"
      )
    }
    shape = sizes
  }

  /// Finds the compiler and describes the devices to it.
  /// - Parameter search: where plugins are searched for.
  /// - Throws: `DeviceError` when there is no plugin, or it knows no such devices.
  public func topology(search: PluginSearch = .current()) throws -> Topology {
    let found = search.plugins(for: chip.platform)
    guard !found.isEmpty else {
      let remedy =
        chip.platform == "tpu"
        ? "accelerando plugin install tpu" : "accelerando plugin install cuda12 --compile-only (or without, to run too)"
      throw DeviceError(
        .noDevice, "compiling for \(chip.title) takes the plugin with its compiler, which is not on this machine",
        remedy: "Install it; no device is needed: \(remedy)")
    }
    var failure: (any Error)?
    for candidate in found {
      do {
        let plugin = try Plugin.load(candidate.path)
        guard plugin.has(PluginMethod.createTopology), plugin.has(PluginMethod.compileAhead) else {
          throw DeviceError(
            .unsupported, "the plugin \(candidate.path) cannot compile without a device",
            remedy: "Install a newer one: accelerando plugin install \(chip.platform == "tpu" ? "tpu" : "cuda12")")
        }
        let topology = try describe(to: plugin)
        guard topology.devices.count == deviceCount else {
          throw DeviceError(
            .unsupported,
            "the plugin \(candidate.path) sees \(topology.devices.count) devices in \(self), not \(deviceCount)"
          )
        }
        return topology
      } catch {
        failure = failure ?? error
      }
    }
    throw failure ?? DeviceError(.noDevice, "there is no compiler for \(self)")
  }

  private func describe(to plugin: Plugin) throws -> Topology {
    guard let target = chip.gpuTarget else {
      return try Topology(plugin, name: "\(chip.name):\(shapeText)", title: description)
    }
    return try Topology(
      plugin, name: "",
      options: ["target_config": .text(target), "topology": .text("1x1x\(chipCount)")], title: description)
  }
}
