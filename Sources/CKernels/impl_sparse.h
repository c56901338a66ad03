// Products with a matrix of many zeros, which keeps still: its numbers that are not zero are packed once, with their places, and
// only they are multiplied. A zero of the matrix counts for nothing, whatever it would have been multiplied with.
//
// Columns: for a few rows. Lanes are VL columns of the matrix. A step takes one number of each column, out of a window of
// the rows that VL columns are in at the time; the row's elements are picked from registers by the numbers' places. A
// column that has nothing in the window waits, so the window moves as fast as the slowest column allows. Those that share
// steps are of about the same length; lanes that would be idle take every second number of the longest.
//
// Rows: for many rows, turned so that lanes are rows: each number is multiplied with a vector of elements. A block of rows of
// the matrix at a time, so that what they are multiplied with stays in the L1 cache. In a panel the columns go in
// the order of their counts: a processor that has seen one loop of 17 turns foresees the next one's end.
#include "impl_sparse_pack.h"

// ---- columns

// Element i of the result is p[places[i]] where value i is not zero, and zero elsewhere.
#if ACC_AVX512
typedef struct Picker { __m512i places; __mmask16 keep; } Picker;
INLINE Picker picker(const uint8_t *places, vf values) {
  return (Picker){_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)places)),
                  _mm512_test_epi32_mask((__m512i)values, (__m512i)values)};
}
INLINE vf pick(const float *p, Picker q) {
  return (vf)_mm512_maskz_permutex2var_ps(q.keep, (__m512)vload(p), q.places, (__m512)vload(p + VL));
}
#elif ACC_AVX2
typedef struct Picker { vi places, keep; } Picker;
INLINE Picker picker(const uint8_t *places, vf values) {
  return (Picker){(vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)places)), values != 0.0f};
}
INLINE vf pick(const float *p, Picker q) {
  const __m256 low = _mm256_permutevar8x32_ps((__m256)vload(p), (__m256i)q.places);
  const __m256 high = _mm256_permutevar8x32_ps((__m256)vload(p + VL), (__m256i)q.places);
  const __m256 both = _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32((__m256i)q.places, 28)));
  return (vf)((vi)both & q.keep);
}
#else
typedef struct Picker { const uint8_t *places; vi keep; } Picker;
INLINE Picker picker(const uint8_t *places, vf values) { return (Picker){places, values != 0.0f}; }
INLINE vf pick(const float *p, Picker q) {
  const vf all = {p[q.places[0]], p[q.places[1]], p[q.places[2]], p[q.places[3]]};
  return (vf)((vi)all & q.keep);
}
#endif

INLINE void sparse_columns_body(const AccSparse *s, const float *A, long a_rs, long panel0, long panel1, float *C, long ldc,
                                const AccEpilogue *ep, const int MR) {
  enum { groups = sparsePanel / VL };
  const SparseLayout l = sparse_layout(accSparseColumns, s->K, s->N);
  const char *base = (const char *)s;
  const int64_t *starts = (const int64_t *)(base + l.starts);
  const uint8_t *order = (const uint8_t *)(base + l.order);
  const int32_t *bases = (const int32_t *)(base + l.bases);
  const uint8_t *places = (const uint8_t *)(base + l.places);
  const float *values = (const float *)(base + l.values);
  const float *bias = ep ? ep->bias : NULL;
  const bool relu = ep && ep->activation == accActivationRelu;
  for (long p = panel0; p < panel1; p++) {
    float sums[sparseFewRows][sparsePanel] __attribute__((aligned(64)));
    UNROLL for (int m = 0; m < MR; m++) memset(sums[m], 0, sizeof sums[m]);
    for (long g = p * groups; g < (p + 1) * groups; g++) {
      if (starts[g] == starts[g + 1]) continue;
      vf acc[sparseFewRows][sparseChains];
      UNROLL for (int m = 0; m < MR; m++) UNROLL for (int i = 0; i < sparseChains; i++) acc[m][i] = (vf){0};
      const long end = starts[g + 1];
      _Pragma("clang loop unroll(disable)") for (long step = starts[g]; step < end; step += sparseChains)
        UNROLL for (int i = 0; i < sparseChains; i++) {
          const vf value = vload(values + (step + i) * VL);
          const Picker q = picker(places + (step + i) * VL, value);
          const float *x = A + bases[step + i];
          UNROLL for (int m = 0; m < MR; m++) acc[m][i] = vfma(value, pick(x + m * a_rs, q), acc[m][i]);
        }
      UNROLL for (int m = 0; m < MR; m++) {
        float lane[VL] __attribute__((aligned(64)));
        vstore(lane, acc[m][0] + acc[m][1]);
        UNROLL for (int i = 0; i < VL; i++) sums[m][order[g * VL + i]] += lane[i];
      }
    }
    for (long n = 0; n < sparsePanel && p * sparsePanel + n < s->N; n += VL) {
      const long at = p * sparsePanel + n, lanes = min_l(VL, s->N - at);
      UNROLL for (int m = 0; m < MR; m++)
        vstore_n(C + m * ldc + at, lanes, finish(vload(sums[m] + n), bias ? bias + at : NULL, lanes, relu));
    }
  }
}
#define SPARSE_COLUMNS(mr)                                                                                                         \
  static void sparse_columns_##mr(const AccSparse *s, const float *A, long a_rs, long p0, long p1, float *C, long ldc,             \
                                  const AccEpilogue *ep) {                                                                         \
    sparse_columns_body(s, A, a_rs, p0, p1, C, ldc, ep, mr);                                                                       \
  }
