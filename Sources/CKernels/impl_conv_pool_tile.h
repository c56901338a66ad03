// A register tile of the direct convolution that pools 2 x 2 on the way out: with few input channels the product is so short
// that writing and reading the unpooled values would cost as much again. Each value is the chain of the plain tile, and the
// argmax is the one that max pooling chooses, so the bits are the same.
//
// The argmax must not cost as much as the product either. Comparisons that handle NaN would, so a sample is computed here only
// if its sums cannot overflow (`sums_stay_finite`); one that may contain a NaN is computed like windows of other sizes.

enum { poolTileColumns = MR_MAX >= 12 ? 3 : 1 }; // pooled pixels of a tile

typedef struct ConvPoolTile {
  ConvTile tile;     // a: the first of the four pixels; c: pooled values; ldc: from pooled pixel to pooled pixel
  long row;          // from a row of a to the next
  uint8_t *index;    // positions, ldc apart, or NULL
} ConvPoolTile;

// Argmax indices: the better row of the window, and in each row the better value; the first of equal ones.
INLINE void store_winner(uint8_t *p, vf w0, vf w1, vf w2, vf w3, vf upper, vf lower, const bool full, long n) {
#if ACC_AVX512
  const __mmask16 below = _mm512_cmp_ps_mask((__m512)upper, (__m512)lower, _CMP_LT_OQ);
  const __mmask16 second = _mm512_cmp_ps_mask((__m512)w0, (__m512)w1, _CMP_LT_OQ);
  const __mmask16 fourth = _mm512_cmp_ps_mask((__m512)w2, (__m512)w3, _CMP_LT_OQ);
  const __m128i in_lower = _mm_mask_mov_epi8(_mm_set1_epi8(2), fourth, _mm_set1_epi8(3));
  const __m128i at = _mm_mask_mov_epi8(_mm_maskz_set1_epi8(second, 1), below, in_lower);
  if (full) _mm_storeu_si128((__m128i *)p, at); else _mm_mask_storeu_epi8(p, mask_of(n), at);
#else
  store_positions(p, vseli(upper < lower, 2 - (w2 < w3), -(w0 < w1)), full, n);
#endif
}

INLINE void conv_pool_tile_body(const ConvPoolTile *p, const int Q, const int NV, const int MASKED) {
  const ConvTile *t = &p->tile;
  vf acc[2][2 * poolTileColumns][2];
  const vmask mask = mask_of(t->lanes);
  UNROLL for (int h = 0; h < 2; h++) UNROLL for (int m = 0; m < 2 * Q; m++) UNROLL for (int n = 0; n < NV; n++) acc[h][m][n] = (vf){0};
  const float *a = t->a, *b = t->b;
  for (long k = 0; k < t->K; k++, b += convNR) {
    const float *q[2] = {a + t->off[k], a + t->off[k] + p->row};
    vf bv[2];
    UNROLL for (int n = 0; n < NV; n++) bv[n] = vload(b + n * VL);
    UNROLL for (int h = 0; h < 2; h++) UNROLL for (int m = 0; m < 2 * Q; m++) {
      const vf av = vset(q[h][m]);
      UNROLL for (int n = 0; n < NV; n++) acc[h][m][n] = vfma(av, bv[n], acc[h][m][n]);
    }
  }
  // To add -0 and to take the greater of -infinity change nothing: no branch asks whether there is a bias or a relu.
  const vf floor = vset(t->relu ? 0.0f : -INFINITY);
#define LAST(n) (MASKED && (n) == NV - 1)
  UNROLL for (int n = 0; n < NV; n++) {
    const vf bias = !t->bias ? vset(-0.0f) : LAST(n) ? vload_m(t->bias + n * VL, mask) : vload(t->bias + n * VL);
    UNROLL for (int q = 0; q < Q; q++) {
      const vf v0 = acc[0][2 * q][n], v1 = acc[0][2 * q + 1][n], v2 = acc[1][2 * q][n], v3 = acc[1][2 * q + 1][n];
      const long at = q * t->ldc + n * VL;
      vf best;
      if (!p->index && t->relu) {
        // A sum rises with its terms. The first value alone can win with a zero, whose sign is then its own.
        best = vgreater(vgreater(v3, vgreater(v2, v1)) + bias, vgreater(floor, v0 + bias));
      } else {
        const vf w0 = vgreater(floor, v0 + bias), w1 = v1 + bias, w2 = v2 + bias, w3 = v3 + bias;
        const vf upper = vgreater(w1, w0), lower = vgreater(w3, w2);
        best = vgreater(lower, upper);
        if (p->index) store_winner(p->index + at, w0, w1, w2, w3, upper, lower, !LAST(n), t->lanes);
      }
      if (LAST(n)) vstore_m(t->c + at, mask, best); else vstore(t->c + at, best);
    }
  }
#undef LAST
}

