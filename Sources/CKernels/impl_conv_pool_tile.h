// A register tile of the direct convolution that pools 2 x 2 on the way out: with few input channels the product is so short
// that writing and reading the unpooled values would cost as much again. Each value is the chain of the plain tile, and the
// winner is chosen as max pooling chooses it, so the bits are the same.

enum { poolTileColumns = MR_MAX >= 12 ? 3 : 1 }; // pooled pixels of a tile

typedef struct ConvPoolTile {
  ConvTile tile;     // a: the first of the four pixels; c: pooled values; ldc: from pooled pixel to pooled pixel
  long row;          // from a row of a to the next
  uint8_t *index;    // positions, ldc apart, or NULL
} ConvPoolTile;

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
  UNROLL for (int n = 0; n < NV; n++) {
    const bool partial = MASKED && n == NV - 1;
    const vf bias = !t->bias ? (vf){0} : partial ? vload_m(t->bias + n * VL, mask) : vload(t->bias + n * VL);
    UNROLL for (int m = 0; m < 2 * Q; m += 2) {
      Winner w;
      UNROLL for (int i = 0; i < 4; i++) {
        vf v = acc[i / 2][m + i % 2][n];
        if (t->bias) v += bias;
        if (t->relu) v = (vf)((vi)v & ~(v < 0.0f));
        if (i == 0) w = winner_start(v, 0); else winner_step(&w, v, i, true);
      }
      const long at = m / 2 * t->ldc + n * VL;
      if (partial) vstore_m(t->c + at, mask, winner_value(&w)); else vstore(t->c + at, winner_value(&w));
      if (p->index) store_positions(p->index + at, w.at, !partial, t->lanes);
    }
  }
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

// One pooled row from the laid-out sample.
static void conv_pool_row(const AccConv *c, const ForwardPlan *f, const AccPool *p, const float *src, long oh, float *y, uint8_t *index,
                          const AccEpilogue *ep) {
  const long Cg = c->C / c->groups, Og = c->O / c->groups, step = ceil_div(p->OW, ceil_div(p->OW, poolTileColumns));
  ConvPoolTile t = {.tile = {.K = f->K, .off = f->off, .ldc = c->O, .relu = ep && ep->activation == accActivationRelu},
                    .row = c->stride_h * c->C * f->spread.pitch};
  for (long g = 0; g < c->groups; g++) for (long o = 0; o < Og; o += convNR) {
    const long outputs = min_l(convNR, Og - o), at = g * Og + o;
    const int nv = outputs > VL ? 2 : 1;
    t.tile.lanes = outputs - (nv - 1) * VL;
    t.tile.b = f->panels + g * panel_floats(f->K, Og) + o * f->K;
    t.tile.bias = ep && ep->bias ? ep->bias + at : NULL;
    const float *a = src + g * Cg * f->spread.pitch + 2 * oh * t.row;
    for (long ow = 0; ow < p->OW; ow += step) {
      t.tile.a = a + 2 * ow;
      t.tile.c = y + ow * c->O + at;
      t.index = index ? index + ow * c->O + at : NULL;
      conv_pool_tile_table[nv - 1][min_l(step, p->OW - ow) - 1][convMaskVariants == 2 && t.tile.lanes < VL](&t);
    }
  }
}
