// The values of a model's parameters, separate from the model. A store is a value: a copy is a snapshot, and saving,
// averaging and comparing models are functions of stores.

import AccelerandoCore

/// Named arrays in order.
public struct Store: Sendable, Hashable {
  /// The names, in order.
  public private(set) var names: [String] = []
  private var arrays: [String: NDArray] = [:]

  /// Makes an empty store.
  public init() {}

  /// Makes a store of named arrays. A repeated name keeps its first position and its last array.
  public init(_ entries: some Sequence<(String, NDArray)>) {
    for (name, array) in entries { self[name] = array }
  }

  /// The array with a name; setting nil removes it.
  public subscript(_ name: String) -> NDArray? {
    get { arrays[name] }
    set {
      if arrays[name] == nil, newValue != nil { names.append(name) }
      if newValue == nil { names.removeAll { $0 == name } }
      arrays[name] = newValue
    }
  }

  /// The number of arrays.
  public var count: Int { names.count }

  /// The names with their arrays, in order.
  public var entries: [(String, NDArray)] {
    names.compactMap { name in arrays[name].map { (name, $0) } }
  }
}

extension Store {
  /// Whether all floating-point values are finite: neither NaN nor infinite.
  public var isFinite: Bool {
    entries.allSatisfy { _, array in
      !array.dtype.isFloating || array.elements(as: Double.self).allSatisfy(\.isFinite)
    }
  }

  /// Says how this store differs from what is needed: every missing, unexpected and mis-shaped name; nil if it fits.
  public func mismatch(with types: [(name: String, type: TensorType)]) -> StoreMismatch? {
    let expected = Set(types.map(\.name))
    let mismatch = StoreMismatch(
      missing: types.filter { arrays[$0.name] == nil }.map(\.name),
      unexpected: names.filter { !expected.contains($0) },
      misshaped: types.compactMap { name, type in
        guard let array = arrays[name], array.type != type else { return nil }
        return StoreMismatch.Difference(name: name, expected: type, received: array.type)
      })
    return mismatch.isEmpty ? nil : mismatch
  }
}

/// Values that do not fit this model, name by name.
public struct StoreMismatch: Error, Hashable, Sendable, CustomStringConvertible {
  /// A value of another type than the model has.
  public struct Difference: Hashable, Sendable {
    /// The parameter's name.
    public let name: String
    /// The type that the model has.
    public let expected: TensorType
    /// The type that was received.
    public let received: TensorType

    /// Describes a difference.
    public init(name: String, expected: TensorType, received: TensorType) {
      self.name = name
      self.expected = expected
      self.received = received
    }
  }

  /// Names that the model has and the values lack.
  public let missing: [String]
  /// Names that the values have and the model lacks.
  public let unexpected: [String]
  /// Names that both have, with different types.
  public let misshaped: [Difference]

  var isEmpty: Bool { missing.isEmpty && unexpected.isEmpty && misshaped.isEmpty }

  public var description: String {
    var lines = ["the values belong to another model:"]
    lines += missing.map { "  missing '\($0)'" }
    lines += unexpected.map { "  unexpected '\($0)'" }
    lines += misshaped.map { "  '\($0.name)' needs \($0.expected); received \($0.received)" }
    return lines.joined(separator: "\n")
  }
}
