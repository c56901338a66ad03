// The dense layer for any number of axes, described by an equation.

import AccelerandoCore

/// `activation(einsum(equation, x, weight) + bias)`: `"abc,cde->abde"` multiplies the last axis of x with the first of the
/// weight. `...` stands for the axes of x that the equation does not name.
public struct EinsumDense: ConfigurableLayer, TrainableLayer {
  /// The letters of the input, the weight and the result.
  public let equation: String
  /// The sizes of the result's axes behind the batch; nil for those of the input.
  public let outputShape: [Int?]
  /// The letters of the result's axes that the bias has; nil for no bias.
  public let biasAxes: String?
  /// Applied to the result.
  public let activation: Activation
  /// The low-rank change that is trained in the place of the weight; nil if the weight is trained.
  public let lora: LowRankAdaptation?
  public let name: String?
  public var options = LayerOptions()
  public static var weightNames: KeyValuePairs<String, String> { ["weight": "kernel", "bias": "bias"] }
  let weight: Parameter
  let bias: Parameter

  /// Makes the layer.
  /// - Parameters:
  ///   - equation: the letters of the input, the weight and the result: `"ab,bc->ac"`, `"...x,xy->...y"`.
  ///   - outputShape: the sizes of the result's axes behind the batch; nil for those of the input. With `...`, only of the
  ///     named axes.
  ///   - biasAxes: the letters of the result's axes that the bias has; nil for no bias.
  ///   - activation: the function of the result.
  ///   - lora: the rank and scale of a change that is trained in the place of the weight.
  ///   - weightInitializer: of the weight, whose shape follows from the equation.
  ///   - biasInitializer: of the bias.
  ///   - name: the layer's name.
  public init(
    _ equation: String, outputShape: [Int?], biasAxes: String? = nil, activation: Activation = .linear,
    lora: LowRankAdaptation? = nil, weightInitializer: Initializer = .glorotUniform,
    biasInitializer: Initializer = .zeros, name: String? = nil
  ) {
    self.equation = equation
    self.outputShape = outputShape
    self.biasAxes = biasAxes
    self.activation = activation
    self.lora = lora
    self.name = name
    weight = Parameter(
      Self.initializer(weightInitializer, for: equation), role: lora == nil ? .trainable : .state)
    bias = Parameter(biasInitializer)
  }

  public func forward(_ x: Tensor) -> Tensor {
    let letters: EinsumLetters
    do {
      letters = try EinsumLetters(equation, inputShape: x.shape, outputShape: outputShape)
    } catch {
      return x.rejected("\(error)")
    }
    var kernel = weight[shape: letters.weight.compactMap { letters.sizes[$0] }]
    if let lora { kernel = kernel + lora.change(of: kernel.shape) }
    var result = einsum(letters.text, x, kernel)
    if let biasAxes {
      let wanted = biasAxes.filter { $0 != " " }
      guard !wanted.isEmpty, Set(wanted).count == wanted.count, wanted.allSatisfy({ letters.result.contains($0) })
      else {
        return x.rejected("needs bias axes of the result '\(String(letters.result))'; received '\(biasAxes)'.")
      }
      // From the first of its axes on, with size 1 for those that it lacks.
      let first = letters.result.firstIndex { wanted.contains($0) } ?? 0
      let shape = letters.result[first...].map { wanted.contains($0) ? letters.sizes[$0] ?? 1 : 1 }
      result = result + bias[shape: shape]
    }
    return activation(result)
  }

  /// As in Keras, the weight's axes that the result has count as outputs, the others as inputs.
  private static func initializer(_ initializer: Initializer, for equation: String) -> Initializer {
    let plain = equation.filter { $0 != " " }
    guard let weight = plain.split(separator: ",").last?.prefix(while: { $0 != "-" }) else { return initializer }
    let result = plain.split(separator: ">").last ?? ""
    let axes = weight.indices.map { weight.distance(from: weight.startIndex, to: $0) }
    let isOutput = weight.map { result.contains($0) }
    return .alongAxes(initializer, inputs: axes.filter { !isOutput[$0] }, outputs: axes.filter { isOutput[$0] })
  }

  public static var summary: String { "The dense layer on any axes, described by an equation." }

