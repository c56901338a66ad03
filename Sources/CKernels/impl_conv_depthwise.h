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
