// The convolution microkernels over random geometries: right against plain sums in Double, and the same bits whichever way
// they are called.

import AccelerandoTestSupport
import CKernels
import Testing

@Suite struct ConvolutionKernelTests {
  static let seeds: [UInt64] = Array(1...60)

  @Test("A convolution and its gradients agree with plain sums in Double", arguments: seeds)
  func convolutionsAgreeWithPlainSums(seed: UInt64) {
    let example = ConvolutionExample(seed: seed)
    var y = [Double](repeating: 0, count: example.outputs)
    var dx = [Double](repeating: 0, count: example.inputs)
    var dw = [Double](repeating: 0, count: example.weights)
    // The sums of the magnitudes, which errors are measured against.
    var (sizeOfY, sizeOfDX, sizeOfDW) = (y, dx, dw)
    example.forEachProduct { i, j, k in
      let (x, w, d) = (example.x.floats[i], example.w.floats[j], example.dy.floats[k])
      y[k] += Double(x) * Double(w)
      dx[i] += Double(d) * Double(w)
      dw[j] += Double(x) * Double(d)
      sizeOfY[k] += Double(abs(x * w))
      sizeOfDX[i] += Double(abs(d * w))
      sizeOfDW[j] += Double(abs(x * d))
    }
    for k in y.indices {
      if example.hasBias { y[k] += Double(example.bias.floats[k % example.geometry.O]) }
      if example.relu { y[k] = max(y[k], 0) }
    }
    func worst(_ found: Memory, _ expected: [Double], _ size: [Double]) -> Double {
      expected.indices.reduce(0) { worst, i in
        let error = abs(Double(found.floats[i]) - expected[i]) / (1 + size[i])
        return error.isNaN ? .infinity : max(worst, error)
      }
    }
    for kernels in availableKernels {
      example.with { c, _, epilogue in
        let scratch = Memory(bytes: kernels.conv_scratch_bytes(c))
        let (outY, outDX) = (Memory(floats: example.outputs), Memory(floats: example.inputs))
        let outDW = Memory(floats: example.weights)
        let n = example.geometry.N
        kernels.conv_forward(c, example.x.floats, example.w.floats, outY.floats, 0, n, epilogue, scratch.raw)
        kernels.conv_backward_data(c, example.dy.floats, example.w.floats, outDX.floats, 0, n, scratch.raw)
        kernels.conv_backward_weights(c, example.x.floats, example.dy.floats, outDW.floats, 0, n, false, scratch.raw)
        #expect(worst(outY, y, sizeOfY) < 2e-6, "forward, \(example.geometry), \(kernels.isa)")
        #expect(worst(outDX, dx, sizeOfDX) < 2e-6, "data, \(example.geometry), \(kernels.isa)")
        #expect(worst(outDW, dw, sizeOfDW) < 2e-6, "weights, \(example.geometry), \(kernels.isa)")
      }
    }
  }

  @Test("Packed weights and calls sample by sample give the bits of one call", arguments: seeds)
  func packedAndSampleBySampleGiveTheSameBits(seed: UInt64) {
    let example = ConvolutionExample(seed: seed)
    let n = example.geometry.N
    for kernels in availableKernels {
      let forward = example.packed(kernels, for: accConvForward, parts: Int(seed % 4) + 1)
      let data = example.packed(kernels, for: accConvBackwardData, parts: Int(seed % 3) + 1)
      example.with { c, _, epilogue in
        let scratch = Memory(bytes: kernels.conv_scratch_bytes(c))
        let (y1, y2) = (Memory(floats: example.outputs), Memory(floats: example.outputs))
        let (dx1, dx2) = (Memory(floats: example.inputs), Memory(floats: example.inputs))
        let (dw1, dw2) = (Memory(floats: example.weights), Memory(floats: example.weights))
        kernels.conv_forward(c, example.x.floats, example.w.floats, y1.floats, 0, n, epilogue, scratch.raw)
        kernels.conv_backward_data(c, example.dy.floats, example.w.floats, dx1.floats, 0, n, scratch.raw)
        kernels.conv_backward_weights(c, example.x.floats, example.dy.floats, dw1.floats, 0, n, false, scratch.raw)
        for i in 0..<n {
          kernels.conv_forward_packed(c, example.x.floats, forward.raw, y2.floats, i, i + 1, epilogue, scratch.raw)
          kernels.conv_backward_data_packed(c, example.dy.floats, data.raw, dx2.floats, i, i + 1, scratch.raw)
          kernels.conv_backward_weights(
            c, example.x.floats, example.dy.floats, dw2.floats, i, i + 1, i > 0, scratch.raw)
        }
        #expect(y1.bits(example.outputs) == y2.bits(example.outputs), "\(example.geometry), \(kernels.isa)")
        #expect(dx1.bits(example.inputs) == dx2.bits(example.inputs), "\(example.geometry), \(kernels.isa)")
        #expect(dw1.bits(example.weights) == dw2.bits(example.weights), "\(example.geometry), \(kernels.isa)")
      }
    }
  }

