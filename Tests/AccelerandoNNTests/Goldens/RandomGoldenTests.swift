// Random numbers against JAX's, and what initializers draw against Keras' descriptions.

import AccelerandoCore
import AccelerandoNN
import Testing

@Suite struct RandomGoldenTests {
  private func key(_ golden: Golden) throws -> RandomKey {
    let words = try golden.tensor("key").elements(as: UInt32.self)
    return RandomKey(words[0], words[1])
  }

  @Test(arguments: Golden.cases("random"))
  func numbersOnTheHostAgreeWithJAX(_ golden: Golden) throws {
    func count() throws -> Int { try golden.ints("shape").elementCount }
    func float(_ role: String) throws -> Float { Float(try golden.number(role)) }
    switch golden.kind {
    case "threefry2x32":
      let (k, c) = (try golden.ints("key"), try golden.ints("counter"))
      let key = RandomKey(UInt32(k[0]), UInt32(k[1]))
      let (a, b) = key.encrypt(UInt32(c[0]), UInt32(c[1]))
      #expect(try golden.tensor("values").elements(as: UInt32.self) == [a, b])
    case "key":
      guard case .string(let text) = golden.config["seed"]?.value, let seed = Int(text) else { return }
      #expect(RandomKey(seed: UInt64(bitPattern: Int64(seed))) == (try key(golden)))
    case "bits":
      #expect(try key(golden).bits(try count()) == golden.tensor("values").elements(as: UInt32.self))
    case "split":
      let keys = try key(golden).split(Int(try golden.number("count")))
      #expect(try golden.tensor("keys").elements(as: UInt32.self) == keys.flatMap { [$0.high, $0.low] })
    case "fold_in":
      let folded = try key(golden).folded(UInt32(try golden.number("data")))
      #expect(try golden.tensor("folded").elements(as: UInt32.self) == [folded.high, folded.low])
    case "uniform":
      let values = try key(golden).uniform(try count(), from: try float("minval"), to: try float("maxval"))
      #expect(try golden.tensor("values").elements(as: Float.self) == values)
    case "normal":
      try close(golden, try key(golden).normal(try count()))
    case "truncated_normal":
      try close(golden, try key(golden).truncatedNormal(try count(), from: try float("lower"), to: try float("upper")))
    case "bernoulli":
      let p = try float("p")
      #expect(try golden.tensor("values").elements(as: Bool.self) == key(golden).uniform(try count()).map { $0 < p })
    case "permutation":
      let order = try key(golden).permutation(Int(try golden.number("count")))
      #expect(try golden.tensor("values").elements(as: Int64.self) == order.map(Int64.init))
    default: break
    }
  }

  @Test(arguments: [0, 1, 7, 255, 256, 257, 600])
  func everyWordIsAFunctionOfItsIndexHoweverManyAreDrawn(_ count: Int) {
    let key = RandomKey(seed: 0x0123_4567_89AB_CDEF)
    let words = key.bits(count)
    #expect(words.count == count)
    for (index, word) in words.enumerated() {
      let (a, b) = key.encrypt(0, UInt32(index))
      #expect(word == a ^ b)
    }
    #expect(key.uniform(count, from: -1, to: 3).allSatisfy { (-1..<3).contains($0) })
  }

  private func close(_ golden: Golden, _ values: [Float]) throws {
    let expected = try golden.tensor("values")
    expectClose(try NDArray(values, shape: expected.shape), expected, golden.name, relative: 1e-6)
  }

  @Test(arguments: Golden.cases("initializers"))
  func initializersDrawFromTheDistributionsThatKerasDrawsFrom(_ golden: Golden) throws {
    let settings = golden.config["initializer"] ?? Config(.null)
    var entries: [Config.Entry] = []
    if case .object(let all) = settings.value {
      entries = all.filter { !["input_axes", "output_axes"].contains($0.key) }
    }
    let named = ["GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal"]
    if named.contains(golden.kind) { entries = [] }
    let initializer = try Catalog.initializers.make(
      Config(.object([Config.Entry(golden.kind, Config(.object(entries)))])))
    let shape = try golden.ints("shape")
    let array = initializer.makeArray(TensorType(.float32, shape), key: RandomKey(seed: 7))
    let values = array.elements(as: Double.self)
    if golden.config["distribution"] == "orthogonal" {
      try expectOrthonormal(values, golden)
      return
    }
    let mean = values.reduce(0, +) / Double(values.count)
    let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
    let expected = try golden.number("expected_stddev")
    // Five standard errors of the estimates.
    let error = 5 / Double(values.count).squareRoot()
    #expect((deviation - expected).magnitude <= error * expected)
    #expect((mean - (try golden.number("mean"))).magnitude <= error * expected)
    if let bound = try? golden.number("bound") {
      #expect(values.allSatisfy { $0.magnitude <= bound * (1 + 1e-6) })
      #expect((values.map(\.magnitude).max() ?? 0) > bound * 0.9)
    }
    if let value = try? golden.number("value") { #expect(values.allSatisfy { $0 == value }) }
    #expect(initializer.makeArray(array.type, key: RandomKey(seed: 7)) == array)
  }

  private func expectOrthonormal(_ values: [Double], _ golden: Golden) throws {
    let (rows, columns) = (Int(try golden.number("rows")), Int(try golden.number("columns")))
    let gain = try golden.number("gain")
    let vectors =
      rows >= columns
      ? (0..<columns).map { column in (0..<rows).map { values[$0 * columns + column] } }
      : (0..<rows).map { Array(values[$0 * columns..<($0 + 1) * columns]) }
    var worst = 0.0
    for (i, a) in vectors.enumerated() {
      for (j, b) in vectors.enumerated() where j <= i {
        let product = zip(a, b).reduce(0) { $0 + $1.0 * $1.1 }
        worst = max(worst, (product - (i == j ? gain * gain : 0)).magnitude)
      }
    }
    #expect(worst < 1e-5)
  }
}
