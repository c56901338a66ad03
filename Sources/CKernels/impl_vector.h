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

// NaN wins over everything.
INLINE vf vmax_nan(vf a, vf b) { return vsel((a > b) | (a != a), a, b); }
INLINE vf vmin_nan(vf a, vf b) { return vsel((a < b) | (a != a), a, b); }

// Folds of the lanes in a fixed tree order.
#define FOLD(name, combine)                                                                                                        \
  INLINE float name(vf v) {                                                                                                        \
    float t[VL];                                                                                                                   \
    vstore(t, v);                                                                                                                  \
    UNROLL for (int w = VL / 2; w >= 1; w /= 2) UNROLL for (int i = 0; i < w; i++) {                                               \
      float a = t[i], b = t[i + w];                                                                                                \
      t[i] = combine;                                                                                                              \
    }                                                                                                                              \
    return t[0];                                                                                                                   \
  }
FOLD(fold_sum, a + b)
FOLD(fold_product, a *b)
FOLD(fold_max, (a > b || a != a) ? a : b)
FOLD(fold_min, (a < b || a != a) ? a : b)
#undef FOLD

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