  @Test(
    "The gradient of weights from all samples at once agrees with plain sums, whatever rows are computed at a time",
    arguments: seeds + (0..<20).map { 1000 + $0 })
  func weightRowsAgreeWithPlainSums(seed: UInt64) {
    let example = ConvolutionExample(seed: seed, samples: seed < 1000 ? nil : 30)
    let c = example.geometry
    guard c.groups == 1 else { return }
    var expected = [Double](repeating: 0, count: example.weights)
    var size = expected
    example.forEachProduct { i, j, k in
      expected[j] += Double(example.x.floats[i]) * Double(example.dy.floats[k])
      size[j] += Double(abs(example.x.floats[i] * example.dy.floats[k]))
    }
    let rows = c.KH * c.KW * c.C
    var random = RandomSource(seed: seed)
    for kernels in availableKernels {
      example.with { c, _, _ in
        let scratch = Memory(bytes: kernels.conv_weight_rows_scratch_bytes(c))
        let (whole, parts) = (Memory(floats: example.weights), Memory(floats: example.weights))
        func compute(_ first: Int, _ end: Int, _ dw: Memory) {
          kernels.conv_backward_weight_rows(
            c, example.x.floats, example.dy.floats, dw.floats, first, end, scratch.raw)
        }
        compute(0, rows, whole)
        var first = 0
        while first < rows {
          let end = min(rows, first + random.integer(1...max(1, rows / 3)))
          compute(first, end, parts)
          first = end
        }
        #expect(whole.bits(example.weights) == parts.bits(example.weights), "\(example.geometry), \(kernels.isa)")
        let worst = expected.indices.reduce(0.0) { worst, i in
          let error = abs(Double(whole.floats[i]) - expected[i]) / (1 + size[i])
          return error.isNaN ? .infinity : max(worst, error)
        }
        #expect(worst < 2e-6, "\(example.geometry), \(kernels.isa)")
      }
    }
  }

  @Test(
    "A convolution and its input's gradient from unpacked weights agree with plain sums, in any samples and channels",
    arguments: seeds + (0..<20).map { 1000 + $0 })
  func unpackedConvolutionsAgreeWithPlainSums(seed: UInt64) {
    let example = ConvolutionExample(seed: seed, samples: seed < 1000 ? nil : 30)
    let c = example.geometry
    guard c.groups == 1 else { return }
    var y = [Double](repeating: 0, count: example.outputs)
    var dx = [Double](repeating: 0, count: example.inputs)
    var (sizeOfY, sizeOfDX) = (y, dx)
    example.forEachProduct { i, j, k in
      let (x, w, d) = (example.x.floats[i], example.w.floats[j], example.dy.floats[k])
      y[k] += Double(x) * Double(w)
      dx[i] += Double(d) * Double(w)
      sizeOfY[k] += Double(abs(x * w))
      sizeOfDX[i] += Double(abs(d * w))
    }
    for k in y.indices {
      if example.hasBias { y[k] += Double(example.bias.floats[k % c.O]) }
      if example.relu { y[k] = max(y[k], 0) }
    }
    var random = RandomSource(seed: seed)
    for kernels in availableKernels {
      example.with { c, _, epilogue in
        let scratch = Memory(bytes: kernels.conv_taps_scratch_bytes(c))
        func expectRight(
          _ direction: AccConvDirection, _ from: Memory, channels: Int, _ expected: [Double], _ size: [Double],
          _ epilogue: UnsafePointer<AccEpilogue>?
        ) {
          let (whole, parts) = (Memory(floats: expected.count), Memory(floats: expected.count))
          func compute(_ samples: Range<Int>, _ channels: Range<Int>, _ to: Memory) {
            kernels.conv_taps(
              c, Int32(direction.rawValue), from.floats, example.w.floats, to.floats, samples.lowerBound,
              samples.upperBound, channels.lowerBound, channels.upperBound, epilogue, scratch.raw)
          }
          compute(0..<c.pointee.N, 0..<channels, whole)
          let (sample, channel) = (random.integer(0...c.pointee.N), random.integer(0...channels))
          for samples in [0..<sample, sample..<c.pointee.N] {
            for part in [0..<channel, channel..<channels] { compute(samples, part, parts) }
          }
          #expect(whole.bits(expected.count) == parts.bits(expected.count), "\(example.geometry), \(kernels.isa)")
          let worst = expected.indices.reduce(0.0) { worst, i in
            let error = abs(Double(whole.floats[i]) - expected[i]) / (1 + size[i])
            return error.isNaN ? .infinity : max(worst, error)
          }
          #expect(worst < 2e-6, "\(direction), \(example.geometry), \(kernels.isa)")
        }
        expectRight(accConvForward, example.x, channels: c.pointee.O, y, sizeOfY, epilogue)
        expectRight(accConvBackwardData, example.dy, channels: c.pointee.C, dx, sizeOfDX, nil)
      }
    }
  }

