// Products of one row or a few: B is read once and never packed.
//
// The forms that sgemm takes (row_times_rows, few_times_columns) keep the summation order of the tiles. `sgemv` has an order
// of its own, several chains for each element: the latency of a single chain is all that a product of one row would wait for.

INLINE vf finish(vf v, const float *bias, long n, bool relu) {
  if (bias) v += vload_n(bias, n);
  return relu ? (vf)((vi)v & ~(v < 0.0f)) : v;
}

static void empty_product(const Product *p) {
  for (long m = 0; m < p->M; m++) for (long n = 0; n < p->N; n += VL) {
    float *c = p->C + m * p->ldc + n;
    const long lanes = p->N - n;
    vstore_n(c, lanes, finish(p->accumulate ? vload_n(c, lanes) : (vf){0}, p->bias ? p->bias + n : NULL, lanes, p->relu));
  }
}

// Up to rowVectors vectors of columns, kept in registers. The rows of B are walked from PARTS places at once, with one
// instruction for each place: a load that steps by no more than a row is one that the processor learns to prefetch. Parts
// take turns, and part i adds to chain i % CHAINS; one part is the order 0, 1, 2, ...
enum { rowVectors = 8, rowParts = 4, rowSums = VL == 16 ? 16 : 8, rowWide = 512 };
INLINE void row_body(const Product *p, long n0, const int NV, const int CHAINS, const int PARTS) {
  vf acc[rowParts][rowVectors];
  const long acs = p->a_cs, brs = p->b_rs, K = p->K, L = K / PARTS, lanes = min_l(VL, p->N - n0 - (NV - 1) * VL);
  const vmask mask = mask_of(lanes);
  const float *a = p->A, *b = p->B + n0;
  float *c = p->C + n0;
#define COLUMNS(p, v) ((v) == NV - 1 ? vload_m((p) + (v) * VL, mask) : vload((p) + (v) * VL))
#define ROW(i, k)                                                                                                                  \
  {                                                                                                                                \
    const vf x = vset(a[(k) * acs]);                                                                                               \
    UNROLL for (int v = 0; v < NV; v++) acc[(i) % CHAINS][v] = vfma(x, COLUMNS(b + (k) * brs, v), acc[(i) % CHAINS][v]);             \
  }
  UNROLL for (int i = 0; i < CHAINS; i++) UNROLL for (int v = 0; v < NV; v++)
      acc[i][v] = i == 0 && p->accumulate ? COLUMNS(c, v) : (vf){0};
  _Pragma("clang loop unroll(disable)") for (long k = 0; k < L; k++) UNROLL for (int i = 0; i < PARTS; i++) ROW(i, k + i * L)
  UNROLL for (int i = 0; i < PARTS - 1; i++) {
    if (PARTS * L + i >= K) break;
    ROW(i, PARTS * L + i)
  }
#undef ROW
#undef COLUMNS
  UNROLL for (int v = 0; v < NV; v++) {
    const vf half = CHAINS > 1 ? acc[0][v] + acc[1][v] : acc[0][v], sum = CHAINS > 2 ? half + (acc[2][v] + acc[3][v]) : half;
    const long n = v == NV - 1 ? lanes : VL;
    vstore_n(c + v * VL, n, finish(sum, p->bias ? p->bias + n0 + v * VL : NULL, n, p->relu));
  }
}
#define STRIPS4(chains, parts)                                                                                                      \
  case 1: row_body(p, n0, 1, chains, parts); break;                                                                                \
  case 2: row_body(p, n0, 2, chains, parts); break;                                                                                \
  case 3: row_body(p, n0, 3, chains, parts); break;                                                                                \
  case 4: row_body(p, n0, 4, chains, parts); break;
#define STRIPS8(chains, parts)                                                                                                      \
  STRIPS4(chains, parts)                                                                                                           \
  case 5: row_body(p, n0, 5, chains, parts); break;                                                                                \
  case 6: row_body(p, n0, 6, chains, parts); break;                                                                                \
  case 7: row_body(p, n0, 7, chains, parts); break;                                                                                \
  case 8: row_body(p, n0, 8, chains, parts); break;