SPARSE_COLUMNS(1) SPARSE_COLUMNS(2) SPARSE_COLUMNS(3) SPARSE_COLUMNS(4)
#undef SPARSE_COLUMNS

static void sparse_columns(const AccSparse *s, long M, const float *A, long a_rs, long panel0, long panel1, float *C, long ldc,
                           const AccEpilogue *ep) {
  static void (*const bodies[])(const AccSparse *, const float *, long, long, long, float *, long, const AccEpilogue *) = {
      sparse_columns_1, sparse_columns_2, sparse_columns_3, sparse_columns_4};
  const long parts = ceil_div(M, sparseFewRows);
  for (long i = 0; i < parts; i++) {
    const long m = M * i / parts, rows = M * (i + 1) / parts - m;
    bodies[rows - 1](s, A + m * a_rs, a_rs, panel0, panel1, C + m * ldc, ldc, ep);
  }
}

// ---- rows

INLINE void sparse_rows_body(const float *turned, const uint16_t *places, const float *values, long count, float *sums, bool first,
                             const int NV) {
  vf acc[sparseChains][2];
  UNROLL for (int i = 0; i < sparseChains; i++) UNROLL for (int v = 0; v < NV; v++) acc[i][v] = (vf){0};
  _Pragma("clang loop unroll(disable)") for (long j = 0; j < count; j += sparseChains) UNROLL for (int i = 0; i < sparseChains; i++) {
    const float *x = turned + (long)places[j + i] * NR;
    const vf w = vset(values[j + i]);
    UNROLL for (int v = 0; v < NV; v++) acc[i][v] = vfma(w, vload(x + v * VL), acc[i][v]);
  }
  UNROLL for (int v = 0; v < NV; v++) {
    const vf sum = acc[0][v] + acc[1][v];
    vstore(sums + v * VL, first ? sum : vload(sums + v * VL) + sum);
  }
}

static long sparse_scratch_bytes(long M, long N, long K) {
  return M <= 0 || N <= 0 || K <= 0 ? 0 : 4 * NR * (sparseBlock + 1 + sparse_panels(N) * sparsePanel) + 64;
}

static void sparse_rows(const AccSparse *s, long M, const float *A, long a_rs, long panel0, long panel1, float *C, long ldc,
                        const AccEpilogue *ep, float *scratch) {
  const long K = s->K, N = s->N, panels = sparse_panels(N);
  const SparseLayout l = sparse_layout(accSparseRows, K, N);
  const char *base = (const char *)s;
  const int64_t *starts = (const int64_t *)(base + l.starts);
  const uint8_t *order = (const uint8_t *)(base + l.order);
  const uint16_t *places = (const uint16_t *)(base + l.places);
  const float *values = (const float *)(base + l.values);
  const long n0 = panel0 * sparsePanel, n1 = min_l(N, panel1 * sparsePanel);
  float *sums = scratch, *turned = scratch + (panel1 - panel0) * sparsePanel * NR;
  for (long m0 = 0; m0 < M; m0 += NR) {
    const long rows = min_l(NR, M - m0);
    for (long k0 = 0; k0 < K; k0 += sparseBlock) {
      pack_b(min_l(sparseBlock, K - k0), rows, A + m0 * a_rs + k0, 1, a_rs, turned);
      UNROLL for (int v = 0; v < 2; v++) vstore(turned + sparseBlock * NR + v * VL, (vf){0});
      for (long p = panel0; p < panel1; p++) {
        const long list = (k0 / sparseBlock * panels + p) * sparsePanel;
        for (long i = list; i < list + sparsePanel; i++) {
          const long n = (p - panel0) * sparsePanel + order[i], from = starts[i], count = starts[i + 1] - from;
          if (rows > VL) sparse_rows_body(turned, places + from, values + from, count, sums + n * NR, k0 == 0, 2);
          else sparse_rows_body(turned, places + from, values + from, count, sums + n * NR, k0 == 0, 1);
        }
      }
    }
    turn_out(rows, n1 - n0, sums, NR, C + m0 * ldc + n0, ldc, ep && ep->bias ? ep->bias + n0 : NULL,
             ep && ep->activation == accActivationRelu);
  }
}

static void sparse_product(long M, const float *A, long a_rs, const void *packed, long panel0, long panel1, float *C, long ldc,
                           const AccEpilogue *ep, void *scratch) {
  const AccSparse *s = packed;
  if (M <= 0 || panel0 >= panel1) return;
  if (s->form == accSparseColumns) sparse_columns(s, M, A, a_rs, panel0, panel1, C, ldc, ep);
  else if (s->form == accSparseRows) sparse_rows(s, M, A, a_rs, panel0, panel1, C, ldc, ep, scratch);
}
