// The forward convolution as an implicit matrix product: no im2col.
//
// One sample is laid out as [row][channel][column phase][column] with its zero border (a copy some hundred times cheaper
// than the product). Consecutive output columns are then consecutive in memory. A stride becomes phases: columns are
// stored by their remainder. The weights come packed, together with the table of offsets.

typedef struct ForwardPlan {
  bool winograd, narrow, pointwise;
  Winograd wino;
  Spread spread;
  bool in_place;
  long K, rows, cols;
  int32_t *off, *w_off;  // packed with the weights
  float *panels;         // packed weights; depthwise: the weights as they are
  float *sample;         // in scratch
} ForwardPlan;

static ForwardPlan forward_plan(const AccConv *c, Carver *packed, Carver *scratch) {
  ForwardPlan p = {0};
  const long Cg = c->C / c->groups, Og = c->O / c->groups, taps = c->KH * c->KW;
  p.winograd = winograd_pays(c, false);
  if (p.winograd) {
    p.K = 9 * c->C;
    p.wino = winograd_plan(c, false, packed, scratch);
    return p;
  }
  p.rows = conv_rows(c);
  p.cols = conv_cols(c);
  if (conv_is_depthwise(c)) {
    p.K = taps;
    p.off = carve(packed, 4 * taps);
    p.w_off = carve(packed, 4 * taps);
    p.panels = carve(packed, 4 * taps * c->C);
    p.in_place = true;
    return p;
  }
  p.K = taps * Cg;
  p.narrow = conv_is_narrow(Og, c->OW);
  p.pointwise = !p.narrow && conv_is_pointwise(c);
  if (p.pointwise) {
    p.panels = carve(packed, 4 * panel_floats(p.K, Og));
    p.sample = carve(scratch, 4 * pointwise_block_floats(p.K));
    return p;
  }
  // Vectors of pixels read past the last row, which only scratch allows.
  p.in_place = c->C == 1 && c->stride_w == 1 && !conv_needs_border(c) && !p.narrow;
  p.spread.rows = p.rows;
  p.spread.phases = c->stride_w;
  p.spread.width = ceil_div(p.cols, c->stride_w);
  p.spread.pitch = p.spread.phases * p.spread.width;
  if (p.in_place) p.spread.width = p.spread.pitch = c->W;
  p.off = carve(packed, 4 * p.K);
  p.panels = carve(packed, 4 * (p.narrow ? p.K * c->O : c->groups * panel_floats(p.K, Og)));
  p.sample = p.in_place ? NULL : carve(scratch, 4 * (p.spread.rows * c->C * p.spread.pitch + VL));
  return p;
}

// Rows k of the weights that belong to this part, and their offsets.
static void forward_pack(const AccConv *c, const ForwardPlan *p, const float *w, long part, long parts) {
  if (p->winograd) {
    winograd_pack(c, &p->wino, false, w, part, parts);
    return;
  }
  const long Cg = c->C / c->groups, Og = c->O / c->groups, first = p->K * part / parts, last = p->K * (part + 1) / parts;
  if (conv_is_depthwise(c)) {
    const long C = c->C;
    for (long t = first; t < last; t++) {
      p->off[t] = (int32_t)((t / c->KW * c->dil_h * c->W + t % c->KW * c->dil_w) * C);
      p->w_off[t] = (int32_t)(t * C);
    }
    memcpy(p->panels + first * C, w + first * C, sizeof(float) * (size_t)((last - first) * C));
    return;
  }
  const long row_pitch = c->C * p->spread.pitch;
  for (long k = first; k < last && !p->pointwise; k++) {
    const long tap = k / Cg, ci = k % Cg, q = tap % c->KW * c->dil_w;
    p->off[k] = (int32_t)(tap / c->KW * c->dil_h * row_pitch + ci * p->spread.pitch + q % c->stride_w * p->spread.width + q / c->stride_w);
  }
  if (p->narrow) {
    for (long g = 0; g < c->groups; g++) for (long k = first; k < last; k++)
      memcpy(p->panels + (g * p->K + k) * Og, w + k * c->O + g * Og, sizeof(float) * (size_t)Og);
    return;
  }
  for (long k = first; k < last; k += 32) for (long g = 0; g < c->groups; g++) for (long o = 0; o < Og; o += convNR) // w in order
    pack_panel(min_l(32, last - k), min_l(convNR, Og - o), w + k * c->O + g * Og + o, c->O, 1,
           p->panels + g * panel_floats(p->K, Og) + o * p->K + k * convNR);
}

