// What the result of a run depends on, as names and values: the whole architecture, every setting of the optimizer, the
// loss and the rest, the data, the callbacks that influence training. A run that resumes, and processes that train
// together, need the same; each difference is reported with both values.

import AccelerandoCore
import AccelerandoFormats
import AccelerandoNN

/// One setting of a run that its result depends on.
struct RunSetting: Sendable, Hashable {
  /// What it is called in errors.
  let name: String
  /// Its value as text.
  let value: String

  init(_ name: String, _ value: some CustomStringConvertible) {
    self.name = name
    self.value = value.description
  }

  /// Settings of a tree, by their paths: `optimizer.momentum`.
  static func list(_ name: String, _ config: Config) -> [RunSetting] {
    switch config.value {
    case .object(let entries) where !entries.isEmpty:
      entries.flatMap { entry in list(entry.key == "name" ? name : "\(name).\(entry.key)", entry.value) }
    case .array(let values) where values.contains(where: \.isTree):
      [RunSetting("\(name).count", values.count)]
        + values.enumerated().flatMap { list("\(name).\($0.offset)", $0.element) }
    case .array(let values): [RunSetting(name, "[\(values.map(\.text).joined(separator: ", "))]")]
    default: [RunSetting(name, config.text)]
    }
  }

  /// The settings that differ, with both values, a line each; empty where there are none.
  /// - Parameters:
  ///   - first: the words for those who have the first values: `in the checkpoint`.
  ///   - second: the words for those who have the others: `now`.
  static func differences(
    _ a: [RunSetting], _ first: String, _ b: [RunSetting], _ second: String
  ) -> String {
    let (before, after) = (values(a), values(b))
    var names = a.map(\.name)
    names += b.map(\.name).filter { before[$0] == nil }
    let lines = names.compactMap { name -> String? in
      let (old, new) = (before[name] ?? "none", after[name] ?? "none")
      return old == new ? nil : "\n  \(name): \(old) \(first), \(new) \(second)"
    }
    let most = 20
    return lines.prefix(most).joined() + (lines.count > most ? "\n  and \(lines.count - most) more" : "")
  }

  private static func values(_ settings: [RunSetting]) -> [String: String] {
    Dictionary(settings.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
  }
}

extension Config {
  /// A layer's configuration without the layer's name.
  fileprivate var withoutName: Config {
    guard case .object(var entries) = value, entries.count == 1, case .object(let settings) = entries[0].value.value
    else { return self }
    entries[0].value = Config(.object(settings.filter { $0.key != "name" }))
    return Config(.object(entries))
  }

  /// Whether there are settings in it.
  fileprivate var isTree: Bool {
    switch value {
    case .object, .array: true
    default: false
    }
  }

  /// A single value as text.
  fileprivate var text: String {
    switch value {
    case .null: "none"
    case .bool(let value): "\(value)"
    case .int(let value): "\(value)"
    // 1 and 1.0 are one number, however it was read.
    case .double(let value): Int(exactly: value).map { "\($0)" } ?? "\(value)"
    case .string(let value): value
    case .array(let values): values.isEmpty ? "[]" : "\(values.count) values"
    case .object: "{}"
    }
  }
}

extension Model {
  /// What the results of training depend on besides the data.
  func settings() throws -> [RunSetting] {
    let compilation = try compiled()
    func list(_ name: String, _ config: () throws -> Config, or type: Any) -> [RunSetting] {
      // What says nothing about its settings is known by its type; the digest of the step says whether it computes the
      // same.
      (try? config()).map { RunSetting.list(name, $0) } ?? [RunSetting(name, "\(Swift.type(of: type))")]
    }
    var settings = [RunSetting("seed", seed)]
    settings += inputs.enumerated().map { RunSetting("input \($0.offset)", "\($0.element.dtype) \($0.element.shape)") }
    // What a model is called changes nothing that it computes.
    settings += list("model", { try Config(of: layer).withoutName }, or: layer)
    settings += list(
      "optimizer", { try Catalog.optimizers.config(of: compilation.optimizer) }, or: compilation.optimizer)
    for loss in compilation.losses {
      let name = loss.output.map { "loss of '\($0)'" } ?? "loss"
      settings += list(name, { try Catalog.losses.config(of: loss.loss) }, or: loss.loss)
      if loss.weight != 1 { settings.append(RunSetting("weight of the \(name)", loss.weight)) }
    }
    let watched = tasks.flatMap(\.metrics)
    for (name, isWeighted) in [("metrics", false), ("weighted metrics", true)] {
      let metrics = watched.filter { $0.isWeighted == isWeighted }
      settings.append(RunSetting(name, metrics.map(\.label).joined(separator: ", ")))
      for watch in metrics {
        settings += list(
          "metric '\(watch.label)'", { try Catalog.metrics.config(of: watch.metric) }, or: watch.metric)
      }
    }
    settings.append(RunSetting("precision", compilation.precision.rawValue))
    for (number, group) in compilation.groups.enumerated() {
      settings += list("group \(number) of parameters", { try group.config() }, or: group)
    }
    settings.append(RunSetting("transforms of parameters", parameterTransforms.count))
    let rules = parameterRules.map { "\($0)" }.joined(separator: "; and ")
    settings.append(RunSetting("rule for parameters", rules.isEmpty ? "none" : rules))
    return settings
  }
}

extension TrainingRun {
  /// The settings of callbacks that change the course of training.
  static func settings(of callbacks: [any Callback]) -> [RunSetting] {
    zip(names(of: callbacks), callbacks).flatMap { name, callback in
      callback.courseSettings.map { [RunSetting("callback \(name)", "yes")] + RunSetting.list("callback \(name)", $0) }
        ?? []
    }
  }
}

extension Program {
  /// A digest of all that the program computes.
  func digest() throws -> String {
    let sum = try SHA256Digest()
    try sum.update(stableHLO())
    return String(try sum.finish().prefix(16))
  }
}
