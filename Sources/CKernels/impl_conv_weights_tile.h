// The register tiles of the gradient of a convolution's weights: a piece of dw stays in registers while it walks the pixels.

enum { maxStack = 4 };
// A register tile of dw: `stack` runs of R contiguous rows each.
typedef struct WeightTile {
  long rows, cols;                 // pixels
  const float *a[maxStack];        // first pixel of each run
  long a_col, a_row;               // steps from pixel to pixel
  const float *b;                  // dy
  long b_col, b_row;
  float *c[maxStack];              // dw, each run
  long ldc, lanes;
  bool load_c;
} WeightTile;

INLINE void weight_tile_body(const WeightTile *t, const int G, const int R, const int NV, const int MASKED) {
  vf acc[MR_MAX][2];
  const vmask mask = mask_of(t->lanes);
#define LAST(n) (MASKED && (n) == NV - 1)
  UNROLL for (int g = 0; g < G; g++) UNROLL for (int r = 0; r < R; r++) UNROLL for (int n = 0; n < NV; n++) {
    const float *p = t->c[g] + r * t->ldc + n * VL;
    acc[g * R + r][n] = !t->load_c ? (vf){0} : LAST(n) ? vload_m(p, mask) : vload(p);
  }
  const long a_col = t->a_col, b_col = t->b_col;
  for (long h = 0; h < t->rows; h++) {
    const float *a[maxStack], *b = t->b + h * t->b_row;
    UNROLL for (int g = 0; g < G; g++) a[g] = t->a[g] + h * t->a_row;
    _Pragma("clang loop unroll_count(2)") for (long w = 0; w < t->cols; w++) {
      vf bv[2];
      UNROLL for (int n = 0; n < NV; n++) bv[n] = LAST(n) ? vload_m(b + n * VL, mask) : vload(b + n * VL);
      UNROLL for (int g = 0; g < G; g++) UNROLL for (int r = 0; r < R; r++) {
        const vf av = vset(a[g][r]);
        UNROLL for (int n = 0; n < NV; n++) acc[g * R + r][n] = vfma(av, bv[n], acc[g * R + r][n]);
      }
      UNROLL for (int g = 0; g < G; g++) a[g] += a_col;
      b += b_col;
    }
  }
  UNROLL for (int g = 0; g < G; g++) UNROLL for (int r = 0; r < R; r++) UNROLL for (int n = 0; n < NV; n++) {
    float *p = t->c[g] + r * t->ldc + n * VL;
    if (LAST(n)) vstore_m(p, mask, acc[g * R + r][n]); else vstore(p, acc[g * R + r][n]);
  }
#undef LAST
}

typedef void (*WeightTileFn)(const WeightTile *);
#if ACC_AVX512
#define WTILE_FN(g, r, nv) static void wtile_##g##_##nv##_##r(const WeightTile *t) { weight_tile_body(t, g, r, nv, 1); }
#define WTILE_REF(g, r, nv) [g - 1][nv - 1][r - 1] = {wtile_##g##_##nv##_##r},
#else
#define WTILE_FN(g, r, nv)                                                                                                         \
  static void wtile_##g##_##nv##_##r(const WeightTile *t) { weight_tile_body(t, g, r, nv, 0); }                                    \
  static void wtile_##g##_##nv##_##r##_masked(const WeightTile *t) { weight_tile_body(t, g, r, nv, 1); }
#define WTILE_REF(g, r, nv) [g - 1][nv - 1][r - 1] = {wtile_##g##_##nv##_##r, wtile_##g##_##nv##_##r##_masked},
#endif
#if MR_MAX == 14
#define EACH_GR(X, nv) CONV_ROWS(X, 1, nv) CONV_R7(X, 2, nv) CONV_R4(X, 3, nv) CONV_R3(X, 4, nv)
#elif MR_MAX == 12
#define EACH_GR(X, nv) CONV_ROWS(X, 1, nv) CONV_R6(X, 2, nv) CONV_R4(X, 3, nv) CONV_R3(X, 4, nv)
#else
#define EACH_GR(X, nv) CONV_ROWS(X, 1, nv) CONV_R3(X, 2, nv) CONV_R2(X, 3, nv) X(4, 1, nv)
#endif
EACH_GR(WTILE_FN, 1)
EACH_GR(WTILE_FN, 2)
static const WeightTileFn weight_tile_table[maxStack][2][MR_MAX][convMaskVariants] = {EACH_GR(WTILE_REF, 1) EACH_GR(WTILE_REF, 2)};

