// Depthwise convolutions: every channel has its own filter, so lanes are channels and there is no product to tile.

// ---- depthwise: out[j][c] = sum over taps of src[src_off[t] + j*src_step + c] * w[w_off[t] + c]

typedef struct Taps { long count; const int32_t *src_off, *w_off; } Taps;

// What happens to the sums of one vector of channels; the residual lies as the results do.
typedef struct DepthwiseLast { const float *bias, *residual; bool relu; } DepthwiseLast;
INLINE vf depthwise_last(vf v, DepthwiseLast e, long at, vmask m, bool full) {
  if (e.bias) v += full ? vload(e.bias) : vload_m(e.bias, m);
  if (e.residual) v += full ? vload(e.residual + at) : vload_m(e.residual + at, m);
  return e.relu ? (vf)((vi)v & ~(v < 0.0f)) : v;
}
INLINE DepthwiseLast depthwise_channel(const AccEpilogue *ep, const float *residual, long c) {
  return (DepthwiseLast){ep && ep->bias ? ep->bias + c : NULL, residual ? residual + c : NULL,
                        ep && ep->activation == accActivationRelu};
}

INLINE void depthwise_pixels(const int P, const float *src, long src_step, const float *w, Taps taps, float *out, long out_step, vmask m,
                             bool full, DepthwiseLast last) {
  vf acc[8];
  UNROLL for (int p = 0; p < P; p++) acc[p] = (vf){0};
  for (long t = 0; t < taps.count; t++) {
    const float *s = src + taps.src_off[t];
    const vf wv = full ? vload(w + taps.w_off[t]) : vload_m(w + taps.w_off[t], m);
    UNROLL for (int p = 0; p < P; p++) acc[p] = vfma(full ? vload(s + p * src_step) : vload_m(s + p * src_step, m), wv, acc[p]);
  }
  UNROLL for (int p = 0; p < P; p++) {
    const vf v = depthwise_last(acc[p], last, p * out_step, m, full);
    if (full) vstore(out + p * out_step, v); else vstore_m(out + p * out_step, m, v);
  }
}

static void depthwise_row(long n, long C, const float *src, long src_step, const float *w, Taps taps, float *out, long out_step,
                          const AccEpilogue *ep, const float *residual) {
  for (long c = 0; c < C; c += VL) {
    const bool full = c + VL <= C;
    const vmask m = mask_of(C - c);
    const DepthwiseLast last = depthwise_channel(ep, residual, c);
    long j = 0;
#define DEPTHWISE(P, FULL)                                                                                                         \
  {                                                                                                                                \
    DepthwiseLast e = last;                                                                                                          \
    if (e.residual) e.residual += j * out_step;                                                                                    \
    depthwise_pixels(P, src + j * src_step + c, src_step, w + c, taps, out + j * out_step + c, out_step, m, FULL, e);               \
  }
    if (full) {
      for (; j + 8 <= n; j += 8) DEPTHWISE(8, true)
      // Fewer pixels at a time wait for one another's sums, so the rest of a row goes in large pieces as well.
      if (j + 4 <= n) {
        DEPTHWISE(4, true)
        j += 4;
      }
      if (j + 2 <= n) {
        DEPTHWISE(2, true)
        j += 2;
      }
      for (; j < n; j++) DEPTHWISE(1, true)
    } else {
      for (; j + 4 <= n; j += 4) DEPTHWISE(4, false)
      for (; j < n; j++) DEPTHWISE(1, false)
    }
#undef DEPTHWISE
  }
}

// ---- forward, in place: rows outside the image are left out, columns at its sides are done one by one

// Output columns whose taps all lie inside the image.
INLINE long depthwise_first(const AccConv *c) { return min_l(c->OW, ceil_div(c->pad_left, c->stride_w)); }
INLINE long depthwise_end(const AccConv *c) {
  const long room = c->W - 1 - (c->KW - 1) * c->dil_w + c->pad_left;
  return room < 0 ? 0 : min_l(c->OW, room / c->stride_w + 1);
}
// The taps first..<end of a row or column of outputs that lie inside the image, the output's first tap being at `at`.
typedef struct TapRange { long first, end; } TapRange;
INLINE TapRange taps_inside(long at, long taps, long dilation, long size) {
  const long first = at >= 0 ? 0 : ceil_div(-at, dilation), end = at >= size ? 0 : (size - 1 - at) / dilation + 1;
  return (TapRange){first, max_l(first, min_l(taps, end))};
}

#include "impl_conv_depthwise_wide.h"

static void depthwise_pixel(const AccConv *c, const float *x, long h, long w, TapRange kh, const float *weights, float *out,
                            const AccEpilogue *ep, const float *residual) {
  const TapRange kw = taps_inside(w, c->KW, c->dil_w, c->W);
  for (long ch = 0; ch < c->C; ch += VL) {
    const vmask m = mask_of(c->C - ch);
    vf v = {0};
    for (long i = kh.first; i < kh.end; i++) for (long j = kw.first; j < kw.end; j++)
      v = vfma(vload_m(x + ((h + i * c->dil_h) * c->W + w + j * c->dil_w) * c->C + ch, m),
               vload_m(weights + (i * c->KW + j) * c->C + ch, m), v);
    vstore_m(out + ch, m, depthwise_last(v, depthwise_channel(ep, residual, ch), 0, m, false));
  }
}

