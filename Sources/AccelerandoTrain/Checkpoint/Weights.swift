// Weights in one safetensors file, by name: checked when loaded, complete when saved.

import AccelerandoFormats
import AccelerandoNN
import Foundation

extension Model {
  /// Saves the values of all parameters as safetensors, as steps compute with them: where weights are pruned, with their zeros, in the
  /// middle of an epoch too. An earlier file stays until the new one is complete.
  /// - Parameters:
  ///   - url: the file to write.
  ///   - sparse: whether zeros are omitted, with one bit per element instead; see `SparseSafetensors`.
  /// - Throws: `FormatError` when the file cannot be written.
  public func saveWeights(to url: URL, sparse: Bool = false) throws {
    try write(try settledWeights(), to: url, sparse: sparse)
  }

  /// Loads the values of all parameters, from a file with or without its zeros.
  /// - Throws: `FormatError` for a damaged file, `StoreMismatch` with every missing, unexpected and mis-shaped name for
  ///   weights of another model. The model is unchanged then.
  public func loadWeights(from url: URL) throws {
    try setWeights(try readStore(url))
  }
}

func write(_ store: Store, to url: URL, sparse: Bool = false) throws {
  let tensors = store.entries.map { (name: $0.0, value: $0.1) }
  if sparse {
    try SparseSafetensors.write(tensors, to: url)
  } else {
    try Safetensors.write(tensors, metadata: [:], to: url)
  }
}

func readStore(_ url: URL) throws -> Store {
  Store(try SparseSafetensors.read(url).tensors.map { ($0.name, $0.value) })
}
