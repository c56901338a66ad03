// Layers with other sizes, and arrays with fewer elements along an axis: the operations of removing channels.

import AccelerandoCore
import AccelerandoNN

extension Layer {
  /// The layer with another number of outputs; nil for layers without such a number.
  /// - Throws: `ConfigError` when the layer cannot be described.
  func resized(outputs: Int) throws -> (any Layer)? {
    guard case .produced(_, _, let setting) = channelFlow(of: []).outputs else { return nil }
    return try changed(setting, to: Config(.int(outputs)))
  }

  /// The layer with another setting.
  func changed(_ key: String, to value: Config) throws -> any Layer {
    let config = try Config(of: self)
    guard case .object(var entries) = config.value, entries.count == 1,
      case .object(let settings) = entries[0].value.value
    else { return self }
    let changed = settings.filter { $0.key != key } + [Config.Entry(key, value)]
    entries[0].value = Config(.object(changed))
    return try LayerCatalog().layer(Config(.object(entries)))
  }
}

extension NDArray {
  /// The array with only these indices of an axis, in this order.
  func taking(_ places: [Int], axis: Int) throws -> NDArray {
    let outer = shape[..<axis].reduce(1, *)
    let inner = shape[(axis + 1)...].reduce(dtype.byteCount, *)
    let extent = shape[axis]
    var shape = shape
    shape[axis] = places.count
    var result = NDArray(zeros: TensorType(dtype, shape))
    withUnsafeBytes { source in
      result.withUnsafeMutableBytes { target in
        for block in 0..<outer {
          for (index, place) in places.enumerated() where place < extent {
            let from = (block * extent + place) * inner
            let to = (block * places.count + index) * inner
            UnsafeMutableRawBufferPointer(rebasing: target[to..<to + inner])
              .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[from..<from + inner]))
          }
        }
      }
    }
    return result
  }
}
