// Several arrays where there is often one: the inputs of a model, its labels, its outputs. They may have names, so that
// nobody has to remember an order.

import AccelerandoCore

/// Arrays in order, by position or by name: `[images]`, `["image": images, "age": ages]`.
public struct NamedArrays: Sendable, Hashable {
  /// The names, in order; empty for arrays by position.
  public private(set) var names: [String]
  private var arrays: [NDArray]

  /// Makes a list of arrays by position.
  public init(_ arrays: [NDArray] = []) {
    names = []
    self.arrays = arrays
  }

  /// Makes a list of named arrays, in order. If a name occurs twice, its last array counts.
  public init(_ entries: some Sequence<(String, NDArray)>) {
    self.init()
    for (name, array) in entries { set(name, array) }
  }

  /// The array of a name; nil if there is none.
  public subscript(_ name: String) -> NDArray? { names.firstIndex(of: name).map { arrays[$0] } }

  /// The same list with every array changed.
  public func mapArrays(_ change: (NDArray) throws -> NDArray) rethrows -> NamedArrays {
    var result = self
    result.arrays = try arrays.map(change)
    return result
  }

  private mutating func set(_ name: String, _ array: NDArray) {
    if let place = names.firstIndex(of: name) {
      arrays[place] = array
    } else {
      names.append(name)
      arrays.append(array)
    }
  }
}

extension NamedArrays: RandomAccessCollection, MutableCollection {
  public var startIndex: Int { 0 }
  public var endIndex: Int { arrays.count }

  public subscript(position: Int) -> NDArray {
    get { arrays[position] }
    set { arrays[position] = newValue }
  }
}

extension NamedArrays: ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
  public init(arrayLiteral arrays: NDArray...) { self.init(arrays) }
  public init(dictionaryLiteral entries: (String, NDArray)...) { self.init(entries) }
}

extension NamedArrays {
  /// What an array is called in errors: its name, or its number where there are several.
  func label(_ index: Int, of things: String) -> String {
    names.isEmpty ? (count == 1 ? things : "\(things) \(index)") : "\(things) '\(names[index])'"
  }

  /// The arrays in the order of known names; nil where there is none.
  /// - Parameters:
  ///   - known: the names, in order.
  ///   - thing: what has these names, for errors: `input`.
  ///   - count: the numbers of arrays that may be given by position.
  /// - Throws: `TrainingError` for a name that nothing has, and for another number of arrays.
  func ordered(as known: [String], _ thing: String, byPosition count: [Int]) throws -> [NDArray?] {
    guard !names.isEmpty else {
      guard count.contains(self.count) else {
        throw TrainingError(
          "the model has \(known.count) \(thing)s (\(known.joined(separator: ", "))); received \(self.count) arrays.")
      }
      return known.indices.map { $0 < self.count ? self[$0] : nil }
    }
    if let stranger = names.first(where: { !known.contains($0) }) {
      throw TrainingError(
        "the model has no \(thing) '\(stranger)'. It has: \(known.joined(separator: ", ")).")
    }
    return known.map { self[$0] }
  }
}
