// Pooling over NHWC, vectorised over channels: every channel of a pixel has the same window.

typedef struct Window { long h0, h1, w0, w1; } Window; // the part inside the image
INLINE Window pool_window(const AccPool *p, long oh, long ow) {
  const long h = oh * p->stride_h - p->pad_top, w = ow * p->stride_w - p->pad_left;
  return (Window){max_l(h, 0), min_l(h + p->window_h, p->H), max_l(w, 0), min_l(w + p->window_w, p->W)};
}

INLINE vf pool_load(const float *p, long lanes, const bool full) { return full ? vload(p) : vload_n(p, lanes); }
INLINE void pool_store(float *p, long lanes, const bool full, vf v) {
  if (full) vstore(p, v); else vstore_n(p, lanes, v);
}

INLINE void maxpool_forward_body(const AccPool *p, const float *x, float *y, long n0, long n1, const bool full) {
  const long C = p->C, row = p->W * C;
  for (long n = n0; n < n1; n++) for (long oh = 0; oh < p->OH; oh++) for (long ow = 0; ow < p->OW; ow++) {
    const Window q = pool_window(p, oh, ow);
    const float *in = x + n * p->H * row;
    float *out = y + ((n * p->OH + oh) * p->OW + ow) * C;
    for (long c = 0; c < C; c += VL) {
      vf best = vset(-INFINITY);
      for (long h = q.h0; h < q.h1; h++) for (long w = q.w0; w < q.w1; w++)
        best = vmax_nan(best, pool_load(in + h * row + w * C + c, C - c, full));
      pool_store(out + c, C - c, full, best);
    }
  }
}
static void maxpool_forward(const AccPool *p, const float *x, float *y, long n0, long n1) {
  if (p->C % VL == 0) maxpool_forward_body(p, x, y, n0, n1, true);
  else maxpool_forward_body(p, x, y, n0, n1, false);
}

// Positions are compared as select-and-scatter does it: the chosen one is replaced unless chosen >= candidate.
// `apart`: no position belongs to two windows, so nothing has to be added to.
INLINE void maxpool_backward_body(const AccPool *p, const float *x, const float *dy, float *dx, long n0, long n1, const bool full,
                                  const bool apart) {
  const long C = p->C, row = p->W * C;
  for (long n = n0; n < n1; n++) for (long oh = 0; oh < p->OH; oh++) for (long ow = 0; ow < p->OW; ow++) {
    const Window q = pool_window(p, oh, ow);
    if (q.h1 <= q.h0 || q.w1 <= q.w0) continue;
    const float *d = dy + ((n * p->OH + oh) * p->OW + ow) * C;
    const long first = n * p->H * row + q.h0 * row + q.w0 * C;
    for (long c = 0; c < C; c += VL) {
      vf best = pool_load(x + first + c, C - c, full);
      vi chosen = {0};
      int32_t at = 0;
      for (long h = q.h0; h < q.h1; h++) for (long w = q.w0; w < q.w1; w++, at++) {
        const vf v = pool_load(x + n * p->H * row + h * row + w * C + c, C - c, full);
        const vi replace = ~(best >= v) & -(at > 0);
        best = vsel(replace, v, best);
        chosen = vseli(replace, vseti(at), chosen);
      }
      const vf g = pool_load(d + c, C - c, full);
      at = 0;
      for (long h = q.h0; h < q.h1; h++) for (long w = q.w0; w < q.w1; w++, at++) {
        float *o = dx + n * p->H * row + h * row + w * C + c;
        const vf part = (vf)((vi)g & (chosen == at));
        pool_store(o, C - c, full, apart ? part : pool_load(o, C - c, full) + part);
      }
    }
  }
}
static void maxpool_backward(const AccPool *p, const float *x, const float *dy, float *dx, long n0, long n1) {
  if (n1 <= n0) return;
  const bool apart = p->stride_h >= p->window_h && p->stride_w >= p->window_w, full = p->C % VL == 0;
  const bool covered = apart && p->stride_h == p->window_h && p->stride_w == p->window_w && p->OH * p->stride_h - p->pad_top >= p->H &&
                       p->OW * p->stride_w - p->pad_left >= p->W;
  if (!covered) memset(dx + n0 * p->H * p->W * p->C, 0, sizeof(float) * (size_t)((n1 - n0) * p->H * p->W * p->C));
  if (apart && full) maxpool_backward_body(p, x, dy, dx, n0, n1, true, true);
  else if (apart) maxpool_backward_body(p, x, dy, dx, n0, n1, false, true);
  else if (full) maxpool_backward_body(p, x, dy, dx, n0, n1, true, false);
  else maxpool_backward_body(p, x, dy, dx, n0, n1, false, false);
}

