// Initial weights of layers whose kernels have several axes: connections are counted as in Keras.

import AccelerandoCore
import AccelerandoNN
import Testing

@Suite struct EinsumFansTests {
  /// The largest element of a kernel's first values by Glorot's uniform initializer, whose limit is √(6 / (in + out)).
  private func limit(_ layer: some Layer, _ inputs: [[Int]], _ name: String) throws -> Double {
    let outline = try Outline(of: layer, inputs: inputs.map { TensorType(.float32, $0) })
    let spec = try #require(outline.parameters.first { $0.name.hasSuffix(name) })
    let values = spec.initializer.makeArray(spec.type, key: RandomKey(seed: 3)).elements(as: Double.self)
    return values.map(\.magnitude).max() ?? 0
  }

  @Test func outputsAreTheAxesThatTheResultHas() throws {
    // Numbers printed by Keras 3.15: the largest of many draws is just below the limit.
    let cases: [(any Layer, [[Int]], String, inputs: Double, outputs: Double)] = [
      (EinsumDense("abc,cde->abde", outputShape: [nil, 20, 30]), [[2, 3, 40]], "weight", 40, 600),
      (EinsumDense("abde,dec->abc", outputShape: [nil, 50]), [[2, 3, 20, 30]], "weight", 600, 50),
      (MultiHeadAttention(headCount: 5, keySize: 12), [[2, 3, 64]], "query.kernel", 64, 60),
      (MultiHeadAttention(headCount: 5, keySize: 12), [[2, 3, 64]], "attentionOutput.kernel", 60, 64),
    ]
    for (layer, inputs, name, fanIn, fanOut) in cases {
      let expected = (6 / (fanIn + fanOut)).squareRoot()
      let received = try limit(layer, inputs, name)
      #expect(received <= expected && received > 0.98 * expected, "\(layer.typeName) \(name): \(received), \(expected)")
    }
  }
}
