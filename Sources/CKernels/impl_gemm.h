// The matrix product, and the register tile that the convolutions share with it.
//
// Every output element is one chain acc = a[k]*b[k] + acc over ascending k, whatever tile it falls in and however the
// loops are blocked (a later block of k goes on from the stored value), so results do not depend on how rows and columns
// are divided among callers.

enum { NR = 2 * VL };

// One register tile: up to MR_MAX rows by one or two vectors.
typedef struct Tile {
  long K;
  const float *a;      // columns: a[k*as + m]   rows: a[m*as + k]   table: a[off[k] + m]
  long as;
  const int32_t *off;
  const float *b;      // b[k*ldb + n]
  long ldb;
  float *c;            // c[m*ldc + n]
  long ldc;
  long lanes;          // lanes of the last vector, 1...VL
  bool load_c;         // go on from what c holds
  const float *bias;   // for n, or NULL
  bool relu;
} Tile;

enum { formColumns, formRows, formTable, formCount };

INLINE void tile_body(const Tile *t, const int MR, const int NV, const int FORM, const int MASKED) {
  vf acc[MR_MAX][2];
  const vmask mask = mask_of(t->lanes);
  const long K = t->K, as = t->as, ldb = t->ldb;
#define LAST(n) (MASKED && (n) == NV - 1)
  if (t->load_c) {
    UNROLL for (int m = 0; m < MR; m++) UNROLL for (int n = 0; n < NV; n++) {
      const float *p = t->c + m * t->ldc + n * VL;
      acc[m][n] = LAST(n) ? vload_m(p, mask) : vload(p);
    }
  } else {
    UNROLL for (int m = 0; m < MR; m++) UNROLL for (int n = 0; n < NV; n++) acc[m][n] = (vf){0};
  }
  const float *a = t->a, *b = t->b;
  const int32_t *off = t->off;
#define STEP(A)                                                                                                                    \
  {                                                                                                                                \
    vf bv[2];                                                                                                                      \
    UNROLL for (int n = 0; n < NV; n++) bv[n] = LAST(n) ? vload_m(b + n * VL, mask) : vload(b + n * VL);                           \
    UNROLL for (int m = 0; m < MR; m++) {                                                                                          \
      const vf av = vset(A);                                                                                                       \
      UNROLL for (int n = 0; n < NV; n++) acc[m][n] = vfma(av, bv[n], acc[m][n]);                                                  \
    }                                                                                                                              \
    b += ldb;                                                                                                                      \
  }
  if (FORM == formColumns) {
    _Pragma("clang loop unroll_count(4)") for (long k = 0; k < K; k++) {
      __builtin_prefetch(b + 8 * ldb);
      STEP(a[m]) a += as;
    }
  } else if (FORM == formRows) {
    // Rows in threes, so that one register and scaled addressing reach them; unrolling over k would make them spill.
    const float *p[(MR_MAX + 2) / 3];
    UNROLL for (int q = 0; q < (MR + 2) / 3; q++) p[q] = a + 3 * q * as;
    _Pragma("clang loop unroll(disable)") for (long k = 0; k < K; k++) {
      __builtin_prefetch(b + 8 * ldb);
      STEP(p[m / 3][(m % 3) * as + k])
    }
  } else {
    _Pragma("clang loop unroll_count(2)") for (long k = 0; k < K; k++) {
      const float *q = a + off[k];
      STEP(q[m])
    }
  }
#undef STEP
  if (t->bias) {
    UNROLL for (int n = 0; n < NV; n++) {
      const vf bias = LAST(n) ? vload_m(t->bias + n * VL, mask) : vload(t->bias + n * VL);
      UNROLL for (int m = 0; m < MR; m++) acc[m][n] += bias;
    }
  }
  if (t->relu) {
    UNROLL for (int m = 0; m < MR; m++) UNROLL for (int n = 0; n < NV; n++)
        acc[m][n] = (vf)((vi)acc[m][n] & ~(acc[m][n] < 0.0f));
  }
  UNROLL for (int m = 0; m < MR; m++) UNROLL for (int n = 0; n < NV; n++) {
    float *p = t->c + m * t->ldc + n * VL;
    if (LAST(n)) vstore_m(p, mask, acc[m][n]); else vstore(p, acc[m][n]);
  }
#undef LAST
}

