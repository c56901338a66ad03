import AccelerandoCore
import AccelerandoNN
import Testing

private struct Shift: ConfigurableLayer {
  let amount: Double
  init(_ amount: Double) { self.amount = amount }
  init(config: ConfigReader) throws { amount = try config.double("amount") }
  func config() -> Config { Config(["amount": Config(.double(amount))]) }
  func forward(_ x: Tensor) -> Tensor { x + amount }
}

private func message(_ body: () throws -> Void) -> String {
  do { try body() } catch { return "\(error)" }
  return "no error"
}

@Suite struct LayerConfigTests {
  @Test func everyBuiltInLayerSurvivesTheWayThroughJSON() throws {
    let model = Sequential {
      Rescaling(1 / 255, offset: -0.5)
      Conv2D(3, kernelSize: (3, 2), strides: (2, 1), padding: .same, activation: .elu(alpha: 2), usesBias: false)
      MaxPooling2D(poolSize: (2, 3), strides: (1, 1), name: "pool")
      Activation.tanh
      Flatten()
      Dropout(0.25)
      Dense(4, activation: .gelu(approximate: true), weightInitializer: .heNormal, biasInitializer: .constant(0.1))
    }
    let written = try Config(of: model)
    let read = try LayerCatalog().layer(try Config(json: written.json, file: "architecture.json"))
    #expect(try Config(of: read) == written)
    let types = [TensorType(.float32, [2, 9, 9, 2])]
    let (a, b) = (try Outline(of: model, inputs: types), try Outline(of: read, inputs: types))
    #expect(a.parameters == b.parameters && a.output == b.output)
  }

  @Test func graphsOfLayersSurviveWithTheirSharing() throws {
    let input = Input(shape: [4])
    let shared = Dense(4)
    let model = Functional(inputs: [input], output: shared(Dense(4)(shared(input))))
    let read = try LayerCatalog().layer(try Config(json: try Config(of: model).json, file: "f"))
    let types = [TensorType(.float32, [1, 4])]
    #expect(try Outline(of: read, inputs: types).parameters == (try Outline(of: model, inputs: types).parameters))
  }

  @Test func customTypesAreReadWithACatalogThatKnowsThem() throws {
    let written = try Config(of: Sequential { Shift(2) })
    #expect(message { _ = try LayerCatalog().layer(written) }.contains("there is no layer 'Shift'"))
    let read = try LayerCatalog(adding: [Shift.self]).layer(written)
    #expect(try Config(of: read) == written)
  }

  @Test func mistakesAreNamedWithPlaceAndNearestKey() {
    func problem(_ json: String) -> String {
      message { _ = try LayerCatalog().layer(try Config(json: json, file: "m.json")) }
    }
    let misspelt = problem("{\"Dense\": {\n  \"unts\": 10,\n \"units\": 3}}")
    #expect(misspelt.hasPrefix("m.json:2: ") && misspelt.contains("'unts'; did you mean 'units'?"))
    let type = problem("{\"Dense\": {\"units\": \"ten\"}}")
    #expect(type.contains("'units' needs a whole number of at least 1; received the text \"ten\""))
    #expect(problem("{\"Dens\": {}}").contains("Did you mean 'Dense'?"))
    #expect(problem("{\"Dense\": {}}").contains("needs the setting 'units'"))
    #expect(problem("{\"Conv2D\": {\"filters\": 1, \"kernel_size\": [1, 2, 3]}}").contains("list of 2"))
    #expect(problem("{\"MaxPooling2D\": {\"padding\": \"sme\"}}").contains("Did you mean 'same'?"))
    #expect(problem("[1").contains("m.json:1"))
  }

  @Test func malformedJSONIsAnErrorAndNeverATrap() {
    let good = "{\"a\": [1, -2.5e3, true, null, \"\\u00e9\\ud83d\\ude00\\n\"], \"b\": {\"c\": \"d\"}}"
    #expect(message { _ = try Config(json: good, file: "g") } == "no error")
    var generator = RandomKey(seed: 3).bits(40_000).makeIterator()
    for _ in 0..<4_000 {
      var bytes = Array(good.utf8)
      for _ in 0..<Int(generator.next() ?? 0) % 3 + 1 {
        let place = Int(generator.next() ?? 0) % bytes.count
        bytes[place] = UInt8(truncatingIfNeeded: generator.next() ?? 0)
      }
      if (generator.next() ?? 0) % 4 == 0 { bytes.removeLast(Int(generator.next() ?? 0) % bytes.count) }
      _ = message { _ = try Config(json: String(decoding: bytes, as: UTF8.self), file: "m") }
    }
    #expect(message { _ = try Config(json: String(repeating: "[", count: 100_000), file: "m") }.contains("256 deep"))
    for text in [
      "", "{", "{\"a\" 1}", "{\"a\":1,}", "[1,]", "\"\\x\"", "\"\\ud800\"", "1e999", "nul", "1 2", "{\"a\":1,\"a\":2}",
    ] {
      #expect(message { _ = try Config(json: text, file: "m") } != "no error")
    }
  }
}
