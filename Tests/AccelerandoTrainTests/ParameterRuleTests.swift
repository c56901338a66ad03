// Rules for parameters: several at a time, in order, with state of their own, saved with the model.

import AccelerandoCore
import AccelerandoNN
import Foundation
import Testing

@testable import AccelerandoTrain

/// Multiplies a parameter by a number, in training and otherwise, and counts the steps of training.
private struct Scaling: ParameterRule, Configurable, CustomStringConvertible {
  let parameter: String
  let factor: Double

  var description: String { "\(parameter) times \(factor)" }
  private var counter: String { "scaling/\(parameter)/\(factor)" }
  var initialState: Store { Store([(counter, NDArray(scalar: Int32(0)))]) }

  func apply(to parameters: [String: Tensor], in step: RuleStep) -> [String: Tensor] {
    if let count = step.state(counter) { step.remember(counter, count + 1) }
    return parameters[parameter].map { [parameter: $0 * factor] } ?? [:]
  }

  func check(_ state: Store, steps: Int?) throws {}

  var configName: String { "scaling" }
  func config() -> Config {
    Config(["parameter": Config(.string(parameter)), "factor": Config(.double(factor))])
  }

  static let catalog = Catalog<RuleMaker>("parameter rule").adding("scaling") { reader in
    let rule = Scaling(parameter: try reader.string("parameter"), factor: try reader.double("factor"))
    return RuleMaker { outline in
      guard outline.parameters.contains(where: { $0.name == rule.parameter }) else {
        throw ConfigError("there is no parameter '\(rule.parameter)'.")
      }
      return rule
    }
  }
}

private let weight = "layers.0.weight"

@Suite struct ParameterRuleTests {
  @Test func rulesFollowOneAnotherAndEachKeepsItsState() throws {
    let model = try compiledClassifier()
    let (x, _) = try quadrants(6)
    let before = try model.weights()
    try model.addParameterRule(Scaling(parameter: weight, factor: 0.5))
    try model.addParameterRule(Scaling(parameter: weight, factor: 4))
    let doubled = classifier()
    var weights = before
    weights[weight] = try NDArray(
      try #require(before[weight]).elements(as: Float.self).map { $0 * 2 }, shape: try #require(before[weight]).shape)
    try doubled.setWeights(weights)
    #expect(try model.predict(x) == doubled.predict(x))
    #expect(try model.settledWeights() == weights)
    #expect(try model.weights() == before)
    let (features, labels) = try quadrants(20)
    try model.fit(features, labels, batchSize: 5, verbose: .silent)
    #expect(try model.ruleState().entries.map { $0.1.elements(as: Int32.self) } == [[4], [4]])
    // Removing one leaves the other and its count.
    try model.removeParameterRules { ($0 as? Scaling)?.factor == 4 }
    #expect(model.parameterRules.count == 1)
    try model.fit(features, labels, batchSize: 5, verbose: .silent)
    #expect(try model.ruleState().entries.map { $0.1.elements(as: Int32.self) } == [[8]])
  }

  @Test func twoRulesOfOneStateAreRefused() throws {
    let model = try compiledClassifier()
    try model.addParameterRule(Scaling(parameter: weight, factor: 0.5))
    #expect(
      message { try model.addParameterRule(Scaling(parameter: weight, factor: 0.5)) }
        .contains("two rules for parameters have state of the name 'scaling/layers.0.weight/0.5'"))
    #expect(model.parameterRules.count == 1)
  }

  @Test func rulesAreSavedWithTheModelAndGoOn() throws {
    try withTemporaryDirectory { directory in
      let url = directory.appendingPathComponent("model")
      let (x, y) = try quadrants(20)
      let model = try compiledClassifier()
      // Changing a weight once more must change nothing.
      try model.addParameterRule(Scaling(parameter: weight, factor: 1))
      try model.addParameterRule(Scaling(parameter: "layers.1.bias", factor: 0))
      try model.fit(x, y, batchSize: 5, shuffle: false, verbose: .silent)
      try model.save(to: url)
      let loaded = try Model.load(
        from: url, backend: testBackend, catalogs: ModelCatalogs(parameterRules: Scaling.catalog))
      #expect(loaded.parameterRules.map { "\($0)" } == model.parameterRules.map { "\($0)" })
      #expect(try loaded.ruleState() == model.ruleState())
      try model.fit(x, y, batchSize: 5, shuffle: false, verbose: .silent)
      try loaded.fit(x, y, batchSize: 5, shuffle: false, verbose: .silent)
      #expect(try loaded.weights() == model.weights())
      // Without the rule the model has the weights that it gave.
      try loaded.save(to: url)
      let without = try Model.load(from: url, backend: testBackend)
      #expect(without.parameterRules.isEmpty)
      #expect(try without.predict(x) == loaded.predict(x))
      #expect(try without.weights()["layers.1.bias"]?.elements(as: Float.self) == [0, 0])
      // A later save without rules leaves none behind.
      try loaded.removeParameterRules()
      try loaded.save(to: url)
      #expect(try Model.load(from: url, backend: testBackend).parameterRules.isEmpty)
    }
  }
}