// One function per tile height, width and way of reading a. With AVX-512 a full mask costs nothing, so one variant serves.
#if ACC_AVX512
enum { maskVariants = 1 };
#define TILE_FN(form, mr, nv) static void tile_##form##_##nv##_##mr(const Tile *t) { tile_body(t, mr, nv, form, 1); }
#define TILE_REF(form, mr, nv) {tile_##form##_##nv##_##mr},
#else
enum { maskVariants = 2 };
#define TILE_FN(form, mr, nv)                                                                                                      \
  static void tile_##form##_##nv##_##mr(const Tile *t) { tile_body(t, mr, nv, form, 0); }                                          \
  static void tile_##form##_##nv##_##mr##_masked(const Tile *t) { tile_body(t, mr, nv, form, 1); }
#define TILE_REF(form, mr, nv) {tile_##form##_##nv##_##mr, tile_##form##_##nv##_##mr##_masked},
#endif
#if MR_MAX == 14
#define EACH_MR(X, f, nv) X(f, 1, nv) X(f, 2, nv) X(f, 3, nv) X(f, 4, nv) X(f, 5, nv) X(f, 6, nv) X(f, 7, nv) X(f, 8, nv)          \
  X(f, 9, nv) X(f, 10, nv) X(f, 11, nv) X(f, 12, nv) X(f, 13, nv) X(f, 14, nv)
#elif MR_MAX == 12
#define EACH_MR(X, f, nv) X(f, 1, nv) X(f, 2, nv) X(f, 3, nv) X(f, 4, nv) X(f, 5, nv) X(f, 6, nv) X(f, 7, nv) X(f, 8, nv)          \
  X(f, 9, nv) X(f, 10, nv) X(f, 11, nv) X(f, 12, nv)
#else
#define EACH_MR(X, f, nv) X(f, 1, nv) X(f, 2, nv) X(f, 3, nv) X(f, 4, nv) X(f, 5, nv) X(f, 6, nv)
#endif
EACH_MR(TILE_FN, formColumns, 1)
EACH_MR(TILE_FN, formColumns, 2)
EACH_MR(TILE_FN, formRows, 1)
EACH_MR(TILE_FN, formRows, 2)
EACH_MR(TILE_FN, formTable, 1)
EACH_MR(TILE_FN, formTable, 2)
typedef void (*TileFn)(const Tile *);
static const TileFn tile_table[formCount][2][MR_MAX][maskVariants] = {
    {{EACH_MR(TILE_REF, formColumns, 1)}, {EACH_MR(TILE_REF, formColumns, 2)}},
    {{EACH_MR(TILE_REF, formRows, 1)}, {EACH_MR(TILE_REF, formRows, 2)}},
    {{EACH_MR(TILE_REF, formTable, 1)}, {EACH_MR(TILE_REF, formTable, 2)}},
};

// Runs a tile of mr rows and n (1...NR) columns.
INLINE void run_tile(Tile *t, int form, long mr, long n) {
  const int nv = n > VL ? 2 : 1;
  t->lanes = n - (nv - 1) * VL;
  const int masked = maskVariants == 2 && t->lanes < VL;
  tile_table[form][nv - 1][mr - 1][masked](t);
}

// The even tile height for M rows: 32 rows are 11 + 11 + 10, not 14 + 14 + 4.
INLINE long tile_rows(long M) { return ceil_div(M, ceil_div(M, MR_MAX)); }

