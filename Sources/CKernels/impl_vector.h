// One vector of VL 32-bit lanes: loads, stores, masked tails, selection and the tile transpose that everything builds on.
#define INLINE static inline __attribute__((always_inline, unused))
#define UNROLL _Pragma("clang loop unroll(full)")

typedef float vf __attribute__((vector_size(VL * 4)));
typedef int32_t vi __attribute__((vector_size(VL * 4)));
typedef uint32_t vu __attribute__((vector_size(VL * 4)));
typedef float vf_any __attribute__((vector_size(VL * 4), aligned(4), may_alias));
typedef int32_t vi_any __attribute__((vector_size(VL * 4), aligned(4), may_alias));

INLINE long min_l(long a, long b) { return a < b ? a : b; }
INLINE long max_l(long a, long b) { return a > b ? a : b; }
INLINE long ceil_div(long a, long b) { return (a + b - 1) / b; }

INLINE vf vload(const float *p) { return *(const vf_any *)p; }
INLINE void vstore(float *p, vf v) { *(vf_any *)p = v; }
INLINE vf vset(float x) { return x - (vf){0}; } // x - 0 keeps -0 and NaN; folds to a broadcast
INLINE vi vseti(int32_t x) { return x + (vi){0}; }

INLINE vf vfma(vf a, vf b, vf c) {
#if HAS_FMA
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}
INLINE vf vsel(vi m, vf a, vf b) { return (vf)(((vi)a & m) | ((vi)b & ~m)); }
INLINE vi vseli(vi m, vi a, vi b) { return (a & m) | (b & ~m); }

// The first n lanes (1...VL) of memory; the others load as 0 and are not stored.
#if ACC_AVX512
typedef __mmask16 vmask;
INLINE vmask mask_of(long n) { return n >= 16 ? (__mmask16)0xffff : (__mmask16)((1u << n) - 1); }
INLINE vf vload_m(const float *p, vmask m) { return (vf)_mm512_maskz_loadu_ps(m, p); }
INLINE void vstore_m(float *p, vmask m, vf v) { _mm512_mask_storeu_ps(p, m, (__m512)v); }
#elif ACC_AVX2
typedef vi vmask;
INLINE vmask mask_of(long n) {
  const vi lane = {0, 1, 2, 3, 4, 5, 6, 7};
  return lane < vseti((int32_t)n);
}
INLINE vf vload_m(const float *p, vmask m) { return (vf)_mm256_maskload_ps(p, (__m256i)m); }
INLINE void vstore_m(float *p, vmask m, vf v) { _mm256_maskstore_ps(p, (__m256i)m, (__m256)v); }
#else
typedef long vmask;
INLINE vmask mask_of(long n) { return n < VL ? n : VL; }
INLINE vf vload_m(const float *p, vmask m) {
  if (m == VL) return vload(p);
  vf v = {0};
  v[0] = p[0];
  if (m > 1) v[1] = p[1];
  if (m > 2) v[2] = p[2];
  return v;
}
INLINE void vstore_m(float *p, vmask m, vf v) {
  if (m == VL) { vstore(p, v); return; }
  p[0] = v[0];
  if (m > 1) p[1] = v[1];
  if (m > 2) p[2] = v[2];
}
#endif
INLINE vf vload_n(const float *p, long n) { return n >= VL ? vload(p) : vload_m(p, mask_of(n)); }
INLINE void vstore_n(float *p, long n, vf v) {
  if (n >= VL) vstore(p, v); else vstore_m(p, mask_of(n), v);
}

// a where it is greater, else b: b where the two are equal (zeros of either sign) or one is NaN. One instruction on x86.
INLINE vf vgreater(vf a, vf b) {
#if ACC_AVX512
  return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif ACC_AVX2
  return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#else
  return vsel(a > b, a, b);
#endif
}

// NaN wins over everything.
INLINE vf vmax_nan(vf a, vf b) { return vsel((a > b) | (a != a), a, b); }
INLINE vf vmin_nan(vf a, vf b) { return vsel((a < b) | (a != a), a, b); }

// Folds of the lanes in a fixed tree order: halves onto halves.
#if VL == 16
#define FOLD_STEPS(op) v = op(v, SH(8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15)); \
  v = op(v, SH(4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7)); \
  v = op(v, SH(2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3)); v = op(v, SH(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1));