  @Test(
    "Parts of a convolution, by rows and by outputs, give the bits of the whole, and a residual is added",
    arguments: seeds)
  func partsGiveTheBitsOfTheWhole(seed: UInt64) {
    let example = ConvolutionExample(seed: seed)
    let (c, count) = (example.geometry, example.outputs)
    var random = RandomSource(seed: seed)
    let residual = Memory((0..<count).map { _ in Float(random.real(-1...1)) })
    let scale = Memory((0..<c.O).map { _ in Float(random.real(0.5...2)) })
    var expected = (0..<count).map { residual.floats[$0] + (example.hasBias ? example.bias.floats[$0 % c.O] : 0) }
      .map(Double.init)
    var sizes = [Double](repeating: 1, count: count)
    example.forEachProduct { i, j, k in
      let product = Double(example.x.floats[i]) * Double(example.w.floats[j]) * Double(scale.floats[k % c.O])
      expected[k] += product
      sizes[k] += product.magnitude
    }
    if example.relu { expected = expected.map { max($0, 0) } }
    for kernels in availableKernels {
      let packed = example.packed(kernels, for: accConvForward, scale: scale, parts: Int(seed % 4) + 1)
      let (whole, parts) = (Memory(floats: count), Memory(floats: count))
      let scratch = withUnsafePointer(to: c) { Memory(bytes: kernels.conv_scratch_bytes($0)) }
      example.with(residual: residual) { c, _, epilogue in
        kernels.conv_forward_packed(
          c, example.x.floats, packed.raw, whole.floats, 0, c.pointee.N, epilogue, scratch.raw)
      }
      // The residual may be where the results go.
      for i in 0..<count { parts.floats[i] = residual.floats[i] }
      example.with(residual: parts) { c, _, epilogue in
        let (rowStep, outputStep) = (kernels.conv_part_rows(c), kernels.conv_part_outputs(c))
        var row = 0
        while row < c.pointee.OH {
          let nextRow = min(row + rowStep * random.integer(1...4), c.pointee.OH)
          var output = 0
          while output < c.pointee.O {
            let nextOutput = min(output + outputStep * random.integer(1...2), c.pointee.O)
            var part = AccConvPart(
              n0: 0, n1: c.pointee.N, row0: row, row1: nextRow, out0: output, out1: nextOutput)
            kernels.conv_forward_part(c, example.x.floats, packed.raw, parts.floats, &part, epilogue, scratch.raw)
            output = nextOutput
          }
          row = nextRow
        }
      }
      #expect(whole.bits(count) == parts.bits(count), "\(c), \(kernels.isa)")
      let worst = (0..<count).map { abs(Double(whole.floats[$0]) - expected[$0]) / sizes[$0] }.max() ?? 0
      #expect(worst < 2e-6, "\(c), \(kernels.isa)")
    }
  }

