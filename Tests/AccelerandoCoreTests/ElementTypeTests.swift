// Number formats and host arrays: rounding to sixteen bits is checked for every bit pattern and between every two
// neighbours, since a wrong last bit would never be noticed in training.

import AccelerandoCore
import AccelerandoTestSupport
import Testing

@Suite struct ElementTypeTests {
  @Test func halfDecodesAsTheFormatSays() {
    for bits in UInt16.min...UInt16.max {
      let half = Half(bits: bits)
      let (exponent, fraction) = (Int(bits >> 10) & 31, Double(bits & 1023))
      let sign: Double = bits >> 15 == 0 ? 1 : -1
      switch (exponent, fraction) {
      case (31, 0): #expect(half.doubleValue == sign * .infinity)
      case (31, _): #expect(half.doubleValue.isNaN)
      case (0, _): #expect(half.doubleValue == sign * fraction * 0x1p-24)
      default:
        let scale = Double(sign: .plus, exponent: exponent - 15, significand: 1)
        #expect(half.doubleValue == sign * (1 + fraction / 1024) * scale)
      }
    }
  }

  @Test func everySixteenBitPatternComesBack() {
    for bits in UInt16.min...UInt16.max {
      let half = Half(bits: bits).doubleValue
      #expect(half.isNaN ? Half(nearestTo: half).doubleValue.isNaN : Half(nearestTo: half).bits == bits)
      let brain = BFloat16(bits: bits).doubleValue
      #expect(brain.isNaN ? BFloat16(nearestTo: brain).doubleValue.isNaN : BFloat16(nearestTo: brain).bits == bits)
    }
  }

  @Test func roundingGoesToTheNearerNeighbourAndTiesToEven() {
    func check(_ value: (UInt16) -> Double, _ rounded: (Double) -> UInt16, last: UInt16) {
      for bits in 0..<last {
        let (low, high) = (value(bits), value(bits + 1))
        let middle = low + (high - low) / 2
        let even = bits % 2 == 0 ? bits : bits + 1
        #expect(rounded(middle) == even)
        #expect(rounded(middle.nextDown) == bits)
        #expect(rounded(middle.nextUp) == bits + 1)
        #expect(rounded(-middle) == even | 0x8000)
      }
    }
    check({ Half(bits: $0).doubleValue }, { Half(nearestTo: $0).bits }, last: 0x7bff)
    check({ BFloat16(bits: $0).doubleValue }, { BFloat16(nearestTo: $0).bits }, last: 0x7f7f)
  }

  @Test func whatIsTooLargeBecomesInfinity() {
    #expect(Half(nearestTo: 65519.99).doubleValue == 65504)
    #expect(Half(nearestTo: 65520).doubleValue == .infinity)
    #expect(Half(nearestTo: -1e300).doubleValue == -.infinity)
    #expect(BFloat16(nearestTo: Double(Float.greatestFiniteMagnitude)).doubleValue == .infinity)
    #expect(Half(nearestTo: -0.0).bits == 0x8000)
    #expect(Half(nearestTo: 0x1p-25).bits == 0)
    #expect(Half(nearestTo: 0x1.8p-25).bits == 1)
  }

  @Test func integersTruncateSaturateAndTakeNaNForZero() {
    #expect(Int8(nearestTo: 127.9) == 127)
    #expect(Int8(nearestTo: -1000) == -128)
    #expect(UInt8(nearestTo: -0.9) == 0)
    #expect(UInt32(nearestTo: 1e20) == .max)
    #expect(Int64(nearestTo: 0x1p63) == .max)
    #expect(Int64(nearestTo: -0x1p63) == .min)
    #expect(Int32(nearestTo: .nan) == 0)
    #expect(Bool(nearestTo: .nan) && Bool(nearestTo: -0.1) && !Bool(nearestTo: 0))
  }

  @Test func everyTypeConvertsToEveryOtherAsItsElementsDo() {
    for source in DType.allCases {
      var maker = ExampleMaker(seed: 5, dtype: source)
      let array = maker.tensor([50], .moderate)
      for target in DType.allCases {
        let converted = array.converted(to: target)
        #expect(converted.type == TensorType(target, [50]))
        let wide = array.elements(as: Double.self)
        #expect(
          converted.elements(as: Double.self).indices.allSatisfy { index in
            NDArray(repeating: wide[index], type: TensorType(target, [])).elements(as: Double.self)[0]
              == converted.elements(as: Double.self)[index]
          })
      }
    }
  }
}

@Suite struct NDArrayTests {
  @Test func copiesShareNothingThatIsWritten() {
    let original = NDArray([1, 2, 3] as [Float])
    var copy = original
    copy.withUnsafeMutableBytes { $0.storeBytes(of: 9, as: Float.self) }
    #expect(original.elements(as: Float.self) == [1, 2, 3])
    #expect(copy.elements(as: Float.self) == [9, 2, 3])
  }

  @Test func shapesThatDoNotFitAreErrorsThatSayBothSides() {
    let array = NDArray([1, 2, 3] as [Float])
    #expect(message { _ = try NDArray([1, 2, 3] as [Float], shape: [2, 2]) }.contains("[2, 2] needs 4 elements"))
    #expect(message { _ = try array.reshaped([2]) }.contains("[3]"))
    #expect(message { _ = try array.reshaped([-3, -1]) }.contains("[-3, -1]"))
    #expect(message { _ = try array.rows(1..<4) }.contains("1..<4"))
    let bytes = UnsafeRawBufferPointer(start: nil, count: 0)
    #expect(message { _ = try NDArray(bytes: bytes, type: array.type) }.contains("12 bytes; received 0"))
  }

  @Test func rowsAreTakenAlongTheFirstDimension() throws {
    let array = try NDArray([1, 2, 3, 4, 5, 6] as [Int32], shape: [3, 2])
    #expect(try array.rows(1..<3) == NDArray([3, 4, 5, 6] as [Int32], shape: [2, 2]))
    #expect(try array.rows(2..<2).shape == [0, 2])
    #expect(try NDArray(zeros: TensorType(.float32, [4, 0])).rows(1..<3).shape == [2, 0])
  }

  @Test func sizesThatOverflowSaturate() {
    let type = TensorType(.float64, [1 << 40, 1 << 40])
    #expect(type.elementCount == .max && type.byteCount == .max)
    #expect(TensorType(.float32, [1 << 40, 0, 1 << 40]).elementCount == 0)
  }

  @Test func equalityIsOfBits() {
    #expect(NDArray(scalar: Float.nan) == NDArray(scalar: Float.nan))
    #expect(NDArray(scalar: Float(0)) != NDArray(scalar: Float(-0.0)))
    #expect(NDArray([1] as [Float]) != NDArray(scalar: Float(1)))
  }
}

/// What the thrown error says; empty if nothing is thrown.
func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return ""
  } catch {
    return "\(error)"
  }
}