#elif VL == 8
#define FOLD_STEPS(op) v = op(v, SH(4, 5, 6, 7, 4, 5, 6, 7)); v = op(v, SH(2, 3, 2, 3, 2, 3, 2, 3)); v = op(v, SH(1, 1, 1, 1, 1, 1, 1, 1));
#else
#define FOLD_STEPS(op) v = op(v, SH(2, 3, 2, 3)); v = op(v, SH(1, 1, 1, 1));
#endif
#define SH(...) __builtin_shufflevector(v, v, __VA_ARGS__)
#define ADD(a, b) ((a) + (b))
#define MUL(a, b) ((a) * (b))
INLINE float fold_sum(vf v) { FOLD_STEPS(ADD) return v[0]; }
INLINE float fold_product(vf v) { FOLD_STEPS(MUL) return v[0]; }
INLINE float fold_max(vf v) { FOLD_STEPS(vmax_nan) return v[0]; }
INLINE float fold_min(vf v) { FOLD_STEPS(vmin_nan) return v[0]; }
#undef SH
#undef ADD
#undef MUL
#undef FOLD_STEPS

// r[i][j] becomes r[j][i]: log2(VL) rounds of zipping the first half of the rows with the second.
#if VL == 16
#define ZIP_LO(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIP_HI(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif VL == 8
#define ZIP_LO(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIP_HI(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define ZIP_LO(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define ZIP_HI(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif
INLINE void transpose_tile(vf r[VL]) {
  UNROLL for (int w = 1; w < VL; w *= 2) {
    vf t[VL];
    UNROLL for (int i = 0; i < VL / 2; i++) {
      t[2 * i] = ZIP_LO(r[i], r[i + VL / 2]);
      t[2 * i + 1] = ZIP_HI(r[i], r[i + VL / 2]);
    }
    UNROLL for (int i = 0; i < VL; i++) r[i] = t[i];
  }
}

// r[j][i] = row[i][j], VL rows of VL: quarters of rows are gathered by the loads, so that only transposes of 4 x 4
// within quarters are left to the shuffle unit.
#if VL == 16
#define JOIN(a, b, c, d)                                                                                                           \
  (vf) _mm512_insertf32x4(_mm512_insertf32x4(_mm512_insertf32x4(_mm512_castps128_ps512(_mm_loadu_ps(a)), _mm_loadu_ps(b), 1),      \
                                             _mm_loadu_ps(c), 2), _mm_loadu_ps(d), 3)
#define QUARTERS(i) JOIN(row[i] + c, row[i + 4] + c, row[i + 8] + c, row[i + 12] + c)
#define LO32(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define HI32(a, b) __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define LO64(a, b) __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define HI64(a, b) __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#elif VL == 8
#define QUARTERS(i) (vf) _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(row[i] + c)), _mm_loadu_ps(row[i + 4] + c), 1)
#define LO32(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define HI32(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define LO64(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define HI64(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#else
#define QUARTERS(i) vload(row[i] + c)
#define LO32(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HI32(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define LO64(a, b) __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define HI64(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#endif
INLINE void load_transposed_four(const float *const row[VL], long c, vf r[4]) { // r[j][i] = row[i][c + j]
  const vf a = QUARTERS(0), b = QUARTERS(1), d = QUARTERS(2), e = QUARTERS(3);
  const vf ab0 = LO32(a, b), ab1 = HI32(a, b), de0 = LO32(d, e), de1 = HI32(d, e);
  r[0] = LO64(ab0, de0);
  r[1] = HI64(ab0, de0);
  r[2] = LO64(ab1, de1);
  r[3] = HI64(ab1, de1);
}
INLINE void load_transposed_rows(const float *const row[VL], vf r[VL]) {
  UNROLL for (int c = 0; c < VL; c += 4) load_transposed_four(row, c, r + c);
}
INLINE void load_transposed(const float *p, long stride, vf r[VL]) {
  const float *row[VL];
  UNROLL for (int i = 0; i < VL; i++) row[i] = p + i * stride;
  load_transposed_rows(row, r);
}
