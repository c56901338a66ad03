import Testing

@testable import AccelerandoCPU

@Suite struct PagesTests {
  @Test(arguments: [0, 1, 63, 4096, 2 << 20, (2 << 20) + 1, 5 << 20])
  func memoryOfAnySizeIsZeroAlignedAndWritable(_ count: Int) throws {
    let pages = try #require(Pages(count))
    #expect(pages.bytes.count == count)
    #expect(UInt(bitPattern: pages.bytes.baseAddress) % 64 == 0)
    #expect(pages.bytes.allSatisfy { $0 == 0 })
    let ends = Set([0, count / 2, count - 1]).filter { (0..<count).contains($0) }
    for index in ends { pages.bytes[index] = 7 }
    #expect(pages.bytes.reduce(0) { $0 + Int($1) } == 7 * ends.count)
  }

  @Test func memoryThatTheSystemLacksIsRefused() {
    #expect(Pages(1 << 62) == nil)
    #expect(Pages(.max) == nil)
  }
}