// The sample as the product reads it: in place, or laid out in scratch.
static const float *forward_sample(const AccConv *c, const ForwardPlan *p, const float *x, long n) {
  const float *src = x + n * c->H * c->W * c->C;
  if (p->in_place || p->winograd || p->pointwise || p->K == 0) return src;
  spread_sample(src, c->H, c->W, c->C, c->pad_top, c->pad_left, p->spread, p->sample);
  return p->sample;
}

// Output rows r0..<r1; `out` is where row r0 goes, rows lie OW * O apart. r0 must be a multiple of forward_row_step, and so
// must r1 unless it is OH.
// Winograd wants a full tile of 2 x 2 outputs at a time.
INLINE long forward_row_step(const ForwardPlan *p) { return p->winograd ? 2 * ceil_div(MR_MAX, p->wino.tiles_w) : 1; }
static void forward_rows(const AccConv *c, const ForwardPlan *p, const float *src, long r0, long r1, float *out, const AccEpilogue *ep) {
  if (p->winograd) {
    winograd_rows(&p->wino, src, 1, r0 / 2, ceil_div(r1, 2), out, 0, ep);
    return;
  }
  if (p->pointwise) {
    const long row_step = c->stride_h * c->W * c->C;
    pointwise_pixels(src + r0 * row_step, r1 - r0, c->OW, row_step, c->stride_w * c->C, c->C, c->O, p->panels, out, ep, p->sample);
    return;
  }
  if (conv_is_depthwise(c)) {
    for (long r = r0; r < r1; r++)
      depthwise_forward_row(c, src, r, p->panels, p->off, p->w_off, out + (r - r0) * c->OW * c->C, ep);
    return;
  }
  const long Cg = c->C / c->groups, Og = c->O / c->groups, row_step = c->stride_h * c->C * p->spread.pitch;
  const bool relu = ep && ep->activation == accActivationRelu;
  if (p->narrow) {
    for (long g = 0; g < c->groups; g++)
      narrow_pixels(src + g * Cg * p->spread.pitch + r0 * row_step, row_step, r1 - r0, c->OW, p->off, p->K, p->panels + g * p->K * Og, Og,
                    Og, out + g * Og, c->OW * c->O, c->O, ep && ep->bias ? ep->bias + g * Og : NULL, relu);
    return;
  }
  const long mr = conv_tile_rows(c->OW);
  ConvTile t = {.K = p->K, .off = p->off, .ldc = c->O, .relu = relu};
  for (long g = 0; g < c->groups; g++) for (long o = 0; o < Og; o += convNR) {
    t.b = p->panels + g * panel_floats(p->K, Og) + o * p->K;
    t.bias = ep && ep->bias ? ep->bias + g * Og + o : NULL;
    const float *a = src + g * Cg * p->spread.pitch;
    for (long r = r0; r < r1; r++) for (long ow = 0; ow < c->OW; ow += mr) {
      t.a = a + r * row_step + ow;
      t.c = out + ((r - r0) * c->OW + ow) * c->O + g * Og + o;
      run_conv_tile(&t, convTable, min_l(mr, c->OW - ow), min_l(convNR, Og - o));
    }
  }
}

static void forward_samples(const AccConv *c, const ForwardPlan *p, const float *x, float *y, long n0, long n1, const AccEpilogue *ep) {
  if (p->winograd) {
    const long size = c->OH * c->OW * c->O;
    winograd_rows(&p->wino, x + n0 * c->H * c->W * c->C, n1 - n0, 0, p->wino.tiles_h, y + n0 * size, size, ep);
    return;
  }
  for (long n = n0; n < n1; n++)
    forward_rows(c, p, forward_sample(c, p, x, n), 0, c->OH, y + n * c->OH * c->OW * c->O, ep);
}

static void conv_forward_packed(const AccConv *c, const float *x, const void *packed, float *y, long n0, long n1, const AccEpilogue *ep,
                                void *scratch) {
  if (conv_is_empty(c) || n1 <= n0) return;
  Carver w = {(char *)packed, 0}, s = {scratch, 0};
  const ForwardPlan p = forward_plan(c, &w, &s);
  forward_samples(c, &p, x, y, n0, n1, ep);
}

static void conv_forward(const AccConv *c, const float *x, const float *w, float *y, long n0, long n1, const AccEpilogue *ep,
                         void *scratch) {
  if (conv_is_empty(c) || n1 <= n0) return;
  Carver s = {scratch, 0};
  const ForwardPlan p = forward_plan(c, &s, &s);
  forward_pack(c, &p, w, 0, 1);
  forward_samples(c, &p, x, y, n0, n1, ep);
}
