import AccelerandoCore
import AccelerandoNN
import Testing

private struct Residual: Layer {
  let inner = [Dense(4), Dense(4)]
  let gate: Dense? = Dense(4, activation: .sigmoid)
  let heads = ["b": Dense(4), "a": Dense(4)]
  let scale = Parameter(.ones)

  func forward(_ x: Tensor) -> Tensor {
    let hidden = inner[1](inner[0](x))
    let gated = gate.map { $0(x) * hidden } ?? hidden
    let total = heads.keys.sorted().compactMap { heads[$0] }.reduce(gated) { $0 + $1(x) }
    return x + total * scale[4]
  }
}

private struct Counter: Layer {
  let count = Parameter(.zeros, role: .state)
  let weight = Parameter(.ones)
  var updatesWeight = false

  func forward(_ x: Tensor) -> Tensor {
    let next = count[] + 1
    count.update(next)
    if updatesWeight {
      _ = weight[2]
      weight.update(weight[2])
    }
    return x + count[]
  }
}

private struct Odd: Layer {
  let weight = Parameter(.zeros)
  func forward(_ x: Tensor) -> Tensor { x + weight[2] + weight[3].sum() }
}

private struct Forgetful: Layer {
  func forward(_ x: Tensor) -> Tensor { Dense(3)(x) }
}

private func outline(_ layer: any Layer, _ shapes: [Int]...) throws -> Outline {
  try Outline(of: layer, inputs: shapes.map { TensorType(.float32, $0) })
}

private func message(_ body: () throws -> Void) -> String {
  do { try body() } catch { return "\(error)" }
  return "no error"
}

@Suite struct ScopeTests {
  @Test func parametersAreNamedByThePropertiesThatLeadToThem() throws {
    let names = try outline(Residual(), [2, 4]).parameters.map(\.name).sorted()
    #expect(
      names == [
        "gate.bias", "gate.weight", "heads.a.bias", "heads.a.weight", "heads.b.bias", "heads.b.weight",
        "inner.0.bias", "inner.0.weight", "inner.1.bias", "inner.1.weight", "scale",
      ])
  }

  @Test func aLayerThatIsUsedTwiceHasOneSetOfParameters() throws {
    let shared = Dense(4)
    let result = try outline(
      Sequential {
        shared; Activation.relu; shared
      }, [2, 4])
    #expect(result.parameters.map(\.name) == ["layers.0.weight", "layers.0.bias"])
  }

  @Test func anotherShapeThanAtFirstUseIsAnError() {
    let text = message { _ = try outline(Odd(), [2, 2]) }
    #expect(text.contains("'weight' is float32[2]") && text.contains("float32[3]"))
  }

  @Test func aLayerMadeInsideForwardIsAnError() {
    #expect(message { _ = try outline(Forgetful(), [2, 2]) }.contains("no stored property"))
  }

  @Test func aParameterOutsideATraceIsAnErrorWhereItIsUsed() {
    let parameter = Parameter(.zeros)
    let text = message { _ = try Program.trace([TensorType(.float32, [2])]) { [$0[0] + parameter[2]] } }
    #expect(text.contains("another trace"))
  }

  @Test func updatesAreSeenByLaterReadsAndHandedOut() throws {
    let layer = Counter()
    let graph = Graph()
    let scope = Scope(graph: graph, names: ParameterNames(of: layer), isTraining: true)
    let x = graph.input("x", TensorType(.float32, [2]))
    let y = scope.run { layer(x) }
    let next = try #require(scope.updates["count"])
    let program = try Program(graph, outputs: [y, next])
    #expect(program.inputs.map(\.name) == ["x", "count"])
    // Both the output and the update depend on the sum: the read after the update saw it.
    #expect(program.instructions.count == 4)
  }

  @Test func weightsCannotBeUpdatedByLayers() {
    #expect(message { _ = try outline(Counter(updatesWeight: true), [2]) }.contains("role: .state"))
  }

  @Test func everyReadPassesTheTransforms() throws {
    let layer = Dense(3)
    let graph = Graph()
    var seen: [String] = []
    let scope = Scope(
      graph: graph, names: ParameterNames(of: layer),
      transforms: [
        { spec, tensor in
          seen.append(spec.name); return tensor * 2
        }
      ])
    let x = graph.input("x", TensorType(.float32, [1, 2]))
    _ = scope.run { layer(layer.units == 3 ? x : -x) }
    #expect(seen == ["weight", "bias"])
    #expect(graph.firstError == nil)
  }

  @Test func valuesOfAnotherShapeAreRefused() {
    let layer = Dense(3)
    let graph = Graph()
    let x = graph.input("x", TensorType(.float32, [1, 2]))
    let values = ["weight": graph.input("weight", TensorType(.float32, [5, 3]))]
    let scope = Scope(graph: graph, names: ParameterNames(of: layer), values: values)
    _ = scope.run { layer(x) }
    #expect(graph.firstError?.message.contains("'weight' holds float32[5, 3]") == true)
  }

  @Test func randomKeysDifferByPlaceInTheTrace() throws {
    let graph = Graph(sharesEqualNodes: true)
    let key = graph.input("key", TensorType(.uint32, [2]))
    let scope = Scope(graph: graph, names: ParameterNames(of: Dense(1)), randomKey: key)
    let program = try Program(graph, outputs: [scope.nextRandomKey(), scope.nextRandomKey()])
    #expect(Set(program.outputs).count == 2)
  }

  @Test func initialValuesDependOnSeedAndNameAlone() throws {
    let small = try outline(Sequential { Dense(3) }, [1, 2]).initialValues(seed: 7)
    let large = try outline(
      Sequential {
        Dense(3); Dense(5)
      }, [1, 2]
    ).initialValues(seed: 7)
    #expect(small["layers.0.weight"] == large["layers.0.weight"])
    #expect(try outline(Sequential { Dense(3) }, [1, 2]).initialValues(seed: 8) != small)
  }
}