static void row_strip(const Product *p, long n0, long vectors) { // in order
  switch (vectors) { STRIPS8(1, 1) }
}
static void row_strip_1(const Product *p, long n0, long vectors) {
  switch (vectors) { STRIPS8(1, rowParts) }
}
static void row_strip_2(const Product *p, long n0, long vectors) {
  switch (vectors) { STRIPS8(2, rowParts) }
}
static void row_strip_4(const Product *p, long n0, long vectors) {
  switch (vectors) { STRIPS4(4, rowParts) }
}
#undef STRIPS8
#undef STRIPS4
// Memory is read fastest when whole rows of B go by, so the wider its rows, the more columns at a time and the fewer chains
// of each. What counts is the distance of rows, which is the same for every part of B.
static void row_times_narrow(const Product *p) {
  const long vectors = ceil_div(p->b_rs, VL);
  const long chains = vectors <= rowSums / 4 ? 4 : vectors <= rowSums / 2 || rowSums > rowVectors ? 2 : 1;
  const long step = min_l(rowSums / chains, rowVectors);
  for (long n = 0; n < p->N; n += step * VL)
    (chains == 4 ? row_strip_4 : chains == 2 ? row_strip_2 : row_strip_1)(p, n, min_l(step, ceil_div(p->N - n, VL)));
}

// One row times a matrix with contiguous rows, one chain for each element.
static void row_times_rows(const Product *p) {
  const long K = p->K, N = p->N, brs = p->b_rs, acs = p->a_cs;
  if (N <= 2 * rowVectors * VL) { // a narrow B: columns in registers
    for (long n = 0; n < N; n += rowVectors * VL) row_strip(p, n, min_l(rowVectors, ceil_div(N - n, VL)));
    return;
  }
  // A wide B: sums in the L1 cache, B in the order of memory.
  float *C = p->C;
  if (!p->accumulate) memset(C, 0, sizeof(float) * (size_t)N);
  long k = 0;
  for (; k + 4 <= K; k += 4) {
    const float *a = p->A + k * acs, *b = p->B + k * brs;
    const vf a0 = vset(a[0]), a1 = vset(a[acs]), a2 = vset(a[2 * acs]), a3 = vset(a[3 * acs]);
    long n = 0;
    for (; n + VL <= N; n += VL) {
      vf c = vload(C + n);
      c = vfma(a0, vload(b + n), c);
      c = vfma(a1, vload(b + brs + n), c);
      c = vfma(a2, vload(b + 2 * brs + n), c);
      vstore(C + n, vfma(a3, vload(b + 3 * brs + n), c));
    }
    if (n < N) {
      const vmask m = mask_of(N - n);
      vf c = vload_m(C + n, m);
      c = vfma(a0, vload_m(b + n, m), c);
      c = vfma(a1, vload_m(b + brs + n, m), c);
      c = vfma(a2, vload_m(b + 2 * brs + n, m), c);
      vstore_m(C + n, m, vfma(a3, vload_m(b + 3 * brs + n, m), c));
    }
  }
  for (; k < K; k++) {
    const vf a0 = vset(p->A[k * acs]);
    for (long n = 0; n < N; n += VL)
      vstore_n(C + n, N - n, vfma(a0, vload_n(p->B + k * brs + n, N - n), vload_n(C + n, N - n)));
  }
  if (p->bias || p->relu)
    for (long n = 0; n < N; n += VL) vstore_n(C + n, N - n, finish(vload_n(C + n, N - n), p->bias ? p->bias + n : NULL, N - n, p->relu));
}

