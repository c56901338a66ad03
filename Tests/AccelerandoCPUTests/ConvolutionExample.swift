// Random convolutions and poolings for tests that call the microkernels directly.

import AccelerandoTestSupport
import CKernels

/// The tables of kernels that this processor can run.
var availableKernels: [AccKernels] {
  [accISABaseline, accISAAVX2, accISAAVX512].compactMap { acc_kernels($0)?.pointee }
}

/// Memory as the kernels want it: aligned, and filled with garbage to begin with.
final class Memory {
  let raw: UnsafeMutableRawPointer
  let count: Int

  init(bytes: Int) {
    count = max(bytes, 64)
    raw = .allocate(byteCount: count, alignment: 64)
    raw.initializeMemory(as: UInt8.self, repeating: 0xFF, count: count)
  }

  convenience init(_ values: [Float]) {
    self.init(bytes: values.count * 4)
    for (i, value) in values.enumerated() { floats[i] = value }
  }

  convenience init(floats: Int) { self.init(bytes: floats * 4) }

  deinit { raw.deallocate() }

  var floats: UnsafeMutablePointer<Float> { raw.bindMemory(to: Float.self, capacity: count / 4) }
  var bytes: UnsafeMutablePointer<UInt8> { raw.bindMemory(to: UInt8.self, capacity: count) }

  /// The bits of the first floats.
  func bits(_ count: Int) -> [UInt32] { (0..<count).map { floats[$0].bitPattern } }
  func bytes(_ count: Int) -> [UInt8] { (0..<count).map { bytes[$0] } }
}

/// A convolution of random geometry, with its operands, an epilogue and a pooling that fits.
struct ConvolutionExample {
  var geometry: AccConv
  var pool: AccPool
  let x: Memory, w: Memory, dy: Memory, bias: Memory
  let hasBias: Bool, relu: Bool

  var inputs: Int { geometry.N * geometry.H * geometry.W * geometry.C }
  var weights: Int { geometry.KH * geometry.KW * geometry.C / geometry.groups * geometry.O }
  var outputs: Int { geometry.N * geometry.OH * geometry.OW * geometry.O }
  var pooled: Int { pool.N * pool.OH * pool.OW * pool.C }

  init(seed: UInt64, samples: Int? = nil) {
    var random = RandomSource(seed: seed)
    var c = AccConv()
    c.N = samples ?? random.integer(1...3)
    let channels = [1, 2, 3, 5, 8, 16, 17, 32, 33, 40]
    (c.C, c.O, c.groups) = (random.pick(channels), random.pick(channels), 1)
    if random.chance(0.15) {
      c.groups = random.integer(2...4)
      (c.C, c.O) = (c.groups * random.integer(1...18), c.groups * random.integer(1...18))
    } else if random.chance(0.15) {
      (c.O, c.groups) = (c.C, c.C)
    }
    // The kernels have paths of their own for 3 x 3 and 1 x 1.
    let kind = random.integer(0...3)
    (c.KH, c.KW) = kind < 2 ? (3, 3) : kind == 2 ? (1, 1) : (random.integer(1...4), random.integer(1...4))
    func step(_ random: inout RandomSource) -> Int { random.chance(0.75) ? 1 : random.integer(2...3) }
    (c.stride_h, c.stride_w) = (step(&random), step(&random))
    (c.dil_h, c.dil_w) = (step(&random), step(&random))
    let (reachH, reachW) = ((c.KH - 1) * c.dil_h, (c.KW - 1) * c.dil_w)
    let same = random.chance(0.5)
    (c.pad_top, c.pad_left) =
      same ? (reachH / 2, reachW / 2) : (random.integer(0...reachH), random.integer(0...reachW))
    let (below, right) =
      same ? (reachH - c.pad_top, reachW - c.pad_left) : (random.integer(0...reachH), random.integer(0...reachW))
    (c.H, c.W) = (reachH + random.integer(1...17), reachW + random.integer(1...19))
    c.OH = (c.H + c.pad_top + below - reachH - 1) / c.stride_h + 1
    c.OW = (c.W + c.pad_left + right - reachW - 1) / c.stride_w + 1
    geometry = c

    var p = AccPool()
    (p.N, p.H, p.W, p.C) = (c.N, c.OH, c.OW, c.O)
    if random.chance(0.5) {
      let side = random.integer(2...3)
      (p.window_h, p.window_w, p.stride_h, p.stride_w) = (side, side, 2, 2)
    } else {
      (p.window_h, p.window_w) = (random.integer(1...5), random.integer(1...5))
      (p.stride_h, p.stride_w) = (random.integer(1...4), random.integer(1...4))
    }
    (p.pad_top, p.pad_left) = (random.integer(0...p.window_h - 1), random.integer(0...p.window_w - 1))
    p.OH = max(0, c.OH + p.pad_top + random.integer(0...p.window_h - 1) - p.window_h) / p.stride_h + 1
    p.OW = max(0, c.OW + p.pad_left + random.integer(0...p.window_w - 1) - p.window_w) / p.stride_w + 1
    pool = p

    func numbers(_ count: Int) -> Memory { Memory((0..<count).map { _ in Float(random.real(-1...1)) }) }
    x = numbers(c.N * c.H * c.W * c.C)
    w = numbers(c.KH * c.KW * c.C / c.groups * c.O)
    dy = numbers(c.N * c.OH * c.OW * c.O)
    bias = numbers(c.O)
    hasBias = random.chance(0.5)
    relu = random.chance(0.5)
  }

