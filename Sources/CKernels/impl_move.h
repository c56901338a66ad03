// Moving data without arithmetic: transposes by register tiles, sums of rows by index.

static void transpose2d_32(const void *src, long src_ld, void *dst, long dst_ld, long rows, long cols) {
  const float *s = src;
  float *d = dst;
  enum { block = 64 }; // blocks of 64 x 64 keep both sides in the L1 cache
  for (long r0 = 0; r0 < rows; r0 += block) for (long c0 = 0; c0 < cols; c0 += block) {
    const long r1 = min_l(rows, r0 + block), c1 = min_l(cols, c0 + block);
    for (long r = r0; r < r1; r += VL) for (long c = c0; c < c1; c += VL) {
      const long nr = min_l(VL, r1 - r), nc = min_l(VL, c1 - c);
      vf t[VL];
      if (nr == VL && nc == VL) {
        load_transposed(s + r * src_ld + c, src_ld, t);
        UNROLL for (int i = 0; i < VL; i++) vstore(d + (c + i) * dst_ld + r, t[i]);
      } else {
        const int32_t *si = src;
        int32_t *di = dst;
        for (long i = 0; i < nr; i++) for (long j = 0; j < nc; j++) di[(c + j) * dst_ld + r + i] = si[(r + i) * src_ld + c + j];
      }
    }
  }
}

#define ROW_KERNELS(suffix, Index)                                                                                                 \
  static void scatter_add_rows_##suffix(float *dst, long dst_rows, long cols, const Index *indices, long count, const float *src,  \
                                        long c0, long c1) {                                                                        \
    for (long i = 0; i < count; i++) {                                                                                             \
      const long r = (long)indices[i];                                                                                             \
      if (r < 0 || r >= dst_rows) continue;                                                                                        \
      for (long c = c0; c < c1; c += VL)                                                                                           \
        vstore_n(dst + r * cols + c, c1 - c, vload_n(dst + r * cols + c, c1 - c) + vload_n(src + i * cols + c, c1 - c));           \
    }                                                                                                                              \
  }
ROW_KERNELS(i32, int32_t)
ROW_KERNELS(i64, int64_t)
#undef ROW_KERNELS
