// The samples that a model is most wrong about: mistakes in the data are found there, and what the model has not understood.

/// The items with the largest losses of all that were seen. Memory is for these only.
public struct Worst<Item> {
  /// The items, the largest loss first; of equal ones the first that was seen first.
  public private(set) var items: [(loss: Double, item: Item)] = []
  private let limit: Int

  /// - Parameter limit: the most items to keep.
  public init(_ limit: Int) { self.limit = max(limit, 0) }

  /// Takes an item if its loss is among the largest. A loss that is NaN is larger than all others.
  /// - Parameters:
  ///   - loss: the sample's loss.
  ///   - item: makes the item, which is only asked for if it is kept.
  public mutating func add(loss: Double, _ item: () throws -> Item) rethrows {
    let key = Self.key(loss)
    guard limit > 0, items.count < limit || items.last.map({ Self.key($0.loss) < key }) ?? true else { return }
    let place = items.firstIndex { Self.key($0.loss) < key } ?? items.count
    items.insert((loss, try item()), at: place)
    if items.count > limit { items.removeLast() }
  }

  private static func key(_ loss: Double) -> Double { loss.isNaN ? .infinity : loss }
}

extension Worst: Sendable where Item: Sendable {}
