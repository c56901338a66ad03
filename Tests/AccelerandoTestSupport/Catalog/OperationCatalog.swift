// Examples of every operation, made at random. Three tests walk the table: that no operation is missing from it, that
// every gradient agrees with finite differences, and that every backend agrees with the oracle.

import AccelerandoCore

/// One operation and operands to try it on.
public struct Example: Sendable {
  /// The operation.
  public let operation: any Operation
  /// Its operands.
  public let operands: [NDArray]
  /// The distance allowed between two right results, in units of the type's precision.
  public var ulps: Double
  /// For sums, the size that partial sums may reach.
  public var terms: Double

  /// Makes an example.
  public init(_ operation: any Operation, _ operands: [NDArray], ulps: Double = 8, terms: Double = 0) {
    self.operation = operation
    self.operands = operands
    self.ulps = ulps
    self.terms = terms
  }
}

/// A way to make examples of an operation, for each element type that it takes.
public struct CatalogEntry: Sendable, CustomStringConvertible {
  /// The operation and what is special about the examples: `binary add`.
  public let name: String
  /// The kind of operation.
  public let operation: any Operation.Type
  /// The element types that the operation takes.
  public let dtypes: [DType]
  /// Makes an example; nil where the random choices do not fit together.
  let make: @Sendable (inout ExampleMaker) -> Example?

  public var description: String { name }

  init(
    _ name: String, _ operation: any Operation.Type, _ dtypes: [DType] = DType.allCases,
    _ make: @escaping @Sendable (inout ExampleMaker) -> Example?
  ) {
    self.name = name
    self.operation = operation
    self.dtypes = dtypes
    self.make = make
  }

  /// An example for an element type: the first that fits its own type rule.
  public func example(_ dtype: DType, seed: UInt64, isForGradient: Bool = false) -> Example? {
    for attempt in 0..<100 as Range<UInt64> {
      // Each type sees shapes and attributes of its own.
      let number = (seed &* 16 &+ UInt64(DType.allCases.firstIndex(of: dtype) ?? 0)) &* 1000 &+ attempt
      var maker = ExampleMaker(seed: number, dtype: dtype, isForGradient: isForGradient)
      guard let example = make(&maker),
        let results = try? example.operation.infer(example.operands.map(\.type)),
        results.allSatisfy({ $0.elementCount <= 200_000 })
      else { continue }
      return example
    }
    return nil
  }
}

/// The table.
public enum OperationCatalog {
  /// All entries.
  public static let entries: [CatalogEntry] =
    elementwise + movement + products + reductions + extremes + windows + indexing + control + composites
}

extension DType {
  static let numbers = allCases.filter { $0 != .bool }
  static let floating = allCases.filter(\.isFloating)
  static let integers = allCases.filter(\.isInteger)
}
