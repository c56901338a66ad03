// Likely mistakes that are not errors are detected while a step is traced, and reported before training begins.

import AccelerandoCore
import AccelerandoNN

/// Remarks about a model, each made once.
final class TraceNotes {
  private var pending: [String] = []
  private var made: Set<String> = []
  private var softmaxPaths: [[String]] = []

  func add(_ note: String) {
    if made.insert(note).inserted { pending.append(note) }
  }

  /// The notes that have not been reported yet.
  func take() -> [String] {
    defer { pending = [] }
    return pending
  }

  /// Looks at the result of a layer: the softmax of one number is 1, whatever the number.
  func look(at result: Tensor, of path: [String]) {
    guard let softmax = result.definition?.operation as? AccelerandoCore.Softmax, result.dim(softmax.axis) == 1,
      let layer = path.last
    else { return }
    // A layer around this one has the same result.
    if softmaxPaths.contains(where: { $0.starts(with: path) }) { return }
    softmaxPaths.append(path)
    add(
      "\(layer) takes a softmax over one unit, which is always 1. Use the activation 'sigmoid' with "
        + "'binary_crossentropy', or a unit for each class.")
  }

  /// Looks at what a loss gets: a cross-entropy of one class is 0, whatever is predicted.
  func look(at prediction: Tensor, _ loss: any Loss) {
    let isOfClasses = loss.plain is CategoricalCrossentropy || loss.plain is SparseCategoricalCrossentropy
    guard isOfClasses, prediction.shape.last == 1 else {
      return
    }
    add(
      "The loss '\(loss.name)' compares classes, and the model has one output. Use 'binary_crossentropy' with a 'sigmoid', "
        + "or a unit for each class.")
  }
}
