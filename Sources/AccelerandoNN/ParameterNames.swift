// Parameters are named by the stored properties that lead to them, as in `layers.0.weight`. Reflection finds them, so a
// custom layer is a plain struct with properties and need not register anything.

import AccelerandoCore

/// The names of the parameters that a layer stores, in the order of its properties.
public struct ParameterNames: Sendable {
  private var names: [ParameterKey: String] = [:]
  private(set) var ordered: [(key: ParameterKey, name: String)] = []
  private var owners: [String: any Layer] = [:]

  /// Visits the stored properties of a layer. A parameter that is reached twice keeps its first name.
  public init(of layer: any Layer) {
    var visitedObjects: Set<ObjectIdentifier> = []
    visit(layer, path: "", owner: layer, &visitedObjects)
  }

  /// The parameters' names, in the order of the properties.
  public var all: [String] { ordered.map(\.name) }

  /// The innermost layer that stores the parameter of a name.
  public func owner(of name: String) -> (any Layer)? { owners[name] }

  /// The names here of the parameters of an inner layer, by their names in that layer.
  public func names(inside layer: any Layer) -> [String: String] {
    var result: [String: String] = [:]
    for (key, name) in ParameterNames(of: layer).ordered { result[name] = names[key] }
    return result
  }

  /// The names of the parameters that some model has trained values of, or was given them.
  package var learned: [String] { ordered.filter(\.key.hasLearned).map(\.name) }

  /// Notes that a model has trained values of all parameters, or was given them.
  package func noteLearning() { for parameter in ordered { parameter.key.hasLearned = true } }

  /// The name of a parameter; nil for one that the layer does not store.
  package func name(of parameter: Parameter) -> String? { names[parameter.key] }

  private mutating func visit(
    _ value: Any, path: String, owner: any Layer, _ visitedObjects: inout Set<ObjectIdentifier>
  ) {
    if let parameter = value as? Parameter {
      guard names[parameter.key] == nil else { return }
      names[parameter.key] = path
      ordered.append((parameter.key, path))
      owners[path] = owner
      return
    }
    if Self.isPlain(value) { return }
    let owner = value as? any Layer ?? owner
    var mirror: Mirror? = Mirror(reflecting: value)
    if mirror?.displayStyle == .class {
      // Objects may refer to each other in circles.
      guard visitedObjects.insert(ObjectIdentifier(value as AnyObject)).inserted else { return }
    }
    while let current = mirror {
      visitChildren(of: current, path: path, owner: owner, &visitedObjects)
      mirror = current.superclassMirror
    }
  }

  private mutating func visitChildren(
    of mirror: Mirror, path: String, owner: any Layer, _ visitedObjects: inout Set<ObjectIdentifier>
  ) {
    func extended(_ label: String) -> String { path.isEmpty ? label : path + "." + label }
    switch mirror.displayStyle {
    case .optional, .enum:
      for child in mirror.children { visit(child.value, path: path, owner: owner, &visitedObjects) }
    case .dictionary:
      var entries: [(label: String, value: Any)] = []
      for child in mirror.children {
        let pair = Mirror(reflecting: child.value).children.map(\.value)
        if pair.count == 2 { entries.append((String(describing: pair[0]), pair[1])) }
      }
      // Dictionaries are unordered; sorted names make programs and files reproducible.
      for entry in entries.sorted(by: { $0.label < $1.label }) {
        visit(entry.value, path: extended(entry.label), owner: owner, &visitedObjects)
      }
    default:
      for (index, child) in mirror.children.enumerated() {
        var label = child.label ?? String(index)
        if label.hasPrefix("_") || label.hasPrefix(".") { label.removeFirst() }
        visit(child.value, path: extended(label), owner: owner, &visitedObjects)
      }
    }
  }

  /// Values without parameters that may be large, or whose contents must not be inspected.
  private static func isPlain(_ value: Any) -> Bool {
    value is any Numeric || value is String || value is Bool || value is [Int] || value is [Double] || value is [Float]
      || value is [String] || value is NDArray || value is Initializer
  }
}