  @Test("Pooling inside a convolution gives the bits of pooling after it", arguments: seeds)
  func poolingInsideIsPoolingAfterwards(seed: UInt64) {
    expectPoolingInsideIsPoolingAfterwards(ConvolutionExample(seed: seed))
  }

  @Test("So it does where values are equal, zeros have signs and sums overflow or are NaN", arguments: seeds)
  func poolingInsideKnowsEveryNumber(seed: UInt64) {
    let example = ConvolutionExample(seed: seed)
    var random = RandomSource(seed: seed)
    let special = random.pick([[0, -0.0], [.nan], [.infinity, -.infinity], [3e38, -3e38]] as [[Float]])
    for i in 0..<example.inputs {
      example.x.floats[i] = random.chance(0.02) ? random.pick(special) : Float(random.integer(-1...1))
    }
    expectPoolingInsideIsPoolingAfterwards(example)
  }

  private func expectPoolingInsideIsPoolingAfterwards(_ example: ConvolutionExample) {
    let (n, count, rows) = (example.geometry.N, example.pooled, example.pool.OH)
    let cut = example.geometry.H % (rows + 1)
    for kernels in availableKernels {
      let packed = example.packed(kernels, for: accConvForward, parts: 1)
      example.with { c, p, epilogue in
        let scratch = Memory(bytes: max(kernels.conv_scratch_bytes(c), kernels.conv_pool_scratch_bytes(c, p)))
        let y = Memory(floats: example.outputs)
        let (pooled1, pooled2, pooled3) = (Memory(floats: count), Memory(floats: count), Memory(floats: count))
        let (index1, index2) = (Memory(bytes: count), Memory(bytes: count))
        kernels.conv_forward_packed(c, example.x.floats, packed.raw, y.floats, 0, n, epilogue, scratch.raw)
        kernels.maxpool_forward_index(p, y.floats, pooled1.floats, index1.bytes, 0, n)
        for i in 0..<n {
          kernels.conv_forward_pool(
            c, p, example.x.floats, packed.raw, pooled2.floats, index2.bytes, i, i + 1, 0, cut, epilogue, scratch.raw)
          kernels.conv_forward_pool(
            c, p, example.x.floats, packed.raw, pooled2.floats, index2.bytes, i, i + 1, cut, rows, epilogue,
            scratch.raw)
        }
        kernels.conv_forward_pool(
          c, p, example.x.floats, packed.raw, pooled3.floats, nil, 0, n, 0, rows, epilogue, scratch.raw)
        #expect(pooled1.bits(count) == pooled2.bits(count), "\(example.geometry), \(example.pool), \(kernels.isa)")
        #expect(index1.bytes(count) == index2.bytes(count), "\(example.geometry), \(example.pool), \(kernels.isa)")
        #expect(pooled1.bits(count) == pooled3.bits(count), "\(example.geometry), \(example.pool), \(kernels.isa)")
      }
    }
  }