// A few rows times a matrix whose columns are contiguous: VL columns at a time are turned in registers, four k at once.
enum { fewRows = 4, fewGroups = 2 };
INLINE void few_body(const Product *p, long n0, const int MR, const int G) {
  vf acc[fewRows][fewGroups];
  const float *row[fewGroups][VL]; // the last column stands in for those that do not exist
  const long K = p->K, ars = p->a_rs, acs = p->a_cs, lanes = min_l(VL, p->N - n0 - (G - 1) * VL);
  UNROLL for (int g = 0; g < G; g++) for (int i = 0; i < VL; i++) row[g][i] = p->B + min_l(n0 + g * VL + i, p->N - 1) * p->b_cs;
  float *c = p->C + n0;
  UNROLL for (int m = 0; m < MR; m++) UNROLL for (int g = 0; g < G; g++)
      acc[m][g] = p->accumulate ? vload_n(c + m * p->ldc + g * VL, g == G - 1 ? lanes : VL) : (vf){0};
  long k = 0;
  for (; k + 4 <= K; k += 4) {
    UNROLL for (int g = 0; g < G; g++) {
      vf b[4];
      load_transposed_four(row[g], k, b);
      UNROLL for (int j = 0; j < 4; j++) UNROLL for (int m = 0; m < MR; m++)
          acc[m][g] = vfma(vset(p->A[m * ars + (k + j) * acs]), b[j], acc[m][g]);
    }
  }
  for (; k < K; k++)
    UNROLL for (int g = 0; g < G; g++) {
      float t[VL] __attribute__((aligned(64)));
      UNROLL for (int i = 0; i < VL; i++) t[i] = row[g][i][k];
      UNROLL for (int m = 0; m < MR; m++) acc[m][g] = vfma(vset(p->A[m * ars + k * acs]), vload(t), acc[m][g]);
    }
  UNROLL for (int m = 0; m < MR; m++) UNROLL for (int g = 0; g < G; g++) {
    const long n = g == G - 1 ? lanes : VL;
    vstore_n(c + m * p->ldc + g * VL, n, finish(acc[m][g], p->bias ? p->bias + n0 + g * VL : NULL, n, p->relu));
  }
}
static void few_times_columns(const Product *p) {
  for (long n = 0; n < p->N; n += fewGroups * VL) {
    if (p->N - n <= VL)
      switch (p->M) {
      case 1: few_body(p, n, 1, 1); break;
      case 2: few_body(p, n, 2, 1); break;
      case 3: few_body(p, n, 3, 1); break;
      default: few_body(p, n, 4, 1); break;
      }
    else
      switch (p->M) {
      case 1: few_body(p, n, 1, 2); break;
      case 2: few_body(p, n, 2, 2); break;
      case 3: few_body(p, n, 3, 2); break;
      default: few_body(p, n, 4, 2); break;
      }
  }
}

// ---- sgemv

// Columns that lie along k: element n is the sum of dotChains vector chains, vector i of k in chain i % dotChains. A few
// columns all go by at once.
enum { dotChains = 2, dotColumns = VL == 16 ? 10 : 5 };
INLINE void dot_body(const Product *p, long n0, const int NC, float *out) {
  vf acc[dotColumns][dotChains];
  const long K = p->K, bcs = p->b_cs;
  const float *a = p->A, *b = p->B + n0 * bcs;
  UNROLL for (int n = 0; n < NC; n++) UNROLL for (int i = 0; i < dotChains; i++) acc[n][i] = (vf){0};
  long k = 0;
  for (; k + dotChains * VL <= K; k += dotChains * VL)
    UNROLL for (int i = 0; i < dotChains; i++) {
      const vf x = vload(a + k + i * VL);
      UNROLL for (int n = 0; n < NC; n++) acc[n][i] = vfma(x, vload(b + n * bcs + k + i * VL), acc[n][i]);
    }
  UNROLL for (int i = 0; i < dotChains; i++) {
    const long lanes = K - k - i * VL;
    if (lanes <= 0) break;
    const vf x = vload_n(a + k + i * VL, lanes);
    UNROLL for (int n = 0; n < NC; n++) acc[n][i] = vfma(x, vload_n(b + n * bcs + k + i * VL, lanes), acc[n][i]);
  }
  UNROLL for (int n = 0; n < NC; n++) out[n] = fold_sum(acc[n][0] + acc[n][1]);
}
static void dot_columns(const Product *p, long n0, long columns, float *out) {
  switch (columns) {
  case 1: dot_body(p, n0, 1, out); break;
  case 2: dot_body(p, n0, 2, out); break;
  case 3: dot_body(p, n0, 3, out); break;
  case 4: dot_body(p, n0, 4, out); break;
  case 5: dot_body(p, n0, 5, out); break;
#if VL == 16
  case 6: dot_body(p, n0, 6, out); break;
  case 7: dot_body(p, n0, 7, out); break;
  case 8: dot_body(p, n0, 8, out); break;
  case 9: dot_body(p, n0, 9, out); break;
  case 10: dot_body(p, n0, 10, out); break;
#endif
  }
}
static void row_times_columns(const Product *p) {
  const long most = p->N <= dotColumns ? dotColumns : 4;
  for (long n0 = 0; n0 < p->N; n0 += VL) {
    const long lanes = min_l(VL, p->N - n0), groups = ceil_div(lanes, most);
    float sums[VL] = {0};
    for (long g = 0; g < groups; g++) {
      const long n = lanes * g / groups;
      dot_columns(p, n0 + n, lanes * (g + 1) / groups - n, sums + n);
    }
    vstore_n(p->C + n0, lanes, finish(vload(sums), p->bias ? p->bias + n0 : NULL, lanes, p->relu));
  }
}
