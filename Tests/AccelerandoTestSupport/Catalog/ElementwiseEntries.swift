// Elementwise operations: each function over every type that it takes, special values included.

import AccelerandoCore

extension OperationCatalog {
  static let elementwise: [CatalogEntry] = unary + binary + compare + [select, clamp, conversion]

  private static let unary = Unary.Function.allCases.map { function in
    let operation = Unary(function)
    return CatalogEntry("unary \(function)", Unary.self, operation.dtypes) { maker in
      let domain = maker.isForGradient || maker.random.chance(0.5) ? smooth(function) : .any
      return Example(operation, [maker.tensor(maker.shape(), domain)])
    }
  }

  /// Where the function is smooth and defined.
  private static func smooth(_ function: Unary.Function) -> Domain {
    switch function {
    case .log, .sqrt, .rsqrt, .cbrt: .range(0.2...4)
    case .logPlusOne: .range(-0.8...4)
    case .tan: .range(-1.3...1.3)
    default: .any
    }
  }

  private static let binary = Binary.Function.allCases.map { function in
    let operation = Binary(function)
    return CatalogEntry("binary \(function)", Binary.self, operation.dtypes) { maker in
      let shape = maker.shape()
      let isSmooth = maker.isForGradient || maker.random.chance(0.5)
      let (a, b) = isSmooth ? smooth(function) : (.any, .any)
      return Example(operation, [maker.tensor(shape, a), maker.tensor(shape, b)])
    }
  }

  private static func smooth(_ function: Binary.Function) -> (Domain, Domain) {
    switch function {
    case .divide: (.any, .range(0.3...3))
    case .power: (.range(0.2...3), .range(-2...3))
    case .remainder: (.any, .range(1...3))
    case .atan2: (.any, .range(0.3...3))
    case .maximum, .minimum: (.distinct, .distinct)
    case .shiftLeft, .shiftRightLogical, .shiftRightArithmetic: (.any, .range(0...70))
    default: (.any, .any)
    }
  }

  private static let compare = [
    Compare.Direction.equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual,
  ].map { direction in
    CatalogEntry("compare \(direction.rawValue)", Compare.self) { maker in
      let shape = maker.shape()
      // Half of the time against itself in part: equal elements must occur.
      let a = maker.tensor(shape)
      return Example(Compare(direction), [a, maker.random.chance(0.3) ? a : maker.tensor(shape)])
    }
  }

  private static let select = CatalogEntry("select", Select.self) { maker in
    let shape = maker.shape()
    return Example(
      Select(), [maker.tensor(shape, dtype: .bool), maker.tensor(shape), maker.tensor(shape)])
  }

  private static let clamp = CatalogEntry("clamp", Clamp.self, DType.numbers) { maker in
    let shape = maker.shape()
    let isOrdered = maker.isForGradient || maker.random.chance(0.5)
    return Example(
      Clamp(),
      [
        maker.tensor(shape, isOrdered ? .range(-3 ... -1) : .any), maker.tensor(shape),
        maker.tensor(shape, isOrdered ? .range(1...3) : .any),
      ])
  }

  private static let conversion = CatalogEntry("convert", Convert.self) { maker in
    let target = maker.random.pick(maker.isForGradient ? DType.floating : DType.allCases)
    return Example(Convert(target), [maker.tensor(maker.shape())])
  }
}
