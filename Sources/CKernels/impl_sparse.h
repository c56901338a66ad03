// Products with a matrix of many zeros, which keeps still: its numbers that are not zero are packed once, with their places, and
// only they are multiplied. A zero of the matrix counts for nothing, whatever it would have been multiplied with.
//
// Columns: for a few rows. Lanes are VL columns of the matrix. A step takes one number of each column, out of a window of
// the rows that VL columns are in at the time; the row's elements are picked from registers by the numbers' places. A
// column that has nothing in the window waits, so the window moves as fast as the slowest column allows. Those that share
// steps are of about the same length; lanes that would be idle take every second number of the longest.
//
// Rows: for many rows, turned so that lanes are rows: each number is multiplied with a vector of elements. A block of rows of
// the matrix at a time, so that what they are multiplied with stays in the first-level cache. In a panel the columns go in
// the order of their counts: a processor that has seen one loop of 17 turns foresees the next one's end.

#if VL == 16
enum { sparseWindow = 32, sparseAlign = 16 };
#elif VL == 8
enum { sparseWindow = 16, sparseAlign = 8 };
#else
enum { sparseWindow = 128, sparseAlign = 1 };
#endif
enum { sparseBlock = 256, sparsePanel = 64, sparseChains = 2, sparseFewRows = 4 };

static long sparse_panels(long N) { return ceil_div(max_l(N, 0), sparsePanel); }
static long round_64(long n) { return (n + 63) / 64 * 64; }

// Where things lie in the packed memory, from its beginning.
typedef struct SparseLayout {
  long starts, places, values, bases, order, bytes, most; // most: steps, or numbers
} SparseLayout;

INLINE SparseLayout sparse_layout(int form, long K, long N) {
  SparseLayout l = {.starts = round_64(sizeof(AccSparse))};
  const long panels = sparse_panels(N);
  if (form == accSparseColumns) {
    const long groups = panels * (sparsePanel / VL);
    l.most = ceil_div(3 * K * ceil_div(N, VL), 4) + groups * sparseChains;
    l.order = l.starts + round_64(8 * (groups + 1));
    l.bases = l.order + round_64(panels * sparsePanel);
    l.places = l.bases + round_64(4 * l.most);
    l.values = l.places + round_64(VL * l.most);
    l.bytes = l.values + 4 * VL * l.most;
  } else {
    const long lists = panels * sparsePanel * ceil_div(K, sparseBlock);
    l.most = ceil_div(5 * K * N, 8) + lists * sparseChains;
    l.order = l.starts + round_64(8 * (lists + 1));
    l.places = l.order + round_64(lists);
    l.values = l.places + round_64(2 * l.most);
    l.bytes = l.values + 4 * l.most;
  }
  return l;
}

static long sparse_bytes(long K, long N) {
  if (K <= 0 || N <= 0) return round_64(sizeof(AccSparse));
  return max_l(sparse_layout(accSparseColumns, K, N).bytes, sparse_layout(accSparseRows, K, N).bytes);
}

// ---- packing

// Columns n0... of the matrix next to each other, width of them, those that do not exist as zeros.
static void sparse_fetch(long K, long N, const float *B, long b_rs, long b_cs, long n0, long width, float *out) {
  const long columns = min_l(width, N - n0);
  for (long k = 0; k < K; k++)
    for (long n = 0; n < width; n++) out[k * width + n] = n < columns ? B[k * b_rs + (n0 + n) * b_cs] : 0.0f;
}

// How many numbers the columns of a panel have.
static void sparse_counts(long rows, const float *panel, int32_t counts[sparsePanel]) {
  for (int n = 0; n < sparsePanel; n++) counts[n] = 0;
  for (long k = 0; k < rows; k++) for (int n = 0; n < sparsePanel; n++) counts[n] += panel[k * sparsePanel + n] != 0;
}

// Numbers `first`, first + step, first + 2 step, ... of a column; and where in it the next of them stands.
typedef struct SparseLane {
  int32_t count, first, step;
  uint8_t column;
  long next;
} SparseLane;

INLINE void sparse_advance(SparseLane *lane, long K, const float *panel, long numbers) {
  for (; lane->next < K; lane->next++)
    if (panel[lane->next * sparsePanel + lane->column] != 0 && numbers-- == 0) return;
}

// Gives the columns of a panel to lanes: each to one, and the longest ones' halves to lanes that are left. Longest first.
static long sparse_lanes(long columns, const int32_t counts[sparsePanel], SparseLane lanes[sparsePanel]) {
  const long all = ceil_div(columns, VL) * VL;
  for (long n = 0; n < all; n++) {
    SparseLane lane = {.count = n < columns ? counts[n] : 0, .step = 1, .column = (uint8_t)n};
    if (n >= columns) { // half of the longest
      SparseLane longest = lanes[0];
      lane = (SparseLane){longest.count / 2, longest.first + longest.step, 2 * longest.step, longest.column, 0};
      longest.count -= lane.count;
      longest.step *= 2;
      long i = 0;
      for (; i + 1 < n && lanes[i + 1].count > longest.count; i++) lanes[i] = lanes[i + 1];
      lanes[i] = longest;
    }
    long i = n;
    for (; i > 0 && lanes[i - 1].count < lane.count; i--) lanes[i] = lanes[i - 1];
    lanes[i] = lane;
  }
  return all;
}