  @Test("The gradient of weights from the winners alone is the one through the gradient of the pooling")
  func winnersAreEnoughForTheGradientOfWeights() {
    var fitting: [UInt32: Int] = [:]
    for seed in 1...1500 as ClosedRange<UInt64> {
      let example = ConvolutionExample(seed: seed)
      let (n, count) = (example.geometry.N, example.weights)
      for kernels in availableKernels {
        example.with { c, p, _ in
          guard kernels.conv_winners_fit(c, p) else { return }
          fitting[kernels.isa.rawValue, default: 0] += 1
          let scratch = Memory(bytes: max(kernels.conv_scratch_bytes(c), kernels.conv_winners_scratch_bytes(c, p)))
          let (y, pooled) = (Memory(floats: example.outputs), Memory(floats: example.pooled))
          let index = Memory(bytes: example.pooled)
          kernels.conv_forward(c, example.x.floats, example.w.floats, y.floats, 0, n, nil, scratch.raw)
          kernels.maxpool_forward_index(p, y.floats, pooled.floats, index.bytes, 0, n)
          // The pooled values serve as their own gradient.
          let large = Memory(floats: example.outputs)
          kernels.maxpool_backward_index(p, index.bytes, pooled.floats, large.floats, 0, n)
          let (expected, whole, parts) = (Memory(floats: count), Memory(floats: count), Memory(floats: count))
          kernels.conv_backward_weights(c, example.x.floats, large.floats, expected.floats, 0, n, false, scratch.raw)
          kernels.conv_winners_backward_weights(
            c, p, example.x.floats, index.bytes, pooled.floats, whole.floats, 0, n, false, scratch.raw)
          for i in 0..<n {
            kernels.conv_winners_backward_weights(
              c, p, example.x.floats, index.bytes, pooled.floats, parts.floats, i, i + 1, i > 0, scratch.raw)
          }
          #expect(whole.bits(count) == parts.bits(count), "seed \(seed), \(kernels.isa)")
          let size =
            (0..<example.pooled).reduce(Float(1)) { max($0, abs(pooled.floats[$1])) }
            * Float(p.pointee.OH * p.pointee.OW * n)
          let worst = (0..<count).reduce(Float(0)) { max($0, abs(whole.floats[$1] - expected.floats[$1])) }
          #expect(worst < 2e-6 * size, "seed \(seed), \(c.pointee), \(p.pointee), \(kernels.isa)")
        }
      }
    }
    for kernels in availableKernels where kernels.vector_lanes >= 8 {
      #expect(fitting[kernels.isa.rawValue, default: 0] > 30, "\(fitting)")
    }
  }
}

@Suite struct MaxPoolingKernelTests {
  @Test(
    "The index of max pooling names the first maximal element, and gradients from it are those from the input",
    arguments: ConvolutionKernelTests.seeds)
  func indexNamesTheFirstMaximum(seed: UInt64) {
    let example = ConvolutionExample(seed: seed)
    let p = example.pool
    let (large, small) = (example.outputs, example.pooled)
    var random = RandomSource(seed: seed)
    // Many equal values, and a few NaN and infinities.
    let x = Memory(
      (0..<large).map { _ in
        random.chance(0.04) ? random.pick([.nan, .infinity, -.infinity]) : Float(random.integer(-3...3))
      })
    let dy = Memory((0..<small).map { _ in Float(random.real(-1...1)) })
    var positions = [UInt8](repeating: 0, count: small)
    var maxima = [Float](repeating: -.infinity, count: small)
    for i in 0..<small {
      let (n, oh, ow, channel) = (i / p.C / p.OW / p.OH, i / p.C / p.OW % p.OH, i / p.C % p.OW, i % p.C)
      var best: Float?
      for position in 0..<p.window_h * p.window_w {
        let h = oh * p.stride_h - p.pad_top + position / p.window_w
        let w = ow * p.stride_w - p.pad_left + position % p.window_w
        guard h >= 0, h < p.H, w >= 0, w < p.W else { continue }
        let value = x.floats[((n * p.H + h) * p.W + w) * p.C + channel]
        maxima[i] = maxima[i].isNaN || value.isNaN ? .nan : max(maxima[i], value)
        // As select-and-scatter chooses: the one selected so far stays when it is as good.
        if let best, best >= value { continue }
        best = value
        positions[i] = UInt8(position)
      }
    }
    for kernels in availableKernels {
      example.with { _, p, _ in
        let (y, plain, index) = (Memory(floats: small), Memory(floats: small), Memory(bytes: small))
        let (dx1, dx2) = (Memory(floats: large), Memory(floats: large))
        let n = example.pool.N
        kernels.maxpool_forward_index(p, x.floats, y.floats, index.bytes, 0, n)
        kernels.maxpool_forward(p, x.floats, plain.floats, 0, n)
        #expect(index.bytes(small) == positions, "\(example.pool), \(kernels.isa)")
        #expect(
          (0..<small).allSatisfy { y.floats[$0] == maxima[$0] || (y.floats[$0].isNaN && maxima[$0].isNaN) },
          "\(example.pool), \(kernels.isa)")
        #expect(y.bits(small) == plain.bits(small), "\(example.pool), \(kernels.isa)")
        kernels.maxpool_backward(p, x.floats, dy.floats, dx1.floats, 0, n)
        kernels.maxpool_backward_index(p, index.bytes, dy.floats, dx2.floats, 0, n)
        #expect(dx1.bits(large) == dx2.bits(large), "\(example.pool), \(kernels.isa)")
      }
    }
  }
}
