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

INLINE void depthwise_wide_body(const WideTile *t, const int K, const int P, const int EDGE, const int MASKED) {
  vf acc[wideColumns];
  const vmask m = t->mask;
  const int end = P - 1 + K;
#define LOAD(p) (MASKED ? vload_m(p, m) : vload(p))
  UNROLL for (int p = 0; p < P; p++) acc[p] = (vf){0};
  const float *x = t->x, *weights = t->w;
  for (long h = 0; h < t->taps_h; h++, x += t->row, weights += K * t->step) {
    vf w[5];
    UNROLL for (int k = 0; k < K; k++) w[k] = LOAD(weights + k * t->step);
    UNROLL for (int i = 0; i < end; i++) {
      if (EDGE && i < K - 1 && i < t->left) continue;
      if (EDGE && i > end - K && i >= end - t->right) continue;
      const vf v = LOAD(x + i * t->step);
      UNROLL for (int k = 0; k < K; k++) if (i >= k && i - k < P) acc[i - k] = vfma(v, w[k], acc[i - k]);
    }
  }
  UNROLL for (int p = 0; p < P; p++) {
    const vf v = depthwise_last(acc[p], t->last, p * t->step, m, !MASKED);
    float *o = t->out + p * t->step;
    if (MASKED) vstore_m(o, m, v); else vstore(o, v);
  }
#undef LOAD
}

#define WIDE_FN(K, P)                                                                                                              \
  static void depthwise_wide_##K##_##P(const WideTile *t) { depthwise_wide_body(t, K, P, 0, 0); }                                  \
  static void depthwise_wide_##K##_##P##_edge(const WideTile *t) { depthwise_wide_body(t, K, P, 1, 0); }                           \
  static void depthwise_wide_##K##_##P##_masked(const WideTile *t) { depthwise_wide_body(t, K, P, 1, 1); }
#define WIDE_REF(K, P) {depthwise_wide_##K##_##P, depthwise_wide_##K##_##P##_edge, depthwise_wide_##K##_##P##_masked},
#define WIDE_EACH(X, K) X(K, 1) X(K, 2) X(K, 3) X(K, 4) X(K, 5) X(K, 6) X(K, 7) X(K, 8)
WIDE_EACH(WIDE_FN, 3)
WIDE_EACH(WIDE_FN, 5)
typedef void (*WideFn)(const WideTile *);
static const WideFn depthwise_wide_table[2][wideColumns][3] = {{WIDE_EACH(WIDE_REF, 3)}, {WIDE_EACH(WIDE_REF, 5)}};

// With a stride of 2 an input serves too few taps to gain by it.
INLINE bool depthwise_is_wide(const AccConv *c) {
  return (c->KW == 3 || c->KW == 5) && c->dil_w == 1 && c->stride_w == 1 && c->pad_left < c->KW && c->OW - 1 - c->pad_left < c->W;
}

// One output row; kh: the taps inside the image, h: the row of the first tap.
static void depthwise_wide_row(const AccConv *c, const float *x, long h, TapRange kh, const float *weights, float *out,
                               const AccEpilogue *ep, const float *residual) {
  const long C = c->C, blocks = ceil_div(c->OW, wideColumns);
  const WideFn(*tiles)[3] = depthwise_wide_table[c->KW == 5];
  WideTile t = {.row = c->dil_h * c->W * C, .step = C, .taps_h = kh.end - kh.first};
  const float *from = x + (h + kh.first * c->dil_h) * c->W * C;
  for (long ch = 0; ch < C; ch += VL) {
    const DepthwiseLast last = depthwise_channel(ep, residual, ch);
    t.mask = mask_of(C - ch);
    t.w = weights + kh.first * c->KW * C + ch;
    for (long i = 0; i < blocks; i++) {
      const long j = c->OW * i / blocks, n = c->OW * (i + 1) / blocks - j, at = j - c->pad_left;
      t.x = from + at * C + ch;
      t.left = max_l(0, -at);
      t.right = max_l(0, at + n - 1 + c->KW - c->W);
      t.out = out + j * C + ch;
      t.last = last;
      if (residual) t.last.residual += j * C;
      tiles[n - 1][ch + VL > C ? 2 : t.left || t.right](&t);
    }
  }
}
