// What encoders read: text or whole numbers in an array, with places where nothing is known. Networks compute with
// neither, so this is an array of its own and no NDArray.

import AccelerandoCore

/// Text, or whole numbers that stand for things, in row-major order. The first axis is the samples.
public struct Tokens: Hashable, Sendable {
  /// The elements; nil is a missing value.
  public enum Elements: Hashable, Sendable {
    /// Texts.
    case texts([String?])
    /// Whole numbers.
    case integers([Int?])
  }

  /// The elements in row-major order.
  public let elements: Elements
  /// The size of each axis.
  public let shape: [Int]

  /// The number of samples.
  public var count: Int { shape.first ?? 1 }
  /// The number of elements.
  public var elementCount: Int {
    switch elements {
    case .texts(let texts): texts.count
    case .integers(let integers): integers.count
    }
  }

  /// Takes one text for each sample: `[count]`.
  public init(_ texts: [String?]) {
    elements = .texts(texts)
    shape = [texts.count]
  }

  /// Takes one whole number for each sample: `[count]`.
  public init(_ integers: [Int?]) {
    elements = .integers(integers)
    shape = [integers.count]
  }

  /// Takes texts of a shape.
  /// - Throws: `TextEncoderError` when the number of texts is not the product of `shape`.
  public init(_ texts: [String?], shape: [Int]) throws {
    try Self.check(shape, count: texts.count)
    elements = .texts(texts)
    self.shape = shape
  }

  /// Takes whole numbers of a shape.
  /// - Throws: `TextEncoderError` when the number of integers is not the product of `shape`.
  public init(_ integers: [Int?], shape: [Int]) throws {
    try Self.check(shape, count: integers.count)
    elements = .integers(integers)
    self.shape = shape
  }

  /// Takes the whole numbers of an array of integers.
  /// - Throws: `TextEncoderError` when the array has numbers of another type.
  public init(_ array: NDArray) throws {
    guard !array.dtype.isFloating else {
      throw TextEncoderError("needs whole numbers or text; received \(array.type).")
    }
    elements = .integers(array.elements(as: Int64.self).map { Int($0) })
    shape = array.shape
  }

  private static func check(_ shape: [Int], count: Int) throws {
    guard shape.allSatisfy({ $0 >= 0 }), shape.elementCount == count else {
      throw TextEncoderError("\(count) elements do not make an array of shape \(shape).")
    }
  }

  private init(uncheckedElements elements: Elements, shape: [Int]) {
    self.elements = elements
    self.shape = shape
  }

  /// The samples `range`.
  /// - Throws: `TextEncoderError` when there is no such range.
  public func rows(_ range: Range<Int>) throws -> Tokens {
    guard let count = shape.first, range.lowerBound >= 0, range.upperBound <= count else {
      throw TextEncoderError("samples \(range) of an array of shape \(shape) do not exist.")
    }
    let width = shape.dropFirst().reduce(1, *)
    let part = range.lowerBound * width..<range.upperBound * width
    let shape = [range.count] + shape.dropFirst()
    switch elements {
    case .texts(let texts): return Tokens(uncheckedElements: .texts(Array(texts[part])), shape: shape)
    case .integers(let integers): return Tokens(uncheckedElements: .integers(Array(integers[part])), shape: shape)
    }
  }
}

/// Why something could not be turned into numbers: what was expected, what was received and what to do.
public struct TextEncoderError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong and what would be right.
  public let message: String

  /// Makes an error.
  public init(_ message: String) { self.message = message }

  public var description: String { message }

  /// The same error with the name of the encoder in front.
  func named(_ name: String) -> TextEncoderError { TextEncoderError("\(name) \(message)") }
}