// With one vector of outputs every input would be loaded for a single product. A kernel three wide reads each input for three
// output pixels, so the tile here is R channels by the three taps of a row, and three pixels of dy travel through registers.
enum { slideRows = MR_MAX >= 12 ? 8 : 3 };
INLINE void weight_slide_body(const WeightTile *t, const int R, const int MASKED) {
  vf acc[slideRows][3];
  const vmask mask = mask_of(t->lanes);
  UNROLL for (int r = 0; r < R; r++) UNROLL for (int w = 0; w < 3; w++) {
    const float *p = t->c[w] + r * t->ldc;
    acc[r][w] = !t->load_c ? (vf){0} : MASKED ? vload_m(p, mask) : vload(p);
  }
  const long a_col = t->a_col, b_col = t->b_col;
#define LOAD_DY(p) (MASKED ? vload_m(p, mask) : vload(p))
#define SLIDE(U0, U1, U2)                                                                                                          \
  {                                                                                                                                \
    UNROLL for (int r = 0; r < R; r++) {                                                                                           \
      const vf av = vset(a[r]);                                                                                                    \
      if (U0) acc[r][0] = vfma(av, d0, acc[r][0]);                                                                                 \
      if (U1) acc[r][1] = vfma(av, d1, acc[r][1]);                                                                                 \
      if (U2) acc[r][2] = vfma(av, d2, acc[r][2]);                                                                                 \
    }                                                                                                                              \
    a += a_col;                                                                                                                    \
  }
  for (long h = 0; h < t->rows; h++) {
    const float *a = t->a[0] + h * t->a_row, *b = t->b + h * t->b_row;
    vf d0 = LOAD_DY(b), d1 = d0, d2 = d0;
    SLIDE(true, false, false)
    d1 = d0, b += b_col, d0 = LOAD_DY(b);
    SLIDE(true, true, false)
    for (long w = 2; w < t->cols; w++) {
      d2 = d1, d1 = d0, b += b_col, d0 = LOAD_DY(b);
      SLIDE(true, true, true)
    }
    d2 = d1, d1 = d0;
    SLIDE(false, true, true)
    d2 = d1;
    SLIDE(false, false, true)
  }
#undef SLIDE
#undef LOAD_DY
  UNROLL for (int r = 0; r < R; r++) UNROLL for (int w = 0; w < 3; w++) {
    float *p = t->c[w] + r * t->ldc;
    if (MASKED) vstore_m(p, mask, acc[r][w]); else vstore(p, acc[r][w]);
  }
}
#if ACC_AVX512
#define SLIDE_FN(f, r, nv) static void weight_slide_##r(const WeightTile *t) { weight_slide_body(t, r, 1); }
#define SLIDE_REF(f, r, nv) {weight_slide_##r},
#else
#define SLIDE_FN(f, r, nv)                                                                                                         \
  static void weight_slide_##r(const WeightTile *t) { weight_slide_body(t, r, 0); }                                                \
  static void weight_slide_##r##_masked(const WeightTile *t) { weight_slide_body(t, r, 1); }
#define SLIDE_REF(f, r, nv) {weight_slide_##r, weight_slide_##r##_masked},
#endif
#if MR_MAX >= 12
#define EACH_SLIDE(X) CONV_R7(X, 0, 1) X(0, 8, 1)
#else
#define EACH_SLIDE(X) CONV_R3(X, 0, 1)
#endif
EACH_SLIDE(SLIDE_FN)
static const WeightTileFn weight_slide_table[slideRows][convMaskVariants] = {EACH_SLIDE(SLIDE_REF)};
