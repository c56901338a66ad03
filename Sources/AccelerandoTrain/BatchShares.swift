// How a batch is divided among workers: as evenly as can be, in order. Programs have static shapes, so that all parts have as
// many rows; those with a sample less end with a row that counts for nothing.

/// The parts of a batch.
struct BatchShares: Hashable {
  /// The samples of the batch.
  let count: Int
  /// The number of parts.
  let workers: Int

  init(of count: Int, workers: Int) {
    self.count = count
    self.workers = max(workers, 1)
  }

  /// The rows of each part.
  var rows: Int { (count + workers - 1) / workers }

  /// Whether some parts have a row that counts for nothing.
  var isPadded: Bool { count % workers != 0 }

  /// The samples of a part.
  subscript(worker: Int) -> Range<Int> {
    let (least, more) = (count / workers, count % workers)
    let start = worker * least + min(worker, more)
    return start..<start + least + (worker < more ? 1 : 0)
  }

  /// For each row of all parts, one part after the other, the sample that it holds; rows that count for nothing repeat one.
  var samples: [Int] {
    (0..<workers).flatMap { worker in
      let part = self[worker]
      return (0..<rows).map { min(part.lowerBound + $0, max(count - 1, 0)) }
    }
  }
}