  /// Calls `body` with pointers to the geometry and to the epilogue.
  func with(
    residual: Memory? = nil,
    _ body: (UnsafePointer<AccConv>, UnsafePointer<AccPool>, UnsafePointer<AccEpilogue>) -> Void
  ) {
    let activation = relu ? accActivationRelu : accActivationNone
    let epilogue = AccEpilogue(
      bias: hasBias ? UnsafePointer(bias.floats) : nil, residual: residual.map { UnsafePointer($0.floats) },
      activation: Int32(activation.rawValue))
    withUnsafePointer(to: geometry) { c in
      withUnsafePointer(to: pool) { p in withUnsafePointer(to: epilogue) { body(c, p, $0) } }
    }
  }

  /// The weights packed for a direction, in parts that come in reverse order.
  func packed(_ kernels: AccKernels, for direction: AccConvDirection, scale: Memory? = nil, parts: Int) -> Memory {
    withUnsafePointer(to: geometry) { c in
      let packed = Memory(bytes: kernels.conv_packed_bytes(c, Int32(direction.rawValue)))
      for part in (0..<parts).reversed() {
        kernels.conv_pack(c, Int32(direction.rawValue), w.floats, scale?.floats, packed.raw, part, parts)
      }
      return packed
    }
  }

  /// Calls `body` for every product of the convolution: the indices of x, w and y.
  func forEachProduct(_ body: (Int, Int, Int) -> Void) {
    let c = geometry
    let (inGroup, outGroup) = (c.C / c.groups, c.O / c.groups)
    for n in 0..<c.N {
      for oh in 0..<c.OH {
        for ow in 0..<c.OW {
          let y = ((n * c.OH + oh) * c.OW + ow) * c.O
          for tap in 0..<c.KH * c.KW {
            let h = oh * c.stride_h - c.pad_top + tap / c.KW * c.dil_h
            let v = ow * c.stride_w - c.pad_left + tap % c.KW * c.dil_w
            guard h >= 0, h < c.H, v >= 0, v < c.W else { continue }
            let x = ((n * c.H + h) * c.W + v) * c.C
            for o in 0..<c.O {
              for i in 0..<inGroup {
                body(x + o / outGroup * inGroup + i, (tap * inGroup + i) * c.O + o, y + o)
              }
            }
          }
        }
      }
    }
  }
}