// out[k*mr + m] = a[m*ars + k*acs]; may write up to VL lanes beyond the end.
static void pack_a(long mr, long kc, const float *a, long ars, long acs, float *out) {
  if (acs == 1) {
    long k = 0;
    for (; k + VL <= kc; k += VL)
      for (long g = 0; g < mr; g += VL) {
        vf r[VL];
        const long rows = min_l(VL, mr - g);
        const float *row[VL]; // the last row stands in for those that do not exist
        UNROLL for (int i = 0; i < VL; i++) row[i] = a + (g + min_l(i, rows - 1)) * ars + k;
        load_transposed_rows(row, r);
        if (mr <= VL) for (int i = 0; i < VL; i++) vstore(out + (k + i) * mr, r[i]);
        else for (int i = 0; i < VL; i++) vstore_n(out + (k + i) * mr + g, rows, r[i]);
      }
    for (; k < kc; k++) for (long m = 0; m < mr; m++) out[k * mr + m] = a[m * ars + k];
  } else if (ars == 1 && mr <= VL) {
    const vmask m = mask_of(mr);
    for (long k = 0; k < kc; k++) vstore(out + k * mr, vload_m(a + k * acs, m));
  } else {
    for (long k = 0; k < kc; k++) for (long m = 0; m < mr; m++) out[k * mr + m] = a[m * ars + k * acs];
  }
}

// out[k*NR + n] = b[k*brs + n*bcs] for n < nc <= NR, zero beyond.
static void pack_b(long kc, long nc, const float *b, long brs, long bcs, float *out) {
  if (bcs == 1) {
    const long n0 = min_l(nc, VL), n1 = nc - n0;
    for (long k = 0; k < kc; k++) {
      const float *p = b + k * brs;
      vstore(out + k * NR, vload_n(p, n0));
      vstore(out + k * NR + VL, n1 > 0 ? vload_n(p + VL, n1) : (vf){0});
    }
  } else if (brs == 1) {
    for (int g = 0; g < 2; g++) {
      const long rows = max_l(0, min_l(VL, nc - g * VL));
      const float *p = b + g * VL * bcs;
      float *o = out + g * VL;
      if (rows == 0) {
        for (long k = 0; k < kc; k++) vstore(o + k * NR, (vf){0});
        continue;
      }
      for (long k = 0; k < kc; k += VL) {
        vf r[VL];
        const long ks = min_l(VL, kc - k);
        if (ks == VL && rows == VL) load_transposed(p + k, bcs, r);
        else {
          for (long i = 0; i < VL; i++) r[i] = i < rows ? vload_n(p + i * bcs + k, ks) : (vf){0};
          transpose_tile(r);
        }
        if (ks == VL) { UNROLL for (int i = 0; i < VL; i++) vstore(o + (k + i) * NR, r[i]); }
        else {
          float t[VL * VL];
          UNROLL for (int i = 0; i < VL; i++) vstore(t + i * VL, r[i]);
          for (long i = 0; i < ks; i++) vstore(o + (k + i) * NR, vload(t + i * VL));
        }
      }
    }
  } else {
    for (long k = 0; k < kc; k++)
      for (long n = 0; n < NR; n++) out[k * NR + n] = n < nc ? b[k * brs + n * bcs] : 0.0f;
  }
}

enum { gemmKC = 384, gemmNC = 256 };

static long sgemm_scratch_bytes(long M, long N, long K) {
  if (M <= 0 || N <= 0 || K <= 0) return 0;
  const long kc = min_l(K, gemmKC), nc = min_l(ceil_div(N, NR) * NR, gemmNC);
  return 4 * (kc * nc + kc * MR_MAX + VL) + 64;
}

