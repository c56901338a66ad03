// Einstein summation: products of tensors written by naming their axes. It is a notation, not an operation: it records
// reductions, one dot_general and a transposition.

/// Sums products over the axes that `equation` omits from its result, as in `"bij,bjk->bik"`.
///
/// Each letter is an axis; a letter in both operands is a shared axis. Letters that are missing after the arrow are
/// summed over. Without an arrow the result has the letters that occur once, in alphabetical order.
/// - Parameters:
///   - equation: the letters of each operand, separated by commas; then `->` and the letters of the result.
///   - first: the first operand.
///   - second: the second operand, if there is one.
public func einsum(_ equation: String, _ first: Tensor, _ second: Tensor? = nil) -> Tensor {
  do {
    return try Einsum(equation, [first] + (second.map { [$0] } ?? [])).result()
  } catch {
    first.graph.report(GraphError(error.message, path: first.graph.path + ["einsum"]))
    return first
  }
}

private struct Einsum {
  let equation: String
  let operands: [Tensor]
  let terms: [[Character]]
  let output: [Character]

  init(_ equation: String, _ operands: [Tensor]) throws(GraphError) {
    self.equation = equation
    self.operands = operands
    let text = equation.filter { $0 != " " }
    let sides = text.split(separator: ">", maxSplits: 1, omittingEmptySubsequences: false)
    let left = sides.count == 2 && sides[0].hasSuffix("-") ? sides[0].dropLast() : Substring(text)
    terms = left.split(separator: ",", omittingEmptySubsequences: false).map(Array.init)
    if sides.count == 2 {
      output = Array(sides[1])
    } else {
      let all = terms.flatMap { $0 }
      output = all.filter { letter in all.filter { $0 == letter }.count == 1 }.sorted()
    }
    try check()
  }

  private func check() throws(GraphError) {
    guard (terms.flatMap { $0 } + output).allSatisfy({ $0.isASCII && $0.isLetter }) else {
      throw GraphError("'\(equation)' needs letters, commas and one '->', as in 'bij,bjk->bik'.")
    }
    guard operands.count <= 2, terms.count == operands.count else {
      throw GraphError("'\(equation)' names \(terms.count) operands; received \(operands.count) (1 or 2 are possible).")
    }
    var sizes: [Character: Int] = [:]
    for (term, operand) in zip(terms, operands) {
      guard term.count == operand.rank else {
        throw GraphError(
          "'\(equation)' names \(term.count) axes as '\(String(term))'; received \(operand.type).")
      }
      guard Set(term).count == term.count else {
        throw GraphError("'\(equation)' names an axis of one operand twice, in '\(String(term))'.")
      }
      for (letter, size) in zip(term, operand.shape) {
        if let known = sizes[letter], known != size {
          throw GraphError("'\(equation)': axis '\(letter)' has size \(known) and size \(size).")
        }
        sizes[letter] = size
      }
    }
    guard Set(output).count == output.count, output.allSatisfy({ sizes[$0] != nil }) else {
      throw GraphError("'\(equation)' needs distinct letters of the operands in its result '\(String(output))'.")
    }
  }

  func result() -> Tensor {
    guard operands.count == 2 else {
      let (tensor, letters) = summed(0, keeping: Set(output))
      return ordered(tensor, letters)
    }
    // An axis of only one operand that the result lacks is summed before the product.
    let (left, leftLetters) = summed(0, keeping: Set(output).union(terms[1]))
    let (right, rightLetters) = summed(1, keeping: Set(output).union(terms[0]))
    let shared = leftLetters.filter(rightLetters.contains)
    let batch = shared.filter(output.contains)
    let contracted = shared.filter { !output.contains($0) }
    func places(_ wanted: [Character], in letters: [Character]) -> [Int] { wanted.compactMap(letters.firstIndex(of:)) }
    let product = left.graph.add(
      DotGeneral(
        leftBatching: places(batch, in: leftLetters), rightBatching: places(batch, in: rightLetters),
        leftContracting: places(contracted, in: leftLetters), rightContracting: places(contracted, in: rightLetters)),
      left, right)
    let free = leftLetters.filter { !shared.contains($0) } + rightLetters.filter { !shared.contains($0) }
    return ordered(product, batch + free)
  }

  private func summed(_ index: Int, keeping kept: Set<Character>) -> (Tensor, [Character]) {
    let term = terms[index]
    let gone = term.indices.filter { !kept.contains(term[$0]) }
    let tensor = gone.isEmpty ? operands[index] : operands[index].sum(axes: gone)
    return (tensor, term.filter(kept.contains))
  }

  private func ordered(_ tensor: Tensor, _ letters: [Character]) -> Tensor {
    tensor.transposed(output.compactMap(letters.firstIndex(of:)))
  }
}
