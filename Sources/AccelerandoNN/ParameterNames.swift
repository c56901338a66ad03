// Parameters are named by the stored properties that lead to them, as in `layers.0.weight`. Reflection finds them, so a
// custom layer is a plain struct with properties and need not register anything.

import AccelerandoCore

/// The names of the parameters that a layer stores, in the order of its properties.
public struct ParameterNames: Sendable {
  private var names: [ParameterKey: String] = [:]
  private(set) var ordered: [(key: ParameterKey, name: String)] = []
  private var owners: [String: any Layer] = [:]
  private var options: [String: ParameterOptions] = [:]

  /// Visits the stored properties of a layer. A parameter that is reached twice keeps its first name.
  public init(of layer: any Layer) {
    var visitedObjects: Set<ObjectIdentifier> = []
    visit(layer, path: "", Place(owner: layer), &visitedObjects)
  }

  /// Where the visit is: the innermost layer, and what the layers around say of their weights, the innermost first.
  private struct Place {
    var owner: any Layer
    var around: [any TrainableLayer] = []

    /// Inside another layer.
    func inside(_ layer: any Layer) -> Place {
      Place(owner: layer, around: ((layer as? any TrainableLayer).map { [$0] } ?? []) + around)
    }
  }

  /// The parameters' names, in the order of the properties.
  public var all: [String] { ordered.map(\.name) }

  /// The innermost layer that stores the parameter of a name.
  public func owner(of name: String) -> (any Layer)? { owners[name] }

  /// What the layers around the parameter of a name say of it, and the parameter itself.
  package func options(of name: String) -> ParameterOptions { options[name] ?? ParameterOptions() }

  /// The names here of the parameters of an inner layer, by their names in that layer.
  public func names(inside layer: any Layer) -> [String: String] {
    var result: [String: String] = [:]
    for (key, name) in ParameterNames(of: layer).ordered { result[name] = names[key] }
    return result
  }

  /// The names of the parameters that some model has trained values of, or was given them.
  package var learned: [String] { ordered.filter(\.key.hasLearned).map(\.name) }

  /// Where the models that trained the parameters last have their values, by name.
  package var homes: [String: any Sendable] {
    Dictionary(uniqueKeysWithValues: ordered.compactMap { entry in entry.key.home.map { (entry.name, $0) } })
  }

  /// Notes where the values of parameters are.
  /// - Parameters:
  ///   - values: what stands for the place, by the parameter's name.
  ///   - replaces: whether places that are known are forgotten.
  package func note(homes values: [String: any Sendable], replaces: Bool) {
    for (key, name) in ordered where replaces || key.home == nil { if let value = values[name] { key.home = value } }
  }

  /// Notes that a model has trained values of all parameters, or was given them.
  package func noteLearning() { for parameter in ordered { parameter.key.hasLearned = true } }

  /// The name of a parameter; nil for one that the layer does not store.
  package func name(of parameter: Parameter) -> String? { names[parameter.key] }

  private mutating func visit(
    _ value: Any, path: String, _ place: Place, _ visitedObjects: inout Set<ObjectIdentifier>
  ) {
    if let parameter = value as? Parameter {
      let found = ParameterOptions(
        of: parameter, property: path.split(separator: ".").last.map(String.init) ?? path, place.around)
      if let known = names[parameter.key] {
        // A layer that is frozen in one place is frozen.
        if !found.isTrainable { options[known]?.isTrainable = false }
        return
      }
      names[parameter.key] = path
      ordered.append((parameter.key, path))
      owners[path] = place.owner
      options[path] = found
      return
    }
    if Self.isPlain(value) { return }
    let place = (value as? any Layer).map(place.inside) ?? place
    var mirror: Mirror? = Mirror(reflecting: value)
    if mirror?.displayStyle == .class {
      // Objects may refer to each other in circles.
      guard visitedObjects.insert(ObjectIdentifier(value as AnyObject)).inserted else { return }
    }
    while let current = mirror {
      visitChildren(of: current, path: path, place, &visitedObjects)
      mirror = current.superclassMirror
    }
  }

  private mutating func visitChildren(
    of mirror: Mirror, path: String, _ place: Place, _ visitedObjects: inout Set<ObjectIdentifier>
  ) {
    func extended(_ label: String) -> String { path.isEmpty ? label : path + "." + label }
    switch mirror.displayStyle {
    case .optional, .enum:
      for child in mirror.children { visit(child.value, path: path, place, &visitedObjects) }
    case .dictionary:
      var entries: [(label: String, value: Any)] = []
      for child in mirror.children {
        let pair = Mirror(reflecting: child.value).children.map(\.value)
        if pair.count == 2 { entries.append((String(describing: pair[0]), pair[1])) }
      }
      // Dictionaries are unordered; sorted names make programs and files reproducible.
      for entry in entries.sorted(by: { $0.label < $1.label }) {
        visit(entry.value, path: extended(entry.label), place, &visitedObjects)
      }
    default:
      for (index, child) in mirror.children.enumerated() {
        var label = child.label ?? String(index)
        if label.hasPrefix("_") || label.hasPrefix(".") { label.removeFirst() }
        visit(child.value, path: extended(label), place, &visitedObjects)
      }
    }
  }

  /// Values without parameters that may be large, or whose contents must not be inspected.
  private static func isPlain(_ value: Any) -> Bool {
    value is any Numeric || value is String || value is Bool || value is [Int] || value is [Double] || value is [Float]
      || value is [String] || value is NDArray || value is Initializer
      || value is LayerOptions
  }
}

/// What holds for the training of one parameter.
package struct ParameterOptions {
  /// Whether it is trained.
  package var isTrainable = true
  /// Whether pruning may touch it.
  package var isPrunable = true
  /// The penalty on its value.
  package var regularizer: (any Regularizer)?
  /// What holds for its value after each step.
  package var constraint: (any Constraint)?

  init() {}

  /// What the layers around say, the innermost first; then the parameter itself.
  fileprivate init(of parameter: Parameter, property: String, _ layers: [any TrainableLayer]) {
    for layer in layers {
      if !layer.options.isTrainable { isTrainable = false }
      guard let name = type(of: layer).weightNames.first(where: { $0.key == property })?.value else { continue }
      regularizer = regularizer ?? layer.options.regularizers[name]
      constraint = constraint ?? layer.options.constraints[name]
    }
    isPrunable = parameter.isPrunable
    regularizer = regularizer ?? parameter.regularizer
    constraint = constraint ?? parameter.constraint
  }
}
