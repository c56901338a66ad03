// How a batch is split among workers: as evenly as possible, in order. Programs have static shapes, so all parts have
// the same number of rows; those with one sample less end with a row of weight zero.

/// The parts of a batch.
struct BatchShares: Hashable {
  /// The number of samples in the batch.
  let count: Int
  /// The number of parts.
  let workers: Int

  init(of count: Int, workers: Int) {
    self.count = count
    self.workers = max(workers, 1)
  }

  /// The number of rows of each part.
  var rows: Int { (count + workers - 1) / workers }

  /// Whether some parts have a row of weight zero.
  var isPadded: Bool { count % workers != 0 }

  /// The samples of a part.
  subscript(worker: Int) -> Range<Int> {
    let (least, more) = (count / workers, count % workers)
    let start = worker * least + min(worker, more)
    return start..<start + least + (worker < more ? 1 : 0)
  }

  /// For each row of all parts, one part after the other, the index of its sample; rows of weight zero repeat one.
  var samples: [Int] {
    (0..<workers).flatMap { worker in
      let part = self[worker]
      return (0..<rows).map { min(part.lowerBound + $0, max(count - 1, 0)) }
    }
  }
}