enum { poolSum, poolAverage, poolAverageInside };
INLINE float pool_divisor(const AccPool *p, Window q, const int kind) {
  return kind == poolAverage ? (float)(p->window_h * p->window_w) : (float)max_l(1, (q.h1 - q.h0) * (q.w1 - q.w0));
}

INLINE void pool_forward(const AccPool *p, const float *x, float *y, long n0, long n1, const int kind) {
  const long C = p->C;
  for (long n = n0; n < n1; n++) for (long oh = 0; oh < p->OH; oh++) for (long ow = 0; ow < p->OW; ow++) {
    const Window q = pool_window(p, oh, ow);
    const float divisor = pool_divisor(p, q, kind);
    float *out = y + ((n * p->OH + oh) * p->OW + ow) * C;
    for (long c = 0; c < C; c += VL) {
      vf sum = {0};
      for (long h = q.h0; h < q.h1; h++) for (long w = q.w0; w < q.w1; w++)
        sum += vload_n(x + ((n * p->H + h) * p->W + w) * C + c, C - c);
      vstore_n(out + c, C - c, kind == poolSum ? sum : sum / divisor);
    }
  }
}
INLINE void pool_backward(const AccPool *p, const float *dy, float *dx, long n0, long n1, const int kind) {
  const long C = p->C;
  if (n1 <= n0) return;
  memset(dx + n0 * p->H * p->W * C, 0, sizeof(float) * (size_t)((n1 - n0) * p->H * p->W * C));
  for (long n = n0; n < n1; n++) for (long oh = 0; oh < p->OH; oh++) for (long ow = 0; ow < p->OW; ow++) {
    const Window q = pool_window(p, oh, ow);
    const float divisor = pool_divisor(p, q, kind);
    const float *d = dy + ((n * p->OH + oh) * p->OW + ow) * C;
    for (long c = 0; c < C; c += VL) {
      vf g = vload_n(d + c, C - c);
      if (kind != poolSum) g = g / divisor;
      for (long h = q.h0; h < q.h1; h++) for (long w = q.w0; w < q.w1; w++) {
        float *o = dx + ((n * p->H + h) * p->W + w) * C + c;
        vstore_n(o, C - c, vload_n(o, C - c) + g);
      }
    }
  }
}

static void sumpool_forward(const AccPool *p, const float *x, float *y, long n0, long n1) { pool_forward(p, x, y, n0, n1, poolSum); }
static void sumpool_backward(const AccPool *p, const float *dy, float *dx, long n0, long n1) {
  pool_backward(p, dy, dx, n0, n1, poolSum);
}
static void avgpool_forward(const AccPool *p, bool count_include_pad, const float *x, float *y, long n0, long n1) {
  if (count_include_pad) pool_forward(p, x, y, n0, n1, poolAverage);
  else pool_forward(p, x, y, n0, n1, poolAverageInside);
}
static void avgpool_backward(const AccPool *p, bool count_include_pad, const float *dy, float *dx, long n0, long n1) {
  if (count_include_pad) pool_backward(p, dy, dx, n0, n1, poolAverage);
  else pool_backward(p, dy, dx, n0, n1, poolAverageInside);
}
