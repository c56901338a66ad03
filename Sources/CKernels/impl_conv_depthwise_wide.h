// Rows of depthwise convolutions of 3 or 5 columns, several pixels at a time: an input is loaded once for all taps of a row that
// read it. That matters most where the rows of pixels are a multiple of 2 KB apart: their lines meet in two sets of the L1 cache and
// are lost before the next tap. Columns outside the image are left out.
//
// Every output is the chain of the other depthwise tiles, over rows and columns of taps in order.

enum { wideColumns = 8 };

typedef struct WideTile {
  const float *x;    // the first pixel's first tap, which may lie outside: x[h*row + i*step]
  long row, step, taps_h;
  const float *w;    // w[(h*K + k)*step]
  long left, right;  // columns that lie outside, at most K - 1 each
  float *out;        // step apart
  DepthwiseLast last;
  vmask mask;
} WideTile;

INLINE void depthwise_wide_body(const WideTile *t, const int K, const int S, const int P, const int MASKED) {
  vf acc[wideColumns];
  const vmask m = t->mask;
  const int end = (P - 1) * S + K;
#define LOAD(p) (MASKED ? vload_m(p, m) : vload(p))
  UNROLL for (int p = 0; p < P; p++) acc[p] = (vf){0};
  const float *x = t->x, *weights = t->w;
  for (long h = 0; h < t->taps_h; h++, x += t->row, weights += K * t->step) {
    vf w[5];
    UNROLL for (int k = 0; k < K; k++) w[k] = LOAD(weights + k * t->step);
    UNROLL for (int i = 0; i < end; i++) {
      if (i < K - 1 && i < t->left) continue;
      if (i > end - K && i >= end - t->right) continue;
      const vf v = LOAD(x + i * t->step);
      UNROLL for (int k = 0; k < K; k++)
        if (i >= k && (i - k) % S == 0 && (i - k) / S < P) acc[(i - k) / S] = vfma(v, w[k], acc[(i - k) / S]);
    }
  }
  UNROLL for (int p = 0; p < P; p++) {
    const vf v = depthwise_last(acc[p], t->last, p * t->step, m, !MASKED);
    float *o = t->out + p * t->step;
    if (MASKED) vstore_m(o, m, v); else vstore(o, v);
  }
#undef LOAD
}

#define WIDE_FN(K, S, P)                                                                                                           \
  static void depthwise_wide_##K##_##S##_##P(const WideTile *t) { depthwise_wide_body(t, K, S, P, 0); }                            \
  static void depthwise_wide_##K##_##S##_##P##_masked(const WideTile *t) { depthwise_wide_body(t, K, S, P, 1); }
#define WIDE_REF(K, S, P) {depthwise_wide_##K##_##S##_##P, depthwise_wide_##K##_##S##_##P##_masked},
#define WIDE_EACH(X, K, S) X(K, S, 1) X(K, S, 2) X(K, S, 3) X(K, S, 4) X(K, S, 5) X(K, S, 6) X(K, S, 7) X(K, S, 8)
WIDE_EACH(WIDE_FN, 3, 1)
WIDE_EACH(WIDE_FN, 3, 2)
WIDE_EACH(WIDE_FN, 5, 1)
WIDE_EACH(WIDE_FN, 5, 2)
typedef void (*WideFn)(const WideTile *);
static const WideFn depthwise_wide_table[2][2][wideColumns][2] = {
    {{WIDE_EACH(WIDE_REF, 3, 1)}, {WIDE_EACH(WIDE_REF, 3, 2)}},
    {{WIDE_EACH(WIDE_REF, 5, 1)}, {WIDE_EACH(WIDE_REF, 5, 2)}},
};

INLINE bool depthwise_is_wide(const AccConv *c) {
  return (c->KW == 3 || c->KW == 5) && c->dil_w == 1 && (c->stride_w == 1 || c->stride_w == 2) && c->pad_left < c->KW &&
         (c->OW - 1) * c->stride_w - c->pad_left < c->W;
}

// One output row; kh: the taps inside the image, h: the row of the first tap.
static void depthwise_wide_row(const AccConv *c, const float *x, long h, TapRange kh, const float *weights, float *out,
                               const AccEpilogue *ep, const float *residual) {
  const long C = c->C, S = c->stride_w, blocks = ceil_div(c->OW, wideColumns);
  const WideFn(*tiles)[2] = depthwise_wide_table[c->KW == 5][S - 1];
  WideTile t = {.row = c->dil_h * c->W * C, .step = C, .taps_h = kh.end - kh.first};
  for (long ch = 0; ch < C; ch += VL) {
    t.mask = mask_of(C - ch);
    t.w = weights + kh.first * c->KW * C + ch;
    for (long i = 0; i < blocks; i++) {
      const long j = c->OW * i / blocks, n = c->OW * (i + 1) / blocks - j, at = j * S - c->pad_left;
      t.x = x + ((h + kh.first * c->dil_h) * c->W + at) * C + ch;
      t.left = max_l(0, -at);
      t.right = max_l(0, at + (n - 1) * S + c->KW - c->W);
      t.out = out + j * C + ch;
      t.last = depthwise_channel(ep, residual ? residual + j * C : NULL, ch);
      tiles[n - 1][ch + VL > C](&t);
    }
  }
}