static bool sparse_pack_columns(AccSparse *s, const float *B, long b_rs, long b_cs, float *scratch) {
  const long K = s->K, N = s->N, groups = sparse_panels(N) * (sparsePanel / VL);
  const SparseLayout l = sparse_layout(accSparseColumns, K, N);
  char *base = (char *)s;
  int64_t *starts = (int64_t *)(base + l.starts);
  uint8_t *order = (uint8_t *)(base + l.order);
  int32_t *bases = (int32_t *)(base + l.bases);
  uint8_t *places = (uint8_t *)(base + l.places);
  float *values = (float *)(base + l.values);
  SparseLane lanes[sparsePanel];
  long step = 0, lanesOfPanel = 0;
  for (long g = 0; g < groups; g++) {
    const long slot = g % (sparsePanel / VL) * VL; // in the panel
    starts[g] = step;
    if (slot == 0) {
      int32_t counts[sparsePanel];
      sparse_fetch(K, N, B, b_rs, b_cs, g * VL, sparsePanel, scratch);
      sparse_counts(K, scratch, counts);
      lanesOfPanel = sparse_lanes(min_l(sparsePanel, N - g * VL), counts, lanes);
    }
    if (slot >= lanesOfPanel) continue;
    SparseLane *lane = lanes + slot;
    for (int i = 0; i < VL; i++) {
      order[g * VL + i] = lane[i].column;
      lane[i].next = 0;
      sparse_advance(&lane[i], K, scratch, lane[i].first);
    }
    while (true) {
      long first = K;
      for (int i = 0; i < VL; i++) first = min_l(first, lane[i].next);
      // An even number of steps, one for each chain.
      if (first == K && (step - starts[g]) % sparseChains == 0) break;
      if (step == l.most) return false;
      const long from = max_l(0, min_l(first / sparseAlign * sparseAlign, K - sparseWindow));
      bases[step] = (int32_t)from;
      for (int i = 0; i < VL; i++) {
        const long k = lane[i].next;
        const bool isIn = k < K && k < from + sparseWindow;
        places[step * VL + i] = isIn ? (uint8_t)(k - from) : 0;
        values[step * VL + i] = isIn ? scratch[k * sparsePanel + lane[i].column] : 0.0f;
        s->nonzeros += isIn;
        if (!isIn) continue;
        lane[i].next++;
        sparse_advance(&lane[i], K, scratch, lane[i].step - 1);
      }
      step++;
    }
  }
  starts[groups] = step;
  s->steps = step;
  s->bytes = step * (5 * VL + 4);
  return true;
}

static bool sparse_pack_rows(AccSparse *s, const float *B, long b_rs, long b_cs, float *scratch) {
  const long K = s->K, N = s->N, panels = sparse_panels(N);
  const SparseLayout l = sparse_layout(accSparseRows, K, N);
  char *base = (char *)s;
  int64_t *starts = (int64_t *)(base + l.starts);
  uint8_t *order = (uint8_t *)(base + l.order);
  uint16_t *places = (uint16_t *)(base + l.places);
  float *values = (float *)(base + l.values);
  long number = 0, list = 0;
  for (long k0 = 0; k0 < K; k0 += sparseBlock) {
    const long rows = min_l(sparseBlock, K - k0);
    for (long p = 0; p < panels; p++) {
      sparse_fetch(rows, N, B + k0 * b_rs, b_rs, b_cs, p * sparsePanel, sparsePanel, scratch);
      int32_t counts[sparsePanel];
      uint8_t sorted[sparsePanel];
      sparse_counts(rows, scratch, counts);
      for (int n = 0; n < sparsePanel; n++) {
        int i = n;
        for (; i > 0 && counts[sorted[i - 1]] < counts[n]; i--) sorted[i] = sorted[i - 1];
        sorted[i] = (uint8_t)n;
      }
      for (int i = 0; i < sparsePanel; i++, list++) {
        const int n = sorted[i];
        starts[list] = number;
        order[list] = (uint8_t)n;
        if (number + counts[n] + sparseChains > l.most) return false;
        for (long k = 0; k < rows; k++) {
          if (scratch[k * sparsePanel + n] == 0) continue;
          places[number] = (uint16_t)k;
          values[number++] = scratch[k * sparsePanel + n];
        }
        s->nonzeros += counts[n];
        for (; (number - starts[list]) % sparseChains; number++) { // times a row of zeros
          places[number] = sparseBlock;
          values[number] = 0.0f;
        }
      }
    }
  }
  starts[list] = number;
  s->steps = number;
  s->bytes = number * 6 + list * 9;
  return true;
}

static long sparse_nonzeros(long K, long N, const float *B, long b_rs, long b_cs) {
  long count = 0;
  const bool byRows = b_cs <= b_rs;
  for (long i = 0; i < (byRows ? K : N); i++) {
    const float *p = B + i * (byRows ? b_rs : b_cs);
    const long step = byRows ? b_cs : b_rs, length = byRows ? N : K;
    int32_t here = 0;
    if (step == 1) for (long j = 0; j < length; j++) here += p[j] != 0;
    else for (long j = 0; j < length; j++) here += p[j * step] != 0;
    count += here;
  }
  return count;
}

static long sparse_pack_scratch_bytes(long K, long N) {
  return K <= 0 || N <= 0 ? 0 : 4 * K * sparsePanel + 64;
}

static bool sparse_pack(int form, long K, long N, const float *B, long b_rs, long b_cs, void *packed, void *scratch) {
  AccSparse *s = packed;
  *s = (AccSparse){.K = K, .N = N};
  if (form == accSparseNone || K < sparseWindow || N <= 0) return false;
  if (!(form == accSparseColumns ? sparse_pack_columns : sparse_pack_rows)(s, B, b_rs, b_cs, scratch)) return false;
  s->form = form;
  return true;
}

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
