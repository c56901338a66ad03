// The gradient of a convolution's weights: rows of a tile are a contiguous run of (tap column, channel) in the bordered NHWC
// sample, so that one vector of dy serves them all.

typedef struct WeightPlan {
  bool winograd;
  WinogradWeights wino;
  bool in_place;
  long rows, cols;
  float *sample;
} WeightPlan;

static WeightPlan weight_plan(const AccConv *c, Carver *s) {
  WeightPlan p = {0};
  p.winograd = winograd_weights_pay(c);
  if (p.winograd) {
    p.wino = winograd_weights_plan(c, s);
    return p;
  }
  p.in_place = !conv_needs_border(c) || conv_is_depthwise(c);
  p.rows = p.in_place ? c->H : conv_rows(c);
  p.cols = p.in_place ? c->W : conv_cols(c);
  p.sample = p.in_place ? NULL : carve(s, 4 * p.rows * p.cols * c->C);
  return p;
}

static void conv_backward_weights(const AccConv *c, const float *x, const float *dy, float *dw, long n0, long n1, bool accumulate,
                                  void *scratch) {
  const long Cg = c->groups > 0 ? c->C / c->groups : 0, taps = c->KH * c->KW;
  if (taps * Cg * c->O <= 0) return;
  if (conv_is_empty(c) || n1 <= n0) {
    if (!accumulate) memset(dw, 0, sizeof(float) * (size_t)(taps * Cg * c->O));
    return;
  }
  Carver s = {scratch, 0};
  const WeightPlan p = weight_plan(c, &s);
  if (p.winograd) {
    winograd_weights(c, &p.wino, x, dy, dw, n0, n1, accumulate);
    return;
  }
  const long Og = c->O / c->groups, C = c->C, O = c->O;
  // Runs: contiguous rows of dw whose inputs are contiguous too.
  const bool by_row = c->groups == 1 && c->dil_w == 1;
  const long run = by_row ? c->KW * C : Cg, runs = by_row ? c->KH : taps;
  const long R = conv_tile_rows(run);
  const long stack = R < run ? 1 : min_l(min_l(runs, maxStack), MR_MAX / R);
  // So many rows of pixels at a time that both operands stay in the L2 cache.
  const long chunk = max_l(1, 32768 / max_l(1, c->stride_h * p.cols * C + c->OW * min_l(O, convNR)));
  WeightTile t = {.a_col = c->stride_w * C, .a_row = c->stride_h * p.cols * C, .b_col = O, .b_row = c->OW * O, .cols = c->OW, .ldc = O};
  for (long n = n0; n < n1; n++) {
    const float *src = x + n * c->H * c->W * C, *d = dy + n * c->OH * c->OW * O;
    if (!p.in_place) {
      border_sample(src, c->H, c->W, C, c->pad_top, c->pad_left, p.rows, p.cols, p.sample);
      src = p.sample;
    }
    const bool load = accumulate || n > n0;
    if (conv_is_depthwise(c)) {
      depthwise_weights(c, src, d, dw, load);
      continue;
    }
    for (long h = 0; h < c->OH; h += chunk) {
      t.rows = min_l(chunk, c->OH - h);
      t.load_c = load || h > 0;
      for (long g = 0; g < c->groups; g++) for (long o = 0; o < Og; o += convNR) {
        const long cols = min_l(convNR, Og - o);
        const int nv = cols > VL ? 2 : 1;
        t.lanes = cols - (nv - 1) * VL;
        const int masked = convMaskVariants == 2 && t.lanes < VL;
        t.b = d + h * t.b_row + g * Og + o;
        if (nv == 1 && c->KW == 3 && c->stride_w == 1 && c->dil_w == 1 && c->OW >= 2 && Cg >= 3) {
          const long S = ceil_div(Cg, ceil_div(Cg, slideRows));
          for (long kh = 0; kh < c->KH; kh++) for (long r = 0; r < Cg; r += S) {
            t.a[0] = src + h * t.a_row + kh * c->dil_h * p.cols * C + g * Cg + r;
            for (long kw = 0; kw < 3; kw++) t.c[kw] = dw + ((kh * 3 + kw) * Cg + r) * O + g * Og + o;
            weight_slide_table[min_l(S, Cg - r) - 1][masked](&t);
          }
          continue;
        }
        for (long q = 0; q < runs; q += stack) {
          const long G = min_l(stack, runs - q);
          for (long r = 0; r < run; r += R) {
            for (long i = 0; i < G; i++) {
              const long kh = by_row ? q + i : (q + i) / c->KW, kw = by_row ? 0 : (q + i) % c->KW;
              t.a[i] = src + h * t.a_row + (kh * c->dil_h * p.cols + kw * c->dil_w) * C + g * Cg + r;
              t.c[i] = dw + ((q + i) * run + r) * O + g * Og + o;
            }
            weight_tile_table[G - 1][nv - 1][min_l(R, run - r) - 1][masked](&t);
          }
        }
      }
    }
  }
}
