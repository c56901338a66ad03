// The register tile: a few rows by one or two vectors, kept in registers over the whole sum. Matrix products and
// convolutions are loops around it.
//
// Every output element is one chain acc = a[k]*b[k] + acc over ascending k, whatever tile it falls in and however the
// loops are blocked (a later block of k goes on from the stored value), so results do not depend on how rows and columns
// are divided among callers.

enum { NR = 2 * VL };

// One register tile: up to MR_MAX rows by one or two vectors.
typedef struct Tile {
  long K;
  const float *a;      // columns and picked: a[k*as + m]   rows: a[m*as + k]
  long as;
  const float *b;      // b[k*ldb + n]   picked: b[off[k] + n]
  long ldb;
  const int32_t *off;
  float *c;            // c[m*ldc + n]
  long ldc;
  long lanes;          // lanes of the last vector, 1...VL
  bool load_c;         // go on from what c holds
  const float *bias;   // for n, or NULL
  bool relu;
} Tile;

// Packed: as rows, but b is packed and may come from memory, so more of it is asked for.
enum { formColumns, formRows, formPicked, formPacked, formCount };

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
  } else if (FORM == formRows || FORM == formPacked) {
    // Rows in threes, so that one register and scaled addressing reach them; unrolling over k would make them spill.
    const float *p[(MR_MAX + 2) / 3];
    UNROLL for (int q = 0; q < (MR + 2) / 3; q++) p[q] = a + 3 * q * as;
    _Pragma("clang loop unroll(disable)") for (long k = 0; k < K; k++) {
      __builtin_prefetch(b + (FORM == formPacked ? 16 : 8) * ldb);
      if (FORM == formPacked && NV == 2) __builtin_prefetch(b + 16 * ldb + VL);
      STEP(p[m / 3][(m % 3) * as + k])
    }
  } else {
    _Pragma("clang loop unroll_count(4)") for (long k = 0; k < K; k++) {
      b = t->b + off[k];
      STEP(a[m]) a += as;
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
EACH_MR(TILE_FN, formPicked, 1)
EACH_MR(TILE_FN, formPicked, 2)
EACH_MR(TILE_FN, formPacked, 1)
EACH_MR(TILE_FN, formPacked, 2)
typedef void (*TileFn)(const Tile *);
static const TileFn tile_table[formCount][2][MR_MAX][maskVariants] = {
    {{EACH_MR(TILE_REF, formColumns, 1)}, {EACH_MR(TILE_REF, formColumns, 2)}},
    {{EACH_MR(TILE_REF, formRows, 1)}, {EACH_MR(TILE_REF, formRows, 2)}},
    {{EACH_MR(TILE_REF, formPicked, 1)}, {EACH_MR(TILE_REF, formPicked, 2)}},
    {{EACH_MR(TILE_REF, formPacked, 1)}, {EACH_MR(TILE_REF, formPacked, 2)}},
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