// One row times a matrix with contiguous rows: B is read once, in order.
static void gemv_rows(long N, long K, const float *a, long acs, const float *B, long brs, float *C, bool load_c, const AccEpilogue *ep) {
  const float *bias = ep ? ep->bias : NULL;
  const bool relu = ep && ep->activation == accActivationRelu;
  for (long n0 = 0; n0 < N; n0 += 2048) {
    const long n1 = min_l(N, n0 + 2048);
    long k = 0;
    if (!load_c) memset(C + n0, 0, sizeof(float) * (size_t)(n1 - n0));
    for (; k + 4 <= K; k += 4) {
      const float *b = B + k * brs;
      const vf a0 = vset(a[k * acs]), a1 = vset(a[(k + 1) * acs]), a2 = vset(a[(k + 2) * acs]), a3 = vset(a[(k + 3) * acs]);
      long n = n0;
      for (; n + VL <= n1; n += VL) {
        vf c = vload(C + n);
        c = vfma(a0, vload(b + n), c);
        c = vfma(a1, vload(b + brs + n), c);
        c = vfma(a2, vload(b + 2 * brs + n), c);
        vstore(C + n, vfma(a3, vload(b + 3 * brs + n), c));
      }
      if (n < n1) {
        const vmask m = mask_of(n1 - n);
        vf c = vload_m(C + n, m);
        c = vfma(a0, vload_m(b + n, m), c);
        c = vfma(a1, vload_m(b + brs + n, m), c);
        c = vfma(a2, vload_m(b + 2 * brs + n, m), c);
        vstore_m(C + n, m, vfma(a3, vload_m(b + 3 * brs + n, m), c));
      }
    }
    for (; k < K; k++) {
      const vf a0 = vset(a[k * acs]);
      for (long n = n0; n < n1; n += VL)
        vstore_n(C + n, n1 - n, vfma(a0, vload_n(B + k * brs + n, n1 - n), vload_n(C + n, n1 - n)));
    }
    if (bias || relu)
      for (long n = n0; n < n1; n += VL) {
        vf c = vload_n(C + n, n1 - n);
        if (bias) c += vload_n(bias + n, n1 - n);
        if (relu) c = (vf)((vi)c & ~(c < 0.0f));
        vstore_n(C + n, n1 - n, c);
      }
  }
}

// Few columns: the transposed product, vectorised over the rows of A, so that every lane works. Tiles go through a small
// buffer that is turned on the way out; each element is the same chain as in sgemm.
enum { narrowColumns = 12 };
static void narrow_product(long M, long N, long K, const float *A, long a_rs, long a_cs, const float *B, long b_rs, long b_cs, float *C,
                           long ldc, bool accumulate, const float *bias, bool relu, float *panel) {
  float turned[narrowColumns * NR] __attribute__((aligned(64)));
  const bool direct = a_rs == 1;
  const long mr = tile_rows(N), KC = direct ? K : min_l(K, gemmKC);
  Tile t = {.ldc = NR};
  const int form = b_cs == 1 ? formColumns : formRows;
  t.as = b_cs == 1 ? b_rs : b_cs;
  for (long i = 0; i < M; i += NR) {
    const long rows = min_l(NR, M - i);
    float *c = C + i * ldc;
    if (accumulate) for (long m = 0; m < rows; m++) for (long n = 0; n < N; n++) turned[n * NR + m] = c[m * ldc + n];
    for (long k0 = 0; k0 < K; k0 += KC) {
      t.K = min_l(KC, K - k0);
      t.load_c = accumulate || k0 > 0;
      const float *a = A + i * a_rs + k0 * a_cs;
      if (!direct) pack_b(t.K, rows, a, a_cs, a_rs, panel);
      t.b = direct ? a : panel;
      t.ldb = direct ? a_cs : NR;
      for (long n = 0; n < N; n += mr) {
        t.a = B + k0 * b_rs + n * b_cs;
        t.c = turned + n * NR;
        run_tile(&t, form, min_l(mr, N - n), rows);
      }
    }
    if (N <= VL) {
      const vmask mask = mask_of(N);
      const vf b = bias ? vload_m(bias, mask) : (vf){0};
      for (long g = 0; g < rows; g += VL) {
        vf r[VL];
        for (long n = 0; n < VL; n++) r[n] = n < N ? vload(turned + n * NR + g) : (vf){0};
        transpose_tile(r);
        for (long m = 0; m < VL; m++) {
          if (bias) r[m] += b;
          if (relu) r[m] = (vf)((vi)r[m] & ~(r[m] < 0.0f));
        }
        for (long m = 0; m < min_l(VL, rows - g); m++) vstore_m(c + (g + m) * ldc, mask, r[m]);
      }
    } else {
      for (long m = 0; m < rows; m++) for (long n = 0; n < N; n++) {
        float v = turned[n * NR + m];
        if (bias) v += bias[n];
        if (relu && v < 0) v = 0;
        c[m * ldc + n] = v;
      }
    }
  }
}

