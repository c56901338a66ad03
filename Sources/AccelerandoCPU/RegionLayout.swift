// How a region is run: which kernels alternate over a few units at a time, over how many, and the offsets of local
// values in a thread's memory.
//
// A convolution wants few units, so that its results are read while they are in the L2 cache; a product with a large
// matrix wants many, so that the matrix is read once for all of them. So a region has two loops: tiles of many units,
// and in each tile segments of kernels that share a smaller number.

/// Arranges the kernels of one region.
struct RegionLayout {
  let units: Int
  let byteCounts: [Int]
  /// Whether several threads share the units.
  let isShared: Bool

  struct Member {
    let slicing: Slicing
    let reads: [Int]
    let writes: [Int]
    let path: [String]
    let accumulator: Int?
  }

  /// Bytes that may stay in a core's L2 cache beside the rest.
  static let cacheBytes = 640 << 10
  /// What a segment may touch at a time, so that it stays in cache.
  static let segmentBytes = 256 << 10
  /// What a segment should touch at a time, if it can: calls and partial sums have a cost.
  static let comfortableBytes = 48 << 10
  /// Less than this at a time is not worth the call.
  static let callBytes = 768
  /// Going through the region once more costs as much as moving this many bytes.
  static let tileBytes = 4 << 10

  func region(_ members: [Member], locals: Set<Int>) -> Region {
    let hasPartials = members.contains { $0.accumulator != nil }
    var region = Region(units: units, leaves: hasPartials ? Region.leafCount(units: units) : 1)
    region.partials = members.compactMap { member in
      guard let accumulator = member.accumulator, let partial = member.slicing.partial else { return nil }
      return Region.Partial(
        value: partial.value, accumulator: accumulator, byteCount: byteCounts[partial.value])
    }
    let ranges = segments(members)
    var segmentOf = [Int](repeating: 0, count: members.count)
    for (index, range) in ranges.enumerated() { for member in range.members { segmentOf[member] = index } }

    // A value that is used in one segment only is stored for that segment's few units.
    var uses: [Int: [Int]] = [:]
    for (index, member) in members.enumerated() {
      for value in Set(member.reads + member.writes) where locals.contains(value) {
        uses[value, default: []].append(index)
      }
    }
    let sorted = locals.sorted()
    let isTileWide = sorted.map { value in Set((uses[value] ?? []).map { segmentOf[$0] }).count > 1 }
    let tileBytes = zip(sorted, isTileWide).reduce(0) { $0 + ($1.1 ? byteCounts[$1.0] / units : 0) }
    region.tile = tile(members, bytesPerUnit: tileBytes, leaves: region.leaves)
    region.segments = ranges.map { range in
      // Pieces of equal size, rather than a small one at the end.
      let pieces = max(region.tile / max(range.tile, 1), 1)
      return Region.Segment(
        tile: (region.tile + pieces - 1) / pieces,
        kernels: members[range.members].map {
          Region.Entry(kernel: $0.slicing.kernel, isPartial: $0.accumulator != nil, path: $0.path)
        })
    }
    var arena = Arena()
    let offsets = arena.place(
      zip(sorted, isTileWide).map { value, isWide in
        let users = uses[value] ?? [0]
        let (first, last) = (users[0], users[users.count - 1])
        let unitBytes = byteCounts[value] / units
        return isWide
          ? Arena.Block(
            alive: ranges[segmentOf[first]].members.lowerBound...ranges[segmentOf[last]].members.upperBound - 1,
            size: unitBytes * region.tile)
          : Arena.Block(alive: first...last, size: unitBytes * region.segments[segmentOf[first]].tile)
      })
    for (index, value) in sorted.enumerated() {
      let local = Region.Local(value: value, unitBytes: byteCounts[value] / units, offset: offsets[index])
      if isTileWide[index] {
        region.locals.append(local)
      } else {
        region.segments[segmentOf[(uses[value] ?? [0])[0]]].locals.append(local)
      }
    }
    region.localBytes = arena.size
    return region
  }

  /// Bytes that a kernel reads and writes for one unit.
  private func unitBytes(_ member: Member) -> Int {
    let values = member.slicing.aligned.union(member.accumulator == nil ? member.writes : [])
    return max(values.reduce(0) { $0 + byteCounts[$1] } / units, 1)
  }

  /// Bytes that every call of a kernel reads, however few its units.
  private func sharedBytes(_ member: Member) -> Int {
    let sums = member.slicing.partial.map { byteCounts[$0.value] } ?? 0
    return member.slicing.reread.reduce(sums) { $0 + byteCounts[$1] }
  }

  private func isProduct(_ member: Member) -> Bool {
    member.slicing.kernel is SlicedDot || member.slicing.kernel is Sliced<ConvolutionGradientKernel>
  }

  /// Runs of kernels that can share a number of units at a time.
  private func segments(_ members: [Member]) -> [(members: Range<Int>, tile: Int)] {
    var result: [(members: Range<Int>, tile: Int)] = []
    var start = 0
    var (low, high, touched) = (1, Int.max, 0)
    func close(at end: Int) {
      if end == start { return }
      let comfortable = max(low, (Self.comfortableBytes + touched - 1) / max(touched, 1))
      result.append((start..<end, min(comfortable, high)))
    }
    for (index, member) in members.enumerated() {
      let own = unitBytes(member)
      // A matrix is worth reading again once as much other data has been read; a convolution works longer on its own.
      let shared = sharedBytes(member) / (isProduct(member) ? 1 : 8)
      let least = max(shared / own, Self.callBytes / own, 1)
      let most = max(Self.segmentBytes / own, 1)
      let range = least <= most ? (least, most) : (least, Int.max)
      if max(low, range.0) > min(high, range.1) {
        close(at: index)
        (start, low, high, touched) = (index, 1, Int.max, 0)
      }
      (low, high, touched) = (max(low, range.0), min(high, range.1), touched + own)
    }
    close(at: members.count)
    return result
  }

  /// The number of units that go through the whole region at a time: the one that moves the fewest bytes.
  private func tile(_ members: [Member], bytesPerUnit: Int, leaves: Int) -> Int {
    let whole = members.reduce(0) { sum, member in
      let bytes = sharedBytes(member)
      return sum + (bytes > 1 << 15 ? bytes : 0)
    }
    let leaf = max(units / leaves, 1)
    // If cores share the units there are at least two tiles, so that none takes more than half of them at a time.
    var tile = isShared ? (units + 1) / 2 : units
    var best = (bytes: Double.infinity, tile: tile)
    while tile >= 1 {
      let isWholeLeaves = tile >= leaf || leaf % tile == 0
      if isWholeLeaves || leaves == 1 {
        var bytes = Double((units + tile - 1) / tile) * Double(whole + Self.tileBytes)
        if tile * bytesPerUnit > Self.cacheBytes { bytes += 2 * Double(units) * Double(bytesPerUnit) }
        if bytes < best.bytes { best = (bytes, tile) }
      }
      tile = tile == 1 ? 0 : (tile + 1) / 2
    }
    return best.tile
  }
}
