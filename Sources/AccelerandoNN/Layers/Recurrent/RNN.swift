// A recurrent layer over any cell, and several cells as one.

import AccelerandoCore

/// A cell along sequences: `[N, T, features]` to the last output, or to the outputs of all rounds.
///
/// Further inputs are initial states; the cell may be one of the library's, several (`StackedRNNCells`), or your own.
public struct RNN: RecurrentLayer {
  public let cell: any RecurrentCell
  public let settings: RecurrentSettings
  public let keptStates: [Parameter]
  public let name: String?
  public var options = LayerOptions()

  /// Makes the layer.
  /// - Parameters:
  ///   - cell: what happens in a round.
  ///   - returnsSequences: whether the outputs of all rounds are returned.
  ///   - returnsState: whether the last states are further outputs.
  ///   - goesBackwards: whether sequences are read from the end.
  ///   - isStateful: whether a batch begins with the states that the batch before ended with.
  ///   - zerosMaskedOutput: whether the output is zero where the mask is false.
  ///   - name: the layer's name.
  public init(
    _ cell: any RecurrentCell, returnsSequences: Bool = false, returnsState: Bool = false, goesBackwards: Bool = false,
    isStateful: Bool = false, zerosMaskedOutput: Bool = false, name: String? = nil
  ) {
    self.init(
      cell,
      RecurrentSettings(
        returnsSequences: returnsSequences, returnsState: returnsState, goesBackwards: goesBackwards,
        isStateful: isStateful, zerosMaskedOutput: zerosMaskedOutput), name)
  }

  private init(_ cell: any RecurrentCell, _ settings: RecurrentSettings, _ name: String?) {
    self.cell = cell
    self.settings = settings
    self.name = name
    keptStates = Self.states(cell, settings)
  }

  public static var summary: String { "A recurrent layer over a cell, which it names." }

  public init(config: ConfigReader) throws {
    self.init(
      try config.cell("cell"), try RecurrentSettings(config: config), try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config(["name": name.map { Config(.string($0)) }, "cell": try Config(of: cell)]).adding(settings.entries)
  }
}

/// Cells one after the other, as one cell: the output of each is the input of the next.
public struct StackedRNNCells: RecurrentCell, ConfigurableLayer, TrainableLayer {
  /// The cells, first to last.
  public let cells: [any RecurrentCell]
  public let name: String?
  public var options = LayerOptions()

  /// Makes the cell.
  public init(_ cells: [any RecurrentCell], name: String? = nil) {
    self.cells = cells
    self.name = name
  }

  public var stateCount: Int { cells.reduce(0) { $0 + $1.stateCount } }

  public var outputState: Int? {
    guard let last = cells.last else { return nil }
    return last.outputState.map { stateCount - last.stateCount + $0 }
  }

  public func stateShapes(input: [Int]) -> [[Int]] {
    var (shapes, input): ([[Int]], [Int]) = ([], input)
    for cell in cells {
      shapes += cell.stateShapes(input: input)
      input = cell.outputShape(input: input)
    }
    return shapes
  }

  public func outputShape(input: [Int]) -> [Int] { cells.reduce(input) { $1.outputShape(input: $0) } }

  public func step(_ x: Tensor, _ states: [Tensor]) -> (output: Tensor, states: [Tensor]) { firstRound(x, states) }

  public func rounds(over sequence: Tensor) -> RecurrentRounds {
    guard let first = cells.first else {
      return RecurrentRounds(elements: [sequence]) { ($0[0].rejected("needs at least one cell; received none."), $1) }
    }
    let rounds = first.rounds(over: sequence)
    return RecurrentRounds(elements: rounds.elements) { elements, states in
      var (output, new) = rounds.step(elements, Array(states.prefix(first.stateCount)))
      var start = first.stateCount
      for cell in cells.dropFirst() {
        let (next, after) = cell.step(output, Array(states[start..<start + cell.stateCount]))
        (output, new, start) = (next, new + after, start + cell.stateCount)
      }
      return (output, new)
    }
  }

  public static var summary: String { "Recurrent cells one after the other, as one cell." }

  public init(config: ConfigReader) throws {
    let cells = try config.layers("cells").map { layer in
      guard let cell = layer as? any RecurrentCell else {
        throw config.refused("cells", "a list of recurrent cells; '\(layer.typeName)' is none")
      }
      return cell
    }
    self.init(cells, name: try config.optionalString("name"))
  }

  public func config() throws -> Config {
    Config(["name": name.map { Config(.string($0)) }, "cells": Config(.array(try cells.map { try Config(of: $0) }))])
  }
}

extension ConfigReader {
  /// A recurrent cell inside a layer.
  func cell(_ key: String) throws -> any RecurrentCell {
    if isDescribing {
      _ = try required(key, kind: "a recurrent cell")
      return SimpleRNNCell(1)
    }
    let layer = try layer(key)
    guard let cell = layer as? any RecurrentCell else {
      throw refused(key, "a recurrent cell, like LSTMCell; '\(layer.typeName)' is none")
    }
    return cell
  }
}
