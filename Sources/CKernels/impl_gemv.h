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

// Up to rowVectors vectors of columns, kept in registers; k goes to chain k % CHAINS.
enum { rowVectors = 8, rowChains = 4, rowNarrow = VL == 16 ? 4 : 2, rowWide = 512 };
INLINE void row_body(const Product *p, long n0, const int NV, const int CHAINS) {
  vf acc[rowChains][rowVectors];
  const long acs = p->a_cs, brs = p->b_rs, K = p->K, lanes = min_l(VL, p->N - n0 - (NV - 1) * VL);
  const vmask mask = mask_of(lanes);
  const float *a = p->A, *b = p->B + n0;
  float *c = p->C + n0;
#define COLUMNS(p, v) ((v) == NV - 1 ? vload_m((p) + (v) * VL, mask) : vload((p) + (v) * VL))
  UNROLL for (int i = 0; i < CHAINS; i++) UNROLL for (int v = 0; v < NV; v++)
      acc[i][v] = i == 0 && p->accumulate ? COLUMNS(c, v) : (vf){0};
  long k = 0;
  for (; k + rowChains <= K; k += rowChains) {
    UNROLL for (int i = 0; i < rowChains; i++) {
      const vf x = vset(a[i * acs]);
      UNROLL for (int v = 0; v < NV; v++) acc[i % CHAINS][v] = vfma(x, COLUMNS(b + i * brs, v), acc[i % CHAINS][v]);
    }
    a += rowChains * acs;
    b += rowChains * brs;
  }
  UNROLL for (int i = 0; i < rowChains - 1; i++) {
    if (k + i >= K) break;
    const vf x = vset(a[i * acs]);
    UNROLL for (int v = 0; v < NV; v++) acc[i % CHAINS][v] = vfma(x, COLUMNS(b + i * brs, v), acc[i % CHAINS][v]);
  }
#undef COLUMNS
  UNROLL for (int v = 0; v < NV; v++) {
    const vf sum = CHAINS == 1 ? acc[0][v] : (acc[0][v] + acc[1 % CHAINS][v]) + (acc[2 % CHAINS][v] + acc[3 % CHAINS][v]);
    const long n = v == NV - 1 ? lanes : VL;
    vstore_n(c + v * VL, n, finish(sum, p->bias ? p->bias + n0 + v * VL : NULL, n, p->relu));
  }
}
static void row_strip(const Product *p, long n0, long vectors) { // one chain
  switch (vectors) {
  case 1: row_body(p, n0, 1, 1); break;
  case 2: row_body(p, n0, 2, 1); break;
  case 3: row_body(p, n0, 3, 1); break;
  case 4: row_body(p, n0, 4, 1); break;
  case 5: row_body(p, n0, 5, 1); break;
  case 6: row_body(p, n0, 6, 1); break;
  case 7: row_body(p, n0, 7, 1); break;
  default: row_body(p, n0, 8, 1); break;
  }
}
static void row_strip_chains(const Product *p, long n0, long vectors) {
  switch (vectors) {
  case 1: row_body(p, n0, 1, rowChains); break;
  case 2: row_body(p, n0, 2, rowChains); break;
  case 3: row_body(p, n0, 3, rowChains); break;
  default: row_body(p, n0, 4, rowChains); break;
  }
}

// One row times a matrix with contiguous rows, one chain for each element.
static void row_times_rows(const Product *p) {
  const long K = p->K, N = p->N, brs = p->b_rs, acs = p->a_cs;
  if (N <= 2 * rowVectors * VL) { // a narrow B: columns in registers
    for (long n = 0; n < N; n += rowVectors * VL) row_strip(p, n, min_l(rowVectors, ceil_div(N - n, VL)));
    return;
  }
  // A wide B: sums in the first-level cache, B in the order of memory.
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

// Columns that lie along k: element n is the sum of dotChains vector chains, vector i of k in chain i % dotChains.
enum { dotChains = 4, dotColumns = 4 };
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
  UNROLL for (int n = 0; n < NC; n++) out[n] = fold_sum((acc[n][0] + acc[n][1]) + (acc[n][2] + acc[n][3]));
}
static void row_times_columns(const Product *p) {
  for (long n0 = 0; n0 < p->N; n0 += VL) {
    const long lanes = min_l(VL, p->N - n0);
    float sums[VL] = {0};
    long n = 0;
    for (; n + dotColumns <= lanes; n += dotColumns) dot_body(p, n0 + n, dotColumns, sums + n);
    for (; n < lanes; n++) dot_body(p, n0 + n, 1, sums + n);
    vstore_n(p->C + n0, lanes, finish(vload(sums), p->bias ? p->bias + n0 : NULL, lanes, p->relu));
  }
}
