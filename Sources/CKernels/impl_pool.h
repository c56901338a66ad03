// Pooling over NHWC, vectorised over channels: every channel of a pixel has the same window. Sums are here, maxima in
// impl_maxpool.h.

typedef struct Window { long h0, h1, w0, w1; } Window; // the part inside the image
INLINE Window pool_window(const AccPool *p, long oh, long ow) {
  const long h = oh * p->stride_h - p->pad_top, w = ow * p->stride_w - p->pad_left;
  return (Window){max_l(h, 0), min_l(h + p->window_h, p->H), max_l(w, 0), min_l(w + p->window_w, p->W)};
}

INLINE vf pool_load(const float *p, long lanes, const bool full) { return full ? vload(p) : vload_n(p, lanes); }
INLINE void pool_store(float *p, long lanes, const bool full, vf v) {
  if (full) vstore(p, v); else vstore_n(p, lanes, v);
}

static void sumpool_forward(const AccPool *p, const float *x, float *y, long n0, long n1) {
  const long C = p->C;
  for (long n = n0; n < n1; n++) for (long oh = 0; oh < p->OH; oh++) for (long ow = 0; ow < p->OW; ow++) {
    const Window q = pool_window(p, oh, ow);
    float *out = y + ((n * p->OH + oh) * p->OW + ow) * C;
    for (long c = 0; c < C; c += VL) {
      vf sum = {0};
      for (long h = q.h0; h < q.h1; h++) for (long w = q.w0; w < q.w1; w++)
        sum += vload_n(x + ((n * p->H + h) * p->W + w) * C + c, C - c);
      vstore_n(out + c, C - c, sum);
    }
  }
}
static void sumpool_backward(const AccPool *p, const float *dy, float *dx, long n0, long n1) {
  const long C = p->C;
  if (n1 <= n0) return;
  memset(dx + n0 * p->H * p->W * C, 0, sizeof(float) * (size_t)((n1 - n0) * p->H * p->W * C));
  for (long n = n0; n < n1; n++) for (long oh = 0; oh < p->OH; oh++) for (long ow = 0; ow < p->OW; ow++) {
    const Window q = pool_window(p, oh, ow);
    const float *d = dy + ((n * p->OH + oh) * p->OW + ow) * C;
    for (long c = 0; c < C; c += VL) {
      const vf g = vload_n(d + c, C - c);
      for (long h = q.h0; h < q.h1; h++) for (long w = q.w0; w < q.w1; w++) {
        float *o = dx + ((n * p->H + h) * p->W + w) * C + c;
        vstore_n(o, C - c, vload_n(o, C - c) + g);
      }
    }
  }
}