// One output row; off holds each tap's distance from the first.
static void depthwise_forward_row(const AccConv *c, const float *x, long oh, const float *weights, const int32_t *off, const int32_t *w_off,
                                  float *out, const AccEpilogue *ep, const float *residual) {
  const long C = c->C, h = oh * c->stride_h - c->pad_top, first = depthwise_first(c), end = max_l(first, depthwise_end(c));
  const TapRange kh = taps_inside(h, c->KH, c->dil_h, c->H);
  if (depthwise_is_wide(c)) {
    depthwise_wide_row(c, x, h, kh, weights, out, ep, residual);
    return;
  }
#define RESIDUAL(ow) (residual ? residual + (ow) * C : NULL)
  for (long ow = 0; ow < first; ow++)
    depthwise_pixel(c, x, h, ow * c->stride_w - c->pad_left, kh, weights, out + ow * C, ep, RESIDUAL(ow));
  if (end > first) {
    const Taps taps = {(kh.end - kh.first) * c->KW, off + kh.first * c->KW, w_off + kh.first * c->KW};
    depthwise_row(end - first, C, x + (h * c->W + first * c->stride_w - c->pad_left) * C, c->stride_w * C, weights, taps, out + first * C, C,
                  ep, RESIDUAL(first));
  }
  for (long ow = end; ow < c->OW; ow++)
    depthwise_pixel(c, x, h, ow * c->stride_w - c->pad_left, kh, weights, out + ow * C, ep, RESIDUAL(ow));
#undef RESIDUAL
}

// ---- the gradient of the weights, in place likewise

// dw[t][c] += sum over pixels of x * dy, T taps at a time. Taps outside the image read zeros.
INLINE void depthwise_weights_taps(const int T, const AccConv *c, const float *x, const float *zeros, const float *dy, long tap0, float *dw,
                                   vmask m, bool load) {
  vf acc[9];
  const long C = c->C, first = depthwise_first(c), end = max_l(first, depthwise_end(c)), step = c->stride_w * C;
  UNROLL for (int t = 0; t < T; t++) acc[t] = load ? vload_m(dw + (tap0 + t) * C, m) : (vf){0};
  for (long oh = 0; oh < c->OH; oh++) {
    const float *row[9], *d = dy + oh * c->OW * C;
    long column[9], steps[9];
    UNROLL for (int t = 0; t < T; t++) {
      const long h = oh * c->stride_h - c->pad_top + (tap0 + t) / c->KW * c->dil_h;
      column[t] = (tap0 + t) % c->KW * c->dil_w - c->pad_left;
      row[t] = h >= 0 && h < c->H ? x + h * c->W * C : NULL;
    }
    for (long ow = 0; ow < first; ow++) UNROLL for (int t = 0; t < T; t++) {
      const long w = ow * c->stride_w + column[t];
      acc[t] = vfma(vload_m(row[t] && w >= 0 && w < c->W ? row[t] + w * C : zeros, m), vload_m(d + ow * C, m), acc[t]);
    }
    const float *at[9];
    UNROLL for (int t = 0; t < T; t++) {
      at[t] = row[t] ? row[t] + (first * c->stride_w + column[t]) * C : zeros;
      steps[t] = row[t] ? step : 0;
    }
    for (long ow = first; ow < end; ow++) {
      const vf g = vload_m(d + ow * C, m);
      UNROLL for (int t = 0; t < T; t++) {
        acc[t] = vfma(vload_m(at[t], m), g, acc[t]);
        at[t] += steps[t];
      }
    }
    for (long ow = end; ow < c->OW; ow++) UNROLL for (int t = 0; t < T; t++) {
      const long w = ow * c->stride_w + column[t];
      acc[t] = vfma(vload_m(row[t] && w >= 0 && w < c->W ? row[t] + w * C : zeros, m), vload_m(d + ow * C, m), acc[t]);
    }
  }
  UNROLL for (int t = 0; t < T; t++) vstore_m(dw + (tap0 + t) * C, m, acc[t]);
}

static void depthwise_weights(const AccConv *c, const float *x, const float *dy, float *dw, bool load) {
  static const float zeros[VL];
  const long taps = c->KH * c->KW;
  for (long ch = 0; ch < c->C; ch += VL) {
    const vmask m = mask_of(c->C - ch);
    long t = 0; // nine sums hide the latency of one another
    for (; t + 9 <= taps; t += 9) depthwise_weights_taps(9, c, x + ch, zeros, dy + ch, t, dw + ch, m, load);
    for (; t + 4 <= taps; t += 4) depthwise_weights_taps(4, c, x + ch, zeros, dy + ch, t, dw + ch, m, load);
    for (; t + 3 <= taps; t += 3) depthwise_weights_taps(3, c, x + ch, zeros, dy + ch, t, dw + ch, m, load);
    for (; t < taps; t++) depthwise_weights_taps(1, c, x + ch, zeros, dy + ch, t, dw + ch, m, load);
  }
}
