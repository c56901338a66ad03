// Depthwise convolutions: every channel has its own filter, so lanes are channels and there is no product to tile.

// ---- depthwise: out[j][c] = sum over taps of src[src_off[t] + j*src_step + c] * w[w_off[t] + c]

typedef struct Taps { long count; const int32_t *src_off, *w_off; } Taps;

INLINE void depthwise_pixels(const int P, const float *src, long src_step, const float *w, Taps taps, float *out, long out_step, vmask m,
                             bool full, const float *bias, bool relu) {
  vf acc[8];
  UNROLL for (int p = 0; p < P; p++) acc[p] = (vf){0};
  for (long t = 0; t < taps.count; t++) {
    const float *s = src + taps.src_off[t];
    const vf wv = full ? vload(w + taps.w_off[t]) : vload_m(w + taps.w_off[t], m);
    UNROLL for (int p = 0; p < P; p++) acc[p] = vfma(full ? vload(s + p * src_step) : vload_m(s + p * src_step, m), wv, acc[p]);
  }
  UNROLL for (int p = 0; p < P; p++) {
    vf v = acc[p];
    if (bias) v += full ? vload(bias) : vload_m(bias, m);
    if (relu) v = (vf)((vi)v & ~(v < 0.0f));
    if (full) vstore(out + p * out_step, v); else vstore_m(out + p * out_step, m, v);
  }
}

static void depthwise_row(long n, long C, const float *src, long src_step, const float *w, Taps taps, float *out, long out_step,
                          const AccEpilogue *ep) {
  const bool relu = ep && ep->activation == accActivationRelu;
  for (long c = 0; c < C; c += VL) {
    const float *bias = ep && ep->bias ? ep->bias + c : NULL;
    const bool full = c + VL <= C;
    const vmask m = mask_of(C - c);
    long j = 0;
    if (full) {
      for (; j + 8 <= n; j += 8)
        depthwise_pixels(8, src + j * src_step + c, src_step, w + c, taps, out + j * out_step + c, out_step, m, true, bias, relu);
      for (; j < n; j++)
        depthwise_pixels(1, src + j * src_step + c, src_step, w + c, taps, out + j * out_step + c, out_step, m, true, bias, relu);
    } else {
      for (; j + 4 <= n; j += 4)
        depthwise_pixels(4, src + j * src_step + c, src_step, w + c, taps, out + j * out_step + c, out_step, m, false, bias, relu);
      for (; j < n; j++)
        depthwise_pixels(1, src + j * src_step + c, src_step, w + c, taps, out + j * out_step + c, out_step, m, false, bias, relu);
    }
  }
}

// ---- the gradient of the weights

// dw[t][c] += sum over pixels of x * dy, T taps at a time.
INLINE void depthwise_weights_taps(const int T, const AccConv *c, const float *src, long cols, const float *dy, long tap0, float *dw, vmask m,
                                   bool load) {
  vf acc[9];
  long off[9];
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
    long t = 0; // nine sums hide the latency of one another
    for (; t + 9 <= taps; t += 9) depthwise_weights_taps(9, c, src + ch, cols, dy + ch, t, dw + ch, m, load);
    for (; t + 4 <= taps; t += 4) depthwise_weights_taps(4, c, src + ch, cols, dy + ch, t, dw + ch, m, load);
    for (; t + 3 <= taps; t += 3) depthwise_weights_taps(3, c, src + ch, cols, dy + ch, t, dw + ch, m, load);
    for (; t < taps; t++) depthwise_weights_taps(1, c, src + ch, cols, dy + ch, t, dw + ch, m, load);
  }
}