static void sgemm(long M, long N, long K, const float *A, long a_rs, long a_cs, const float *B, long b_rs, long b_cs, float *C,
                  long ldc, bool accumulate, const AccEpilogue *ep, void *scratch) {
  if (M <= 0 || N <= 0) return;
  const float *bias = ep ? ep->bias : NULL;
  const bool relu = ep && ep->activation == accActivationRelu;
  if (M == 1 && (b_cs == 1 || K <= 0)) {
    gemv_rows(N, max_l(K, 0), A, a_cs, B, b_rs, C, accumulate, ep);
    return;
  }
  if (K <= 0) {
    for (long m = 0; m < M; m++) gemv_rows(N, 0, A, a_cs, B, b_rs, C + m * ldc, accumulate, ep);
    return;
  }
  if (N <= narrowColumns && M >= VL && (b_cs == 1 || b_rs == 1) && (a_rs == 1 || (a_cs == 1 && M >= NR))) {
    narrow_product(M, N, K, A, a_rs, a_cs, B, b_rs, b_cs, C, ldc, accumulate, bias, relu, scratch);
    return;
  }
  const long mr = tile_rows(M);
  const bool one_tile = mr >= M;
  // Packing pays when a packed block is used often enough, or when the strides leave no choice.
  const bool direct_b = b_cs == 1 && (M <= 4 * MR_MAX || (b_rs <= 1024 && K * N <= 64 * 1024) || K <= 8);
  const bool direct_a = (a_rs == 1 && (N <= NR || K <= 128)) || (a_cs == 1 && (N <= 4 * NR || K <= 128));
  const int form = !direct_a ? formColumns : a_rs == 1 ? formColumns : formRows;
  // A panel that is used once is packed into the first-level cache; a block that is used often into the second.
  const long NC = direct_b ? N : one_tile ? NR : gemmNC, KC = direct_b && direct_a ? K : gemmKC;
  float *pb = scratch, *pa = direct_b ? pb : pb + min_l(K, KC) * min_l(NC, ceil_div(N, NR) * NR);
  Tile t = {0};
  for (long j0 = 0; j0 < N; j0 += NC) {
    const long nc = min_l(NC, N - j0);
    for (long k0 = 0; k0 < K; k0 += KC) {
      const long kc = min_l(KC, K - k0);
      const bool last = k0 + kc == K;
      t.K = kc;
      t.load_c = accumulate || k0 > 0;
      t.relu = last && relu;
      t.ldc = ldc;
      if (!direct_b)
        for (long j = 0; j < nc; j += NR)
          pack_b(kc, min_l(NR, nc - j), B + k0 * b_rs + (j0 + j) * b_cs, b_rs, b_cs, pb + j * kc);
      t.ldb = direct_b ? b_rs : NR;
      for (long i = 0; i < M; i += mr) {
        const long rows = min_l(mr, M - i);
        const float *a = A + i * a_rs + k0 * a_cs;
        if (direct_a) {
          t.a = a;
          t.as = form == formColumns ? a_cs : a_rs;
        } else {
          pack_a(rows, kc, a, a_rs, a_cs, pa);
          t.a = pa;
          t.as = rows;
        }
        for (long j = 0; j < nc; j += NR) {
          t.b = direct_b ? B + k0 * b_rs + j0 + j : pb + j * kc;
          t.c = C + i * ldc + j0 + j;
          t.bias = last && bias ? bias + j0 + j : NULL;
          run_tile(&t, form, rows, min_l(NR, nc - j));
        }
      }
    }
  }
}
