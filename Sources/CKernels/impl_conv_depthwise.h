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

// The same for R rows of K taps each, next to each other: the inputs that a row of taps sees move through registers, so that each is
// loaded once for all of them. Same sums in the same order.
INLINE void depthwise_weights_slide(const int R, const int K, const int STEP, const AccConv *c, const float *x, const float *zeros,
                                    const float *dy, long kh0, float *dw, vmask m, bool load) {
  vf acc[3][5];
  const long C = c->C, left = -c->pad_left;
  // Outputs whose last tap is inside the image; before it, inputs are only missing where the window is filled first.
  const long inside = max_l(0, min_l(c->OW, c->W - left - K < 0 ? 0 : (c->W - left - K) / STEP + 1));
  UNROLL for (int r = 0; r < R; r++) UNROLL for (int k = 0; k < K; k++)
    acc[r][k] = load ? vload_m(dw + ((kh0 + r) * K + k) * C, m) : (vf){0};
  for (long oh = 0; oh < c->OH; oh++) {
    vf window[3][5];
    const float *row[3], *d = dy + oh * c->OW * C;
    long step[3];
    UNROLL for (int r = 0; r < R; r++) {
      const long h = oh * c->stride_h - c->pad_top + (kh0 + r) * c->dil_h;
      const bool exists = h >= 0 && h < c->H;
      // Column w is at row + w * step.
      row[r] = exists ? x + h * c->W * C : zeros;
      step[r] = exists ? C : 0;
      UNROLL for (int k = STEP; k < K; k++) {
        const long w = left + k - STEP;
        window[r][k] = vload_m(w >= 0 && w < c->W ? row[r] + w * step[r] : zeros, m);
      }
    }
#define MOVE(LOAD)                                                                                                                 \
  {                                                                                                                                \
    const vf g = vload_m(d + ow * C, m);                                                                                           \
    UNROLL for (int r = 0; r < R; r++) {                                                                                           \
      UNROLL for (int k = 0; k < K - STEP; k++) window[r][k] = window[r][k + STEP];                                                \
      UNROLL for (int k = K - STEP; k < K; k++) window[r][k] = LOAD;                                                               \
      UNROLL for (int k = 0; k < K; k++) acc[r][k] = vfma(window[r][k], g, acc[r][k]);                                             \
    }                                                                                                                              \
  }
    long ow = 0;
    for (; ow < inside; ow++) MOVE(vload_m(row[r] + (ow * STEP + left + k) * step[r], m))
    for (; ow < c->OW; ow++) MOVE(vload_m(ow * STEP + left + k < c->W ? row[r] + (ow * STEP + left + k) * step[r] : zeros, m))
#undef MOVE
  }
  UNROLL for (int r = 0; r < R; r++) UNROLL for (int k = 0; k < K; k++) vstore_m(dw + ((kh0 + r) * K + k) * C, m, acc[r][k]);
}

// Rows of taps at a time, as many as registers hold.
#if ACC_AVX512 || defined(__aarch64__)
enum { slideRows3 = 3, slideRows5 = 2 };
#else
enum { slideRows3 = 2, slideRows5 = 1 };
#endif

static void depthwise_weights(const AccConv *c, const float *x, const float *dy, float *dw, bool load) {
  static const float zeros[VL];
  const long taps = c->KH * c->KW;
  // Later columns of a window are inside the image, or beyond its right edge: never before its left one.
  const bool slides = (c->KW == 3 || c->KW == 5) && c->dil_w == 1 && c->stride_w <= 2 && c->pad_left <= c->KW - c->stride_w;
  for (long ch = 0; ch < c->C; ch += VL) {
    const vmask m = mask_of(c->C - ch);
#define SLIDE(R, K, STEP) depthwise_weights_slide(R, K, STEP, c, x + ch, zeros, dy + ch, h, dw + ch, m, load)
#define SLIDES(K, STEP, ROWS)                                                                                                      \
  for (long h = 0; h < c->KH;) {                                                                                                   \
    if (h + ROWS <= c->KH) { SLIDE(ROWS, K, STEP); h += ROWS; } else { SLIDE(1, K, STEP); h++; }                                   \
  }
    if (slides && c->KW == 3) {
      if (c->stride_w == 1) SLIDES(3, 1, slideRows3) else SLIDES(3, 2, slideRows3)
      continue;
    }
    if (slides) {
      if (c->stride_w == 1) SLIDES(5, 1, slideRows5) else SLIDES(5, 2, slideRows5)
      continue;
    }
#undef SLIDES
#undef SLIDE
    long t = 0; // nine sums hide the latency of one another
    for (; t + 9 <= taps; t += 9) depthwise_weights_taps(9, c, x + ch, zeros, dy + ch, t, dw + ch, m, load);
    for (; t + 4 <= taps; t += 4) depthwise_weights_taps(4, c, x + ch, zeros, dy + ch, t, dw + ch, m, load);
    for (; t + 3 <= taps; t += 3) depthwise_weights_taps(3, c, x + ch, zeros, dy + ch, t, dw + ch, m, load);
    for (; t < taps; t++) depthwise_weights_taps(1, c, x + ch, zeros, dy + ch, t, dw + ch, m, load);
  }
}
