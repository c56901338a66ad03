// A program as StableHLO text, which every PJRT plugin and MLIR tool reads. The generic form is used throughout: it is
// the same for all operations and changes least between versions.

extension Program {
  /// The program as the text of a StableHLO module with one public function `main`. Composites are expanded; an aliased
  /// output is written as `tf.aliasing_output`, for which plugins donate the input's memory.
  /// - Parameter name: the module's name, shown in dumps.
  /// - Throws: when an operation cannot be written.
  public func stableHLO(name: String = "program") throws(GraphError) -> String {
    let program = try expandingComposites()
    var writer = StableHLOWriter()
    let arguments = program.inputs.indices.map { "%arg\($0)" }
    var outputOfInput: [Int: Int] = [:]
    for (output, input) in program.aliases.sorted(by: { $0.key < $1.key }) where outputOfInput[input] == nil {
      outputOfInput[input] = output
    }
    let parameters = program.inputs.enumerated().map { index, input in
      let alias = outputOfInput[index].map { " {tf.aliasing_output = \($0) : i32}" } ?? ""
      return "%arg\(index): \(input.type.stableHLOName)\(alias)"
    }
    let results = program.outputTypes.map(\.stableHLOName).joined(separator: ", ")
    writer.line("module @\(Self.symbol(name)) {")
    writer.line("  func.func public @main(\(parameters.joined(separator: ", "))) -> (\(results)) {")
    writer.indentation = "    "
    let values = try writer.write(program, on: arguments)
    writer.line("\"func.return\"(\(values.joined(separator: ", "))) : (\(results)) -> ()")
    writer.indentation = ""
    writer.line("  }")
    writer.line("}")
    return writer.text
  }

  private static func symbol(_ name: String) -> String {
    let letters = name.unicodeScalars.map { scalar in
      let isPlain = scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "_")
      return isPlain ? Character(scalar) : "_"
    }
    guard let first = letters.first, !first.isNumber else { return "program_" + String(letters) }
    return String(letters)
  }
}

/// Collects the lines of a module and numbers its values.
struct StableHLOWriter {
  private(set) var text = ""
  var indentation = ""
  private var valueCount = 0

  mutating func line(_ content: String) {
    text += indentation
    text += content
    text += "\n"
  }

  private mutating func freshName() -> String {
    defer { valueCount += 1 }
    return "%\(valueCount)"
  }

  /// Writes a program's instructions and returns the names of its outputs.
  mutating func write(_ program: Program, on operands: [String]) throws(GraphError) -> [String] {
    var names = operands + [String](repeating: "", count: program.types.count - operands.count)
    for instruction in program.instructions {
      let results = try write(
        instruction.operation, instruction.operands.map { names[$0] }, instruction.operands.map { program.types[$0] },
        instruction.results.map { program.types[$0] })
      for (value, name) in zip(instruction.results, results) { names[value] = name }
    }
    return program.outputs.map { names[$0] }
  }

  private mutating func write(
    _ operation: any Operation, _ operands: [String], _ operandTypes: [TensorType], _ resultTypes: [TensorType]
  ) throws(GraphError) -> [String] {
    let call = try StableHLOCall(operation, operandTypes)
    if let forwarded = call.forwardedOperand { return [operands[forwarded]] }
    var names = call.regionsReadOperands ? Array(operands.prefix(1)) : operands
    var types = call.regionsReadOperands ? Array(operandTypes.prefix(1)) : operandTypes
    for source in call.sources {
      let sourceTypes = try source.infer([])
      names += try write(source, [], [], sourceTypes)
      types += sourceTypes
    }
    let leading = call.leadingResults.count
    let resultTypes = call.leadingResults + resultTypes
    let result = freshName()
    let left = resultTypes.count == 1 ? result : "\(result):\(resultTypes.count)"
    line("\(left) = \"stablehlo.\(call.name)\"(\(names.joined(separator: ", ")))\(call.regions.isEmpty ? "" : " ({")")
    for (index, region) in call.regions.enumerated() {
      if index > 0 { line("}, {") }
      try write(region: region, on: call.regionsReadOperands ? Array(operands.dropFirst()) : nil)
    }
    if !call.regions.isEmpty { text += indentation + "})" } else { text.removeLast() }
    if !call.attributes.isEmpty {
      text += " {" + call.attributes.map { "\($0.name) = \($0.value)" }.joined(separator: ", ") + "}"
    }
    let signature = types.map(\.stableHLOName).joined(separator: ", ")
    let given = resultTypes.map(\.stableHLOName).joined(separator: ", ")
    text += " : (\(signature)) -> \(resultTypes.count == 1 ? given : "(\(given))")\n"
    return resultTypes.count == 1 ? [result] : resultTypes.indices.dropFirst(leading).map { "\(result)#\($0)" }
  }

  /// Writes a region as a block. Its inputs are the block's arguments, or `outer` values that it reads directly.
  private mutating func write(region: Program, on outer: [String]?) throws(GraphError) {
    let expanded = try region.expandingComposites()
    let arguments = outer ?? expanded.inputs.map { _ in freshName() }
    if outer == nil {
      let header = zip(arguments, expanded.inputs).map { "\($0): \($1.type.stableHLOName)" }
      line("^bb0(\(header.joined(separator: ", "))):")
    }
    let saved = indentation
    indentation += "  "
    let values = try write(expanded, on: arguments)
    let types = expanded.outputTypes.map(\.stableHLOName).joined(separator: ", ")
    line("\"stablehlo.return\"(\(values.joined(separator: ", "))) : (\(types)) -> ()")
    indentation = saved
  }
}
