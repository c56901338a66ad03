import AccelerandoFormats
import Testing

/// Numbers of the python package xxhash 4.1.0 (xxh64), over bytes i · 167 + 13 modulo 256, with seeds 0 and 42.
private let goldens: [(count: Int, plain: UInt64, seeded: UInt64)] = [
  (0, 0xef46_db37_51d8_e999, 0x98b1_582b_0977_e704),
  (1, 0x2078_e1ad_38ad_738b, 0xc798_0121_8be1_cbac),
  (3, 0x634d_95fc_01a1_89cd, 0x1faa_1600_fe4c_beee),
  (4, 0xeed3_4090_8a1a_c6c6, 0x3840_d0e0_559b_bca1),
  (7, 0x0da4_9362_1d6d_c898, 0x9036_a3a1_3696_5a8f),
  (8, 0x76f9_16c7_bb52_3126, 0xe7be_d2f8_e689_8607),
  (12, 0xfb52_f89a_1dc4_49d2, 0x8d05_9463_6eb3_fdf3),
  (31, 0x65c5_feb0_1da7_464d, 0xf275_a8fd_515d_bc15),
  (32, 0x7665_c921_c9bf_2ec7, 0x329a_d5a7_adf5_2ec2),
  (33, 0xb5a9_d9ef_259a_e821, 0x6c6b_c85c_7c68_ec54),
  (45, 0x4e42_37a8_72ce_d8e6, 0x621c_c1f6_f2cd_34fc),
  (64, 0xfff2_525c_99bf_2005, 0xdd44_a45b_991b_25c0),
  (100, 0x74e5_02db_362e_fd4c, 0x2ece_9834_1a25_01c4),
  (1000, 0x6264_43c8_029d_0542, 0xd2c0_7220_06b8_e6d3),
]

@Suite struct XXHash64Tests {
  @Test(arguments: goldens) func hashesAreThoseOfTheOriginal(count: Int, plain: UInt64, seeded: UInt64) {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 167 + 13) }
    bytes.withUnsafeBytes { #expect(UInt64.xxHash64($0) == plain) }
    bytes.withUnsafeBytes { #expect(UInt64.xxHash64($0, seed: 42) == seeded) }
    // Wherever the bytes lie.
    ([7] + bytes).withUnsafeBytes {
      #expect(UInt64.xxHash64(UnsafeRawBufferPointer(rebasing: $0.dropFirst())) == plain)
    }
  }
}