  public init(config: ConfigReader) throws {
    let kind = "a whole number of at least 1, or a list of them with null for the input's size"
    let shape = try config.required("output_shape", kind, sample: [nil, 1]) { value -> [Int?] in
      guard case .array(let sizes) = value.value else {
        return [try config.ints("output_shape", default: [], in: .counts)[0]]
      }
      return try sizes.map { size in
        switch size.value {
        case .null: return nil
        case .int(let count) where ClosedRange.counts.contains(count): return count
        default: throw config.refused("output_shape", kind)
        }
      }
    }
    self.init(
      try config.string("equation"), outputShape: shape, biasAxes: try config.optionalString("bias_axes"),
      activation: try config.activation("activation", default: .linear), lora: try config.lowRankAdaptation(),
      weightInitializer: try config.initializer("kernel_initializer", default: .glorotUniform),
      biasInitializer: try config.initializer("bias_initializer", default: .zeros),
      name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config(
      name: name,
      [
        ("output_shape", Config(noiseShape: outputShape)), ("equation", Config(.string(equation))),
        ("bias_axes", biasAxes.map { Config(.string($0)) }),
        ("activation", try Catalog.activations.config(of: activation)),
      ] + LowRankAdaptation.entries(lora) + [
        ("kernel_initializer", try Catalog.initializers.config(of: weight.initializer)),
        ("bias_initializer", try Catalog.initializers.config(of: bias.initializer)),
      ])
  }
}

/// The letters of an equation for an input of known shape.
private struct EinsumLetters {
  let input: [Character]
  let weight: [Character]
  let result: [Character]
  /// The size of each letter's axis.
  private(set) var sizes: [Character: Int] = [:]

  /// The equation without `...`.
  var text: String { "\(String(input)),\(String(weight))->\(String(result))" }

  init(_ equation: String, inputShape: [Int], outputShape: [Int?]) throws(GraphError) {
    let plain = equation.filter { $0 != " " }
    let sides = plain.components("->")
    let terms = sides.first?.components(",") ?? []
    guard sides.count == 2, terms.count == 2 else {
      throw GraphError(
        "needs an equation of an input, a weight and a result, like 'ab,bc->ac'; received '\(equation)'.")
    }
    let named = (terms[0] + terms[1] + sides[1]).filter { $0 != "." }
    guard named.allSatisfy({ $0.isASCII && $0.isLetter }) else {
      throw GraphError("needs letters, '...', a comma and '->' in its equation; received '\(equation)'.")
    }
    let free = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".filter { !named.contains($0) }
    let hidden = inputShape.count - terms[0].filter { $0 != "." }.count
    guard hidden == 0 || terms[0].contains("...") && (0...free.count).contains(hidden) else {
      throw GraphError("needs an input with the axes of '\(terms[0])' in '\(equation)'; received \(inputShape).")
    }
    let rest = String(free.prefix(hidden))
    func letters(_ term: String) -> [Character] { Array(term.replacing("...", with: rest)) }
    (input, weight, result) = (letters(terms[0]), letters(terms[1]), letters(sides[1]))
    guard !(input + weight + result).contains("."), input.count == inputShape.count else {
      throw GraphError("needs an input with the axes of '\(terms[0])' in '\(equation)'; received \(inputShape).")
    }
    for (letter, size) in zip(input, inputShape) { sizes[letter] = size }
    // The given sizes are those of the result's last axes.
    let given = Array(result.suffix(outputShape.count))
    guard given.count == outputShape.count else {
      throw GraphError("has more sizes in 'output_shape' than axes in '\(sides[1])': \(outputShape.count).")
    }
    for case (let letter, let size?) in zip(given, outputShape) {
      if let known = sizes[letter], known != size {
        throw GraphError("needs the size \(known) for axis '\(letter)' in 'output_shape'; received \(size).")
      }
      sizes[letter] = size
    }
    for letter in weight + result where sizes[letter] == nil {
      throw GraphError("needs the size of axis '\(letter)' of '\(equation)' in 'output_shape'.")
    }
  }
}

extension String {
  /// The parts between separators.
  fileprivate func components(_ separator: String) -> [String] {
    split(separator: separator, omittingEmptySubsequences: false).map(String.init)
  }
}
