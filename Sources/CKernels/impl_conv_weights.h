// The gradient of a convolution's weights: a tile of dw stays in registers while it walks the pixels; rows of the tile are a
// contiguous run of (tap column, channel) in the bordered NHWC sample.

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
#define EACH_R2(X, g, nv) X(g, 1, nv) X(g, 2, nv)
#define EACH_R3(X, g, nv) EACH_R2(X, g, nv) X(g, 3, nv)
#define EACH_R4(X, g, nv) EACH_R3(X, g, nv) X(g, 4, nv)
#define EACH_R6(X, g, nv) EACH_R4(X, g, nv) X(g, 5, nv) X(g, 6, nv)
#define EACH_R7(X, g, nv) EACH_R6(X, g, nv) X(g, 7, nv)
#if MR_MAX == 14
#define EACH_GR(X, nv) EACH_MR(X, 1, nv) EACH_R7(X, 2, nv) EACH_R4(X, 3, nv) EACH_R3(X, 4, nv)
#elif MR_MAX == 12
#define EACH_GR(X, nv) EACH_MR(X, 1, nv) EACH_R6(X, 2, nv) EACH_R4(X, 3, nv) EACH_R3(X, 4, nv)
#else
#define EACH_GR(X, nv) EACH_MR(X, 1, nv) EACH_R3(X, 2, nv) EACH_R2(X, 3, nv) X(4, 1, nv)
#endif
EACH_GR(WTILE_FN, 1)
EACH_GR(WTILE_FN, 2)
static const WeightTileFn weight_tile_table[maxStack][2][MR_MAX][maskVariants] = {EACH_GR(WTILE_REF, 1) EACH_GR(WTILE_REF, 2)};

typedef struct WeightPlan {
  bool in_place;
  long rows, cols;
  float *sample;
} WeightPlan;

static WeightPlan weight_plan(const AccConv *c, Carver *s) {
  WeightPlan p = {0};
  p.in_place = !conv_needs_border(c);
  p.rows = p.in_place ? c->H : conv_rows(c);
  p.cols = p.in_place ? c->W : conv_cols(c);
  p.sample = p.in_place ? NULL : carve(s, 4 * p.rows * p.cols * c->C);
  return p;
}

// dw[t][c] += sum over pixels of x * dy, T taps at a time.
INLINE void depthwise_weights_taps(const int T, const AccConv *c, const float *src, long cols, const float *dy, long tap0, float *dw, vmask m,
                                   bool load) {
  vf acc[4];
  long off[4];
  const long C = c->C;
  UNROLL for (int t = 0; t < T; t++) {
    const long kh = (tap0 + t) / c->KW, kw = (tap0 + t) % c->KW;
    off[t] = (kh * c->dil_h * cols + kw * c->dil_w) * C;
    acc[t] = load ? vload_m(dw + (tap0 + t) * C, m) : (vf){0};
  }
  for (long oh = 0; oh < c->OH; oh++) for (long ow = 0; ow < c->OW; ow++) {
    const vf d = vload_m(dy + (oh * c->OW + ow) * C, m);
    const float *s = src + (oh * c->stride_h * cols + ow * c->stride_w) * C;
    UNROLL for (int t = 0; t < T; t++) acc[t] = vfma(vload_m(s + off[t], m), d, acc[t]);
  }
  UNROLL for (int t = 0; t < T; t++) vstore_m(dw + (tap0 + t) * C, m, acc[t]);
}

static void depthwise_weights(const AccConv *c, const float *src, long cols, const float *dy, float *dw, bool load) {
  const long taps = c->KH * c->KW;
  for (long ch = 0; ch < c->C; ch += VL) {
    const vmask m = mask_of(c->C - ch);
    long t = 0;
    for (; t + 4 <= taps; t += 4) depthwise_weights_taps(4, c, src + ch, cols, dy + ch, t, dw + ch, m, load);
    for (; t + 3 <= taps; t += 3) depthwise_weights_taps(3, c, src + ch, cols, dy + ch, t, dw + ch, m, load);
    for (; t < taps; t++) depthwise_weights_taps(1, c, src + ch, cols, dy + ch, t, dw + ch, m, load);
  }
}

static void conv_backward_weights(const AccConv *c, const float *x, const float *dy, float *dw, long n0, long n1, bool accumulate,
                                  void *scratch) {
  const long Cg = c->groups > 0 ? c->C / c->groups : 0, taps = c->KH * c->KW;
  if (taps * Cg * c->O <= 0) return;
  if (conv_is_empty(c) || n1 <= n0) {
    if (!accumulate) memset(dw, 0, sizeof(float) * (size_t)(taps * Cg * c->O));
    return;
  }
  Carver s = {scratch, 0};
  const WeightPlan p = weight_plan(c, &s);
  const long Og = c->O / c->groups, C = c->C, O = c->O;
  // Runs: contiguous rows of dw whose inputs are contiguous too.
  const bool by_row = c->groups == 1 && c->dil_w == 1;
  const long run = by_row ? c->KW * C : Cg, runs = by_row ? c->KH : taps;
  const long R = tile_rows(run);
  const long stack = R < run ? 1 : min_l(min_l(runs, maxStack), MR_MAX / R);
  // So many rows of pixels at a time that both operands stay in the second-level cache.
  const long chunk = max_l(1, 65536 / max_l(1, c->stride_h * p.cols * C + c->OW * min_l(O, NR)));
  WeightTile t = {.a_col = c->stride_w * C, .a_row = c->stride_h * p.cols * C, .b_col = O, .b_row = c->OW * O, .cols = c->OW, .ldc = O};
  for (long n = n0; n < n1; n++) {
    const float *src = x + n * c->H * c->W * C, *d = dy + n * c->OH * c->OW * O;
    if (!p.in_place) {
      border_sample(src, c->H, c->W, C, c->pad_top, c->pad_left, p.rows, p.cols, p.sample);
      src = p.sample;
    }
    const bool load = accumulate || n > n0;
    if (conv_is_depthwise(c)) {
      depthwise_weights(c, src, p.cols, d, dw, load);
      continue;
    }
    for (long h = 0; h < c->OH; h += chunk) {
      t.rows = min_l(chunk, c->OH - h);
      t.load_c = load || h > 0;
      for (long g = 0; g < c->groups; g++) for (long o = 0; o < Og; o += NR) {
        const long cols = min_l(NR, Og - o);
        const int nv = cols > VL ? 2 : 1;
        t.lanes = cols - (nv - 1) * VL;
        const int masked = maskVariants == 2 && t.lanes < VL;
        t.b = d + h * t.b_row + g * Og + o;
        for (long q = 0; q < runs; q += stack) {
          const long G = min_l(stack, runs - q);
          for (long r = 0; r < run; r += R) {
            for (long i = 0; i < G; i++) {
              const long kh = by_row ? q + i : (q + i) / c->KW, kw = by_row ? 0 : (q + i) % c->KW;
              t.a[i] = src + h * t.a_row + (kh * c->dil_h * p.cols + kw * c->dil_w) * C + g * Cg + r;
              t.c[i] = dw + ((q + i) * run + r) * O + g * Og + o;
            }
            weight_tile_table[G - 1][nv - 1][min_l(R, run - r) - 1][masked](&t);
          }
        }
      }
    }
  }
}