typedef void (*ConvPoolTileFn)(const ConvPoolTile *);
#if ACC_AVX512
#define POOL_TILE_FN(q, nv) static void conv_pool_tile_##q##_##nv(const ConvPoolTile *p) { conv_pool_tile_body(p, q, nv, 1); }
#define POOL_TILE_REF(q, nv) {conv_pool_tile_##q##_##nv},
#else
#define POOL_TILE_FN(q, nv)                                                                                                        \
  static void conv_pool_tile_##q##_##nv(const ConvPoolTile *p) { conv_pool_tile_body(p, q, nv, 0); }                               \
  static void conv_pool_tile_##q##_##nv##_masked(const ConvPoolTile *p) { conv_pool_tile_body(p, q, nv, 1); }
#define POOL_TILE_REF(q, nv) {conv_pool_tile_##q##_##nv, conv_pool_tile_##q##_##nv##_masked},
#endif
#if MR_MAX >= 12
#define EACH_POOL_TILE(X, nv) X(1, nv) X(2, nv) X(3, nv)
#else
#define EACH_POOL_TILE(X, nv) X(1, nv)
#endif
EACH_POOL_TILE(POOL_TILE_FN, 1)
EACH_POOL_TILE(POOL_TILE_FN, 2)
static const ConvPoolTileFn conv_pool_tile_table[2][poolTileColumns][convMaskVariants] = {{EACH_POOL_TILE(POOL_TILE_REF, 1)},
                                                                                          {EACH_POOL_TILE(POOL_TILE_REF, 2)}};

// Whether windows are 2 x 2, side by side and inside the image, over a direct convolution.
static bool pools_in_tile(const AccConv *c, const ForwardPlan *f, const AccPool *p) {
  return !f->winograd && !f->narrow && !f->pointwise && !conv_is_depthwise(c) && p->window_h == 2 && p->window_w == 2 &&
         p->stride_h == 2 && p->stride_w == 2 && !p->pad_top && !p->pad_left && 2 * p->OH <= c->OH && 2 * p->OW <= c->OW;
}

INLINE float largest_magnitude(const float *x, long n) { // NaN if there is one: its bits are the largest
  vi most = {0};
  for (long i = 0; i < n; i += VL) most = __builtin_elementwise_max(most, (vi)vload_n(x + i, n - i) & 0x7fffffff);
  return fold_max((vf)most);
}
// Whether no sum over these weights, with the bias added, can be an infinity or NaN for a sample whose magnitudes are at most
// `sample`.
INLINE bool sums_stay_finite(const ForwardPlan *f, float weights, float bias, float sample) {
  return (double)f->K * weights * sample + bias <= 1e38;
}

// One pooled row from the laid-out sample.
static void conv_pool_row(const AccConv *c, const ForwardPlan *f, const AccPool *p, const float *src, long oh, float *y, uint8_t *index,
                          const AccEpilogue *ep) {
  const long Cg = c->C / c->groups, Og = c->O / c->groups, tiles = ceil_div(p->OW, poolTileColumns);
  ConvPoolTile t = {.tile = {.K = f->K, .off = f->off, .ldc = c->O, .relu = ep && ep->activation == accActivationRelu},
                    .row = c->stride_h * c->C * f->spread.pitch};
  for (long g = 0; g < c->groups; g++) for (long o = 0; o < Og; o += convNR) {
    const long outputs = min_l(convNR, Og - o), at = g * Og + o;
    const int nv = outputs > VL ? 2 : 1;
    t.tile.lanes = outputs - (nv - 1) * VL;
    t.tile.b = f->panels + g * panel_floats(f->K, Og) + o * f->K;
    t.tile.bias = ep && ep->bias ? ep->bias + at : NULL;
    const float *a = src + g * Cg * f->spread.pitch + 2 * oh * t.row;
    for (long i = 0; i < tiles; i++) { // 13 are 2 + 3 + 2 + 3 + 3, not 3 + 3 + 3 + 3 + 1
      const long ow = p->OW * i / tiles, columns = p->OW * (i + 1) / tiles - ow;
      t.tile.a = a + 2 * ow;
      t.tile.c = y + ow * c->O + at;
      t.index = index ? index + ow * c->O + at : NULL;
      conv_pool_tile_table[nv - 1][columns - 1][convMaskVariants == 2 && t.tile.lanes < VL](&t);
    }
  }
}
