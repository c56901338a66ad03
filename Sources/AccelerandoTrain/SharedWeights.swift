// Models that are made of the layers of a trained model have its weights, as in Keras: the same memory on the device. A
// parameter knows where the model that trained it last has its value; a model of a graph of layers looks there.

import AccelerandoCore
import AccelerandoNN

/// The memory of a parameter's value.
private struct SharedValue: Sendable {
  let buffer: any Buffer
}

extension Model {
  /// Takes the memory of the parameters that another model of the same layers has, or a copy of what is on another device.
  /// - Returns: the names of the parameters that have values now.
  func adoptSharedValues() throws -> Set<String> {
    guard sharesWeights else { return [] }
    let homes = try outline().names.homes
    var adopted: Set<String> = []
    for spec in try outline().parameters {
      // A layer on inputs of another shape has other weights.
      guard let home = homes[spec.name] as? SharedValue, home.buffer.type == spec.type else { continue }
      if backend.accepts(home.buffer) {
        session.adopt(home.buffer, as: StateName.parameter(spec.name))
      } else {
        try session.set(StateName.parameter(spec.name), try home.buffer.read())
      }
      adopted.insert(spec.name)
    }
    return adopted
  }

  /// Lets later models of the same layers find the values of this one.
  /// - Parameter trains: whether the model is about to be trained: then it takes the place of one that was trained before.
  func noteHomes(trains: Bool) throws {
    var homes: [String: any Sendable] = [:]
    for spec in try outline().parameters {
      if let buffer = session.buffers[StateName.parameter(spec.name)] { homes[spec.name] = SharedValue(buffer: buffer) }
    }
    try outline().names.note(homes: homes, replaces: trains)
  }
}
