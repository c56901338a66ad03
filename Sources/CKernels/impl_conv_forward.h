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
static void forward_pack(const AccConv *c, const ForwardPlan *p, const float *w, const float *scale, long part, long parts) {
  if (p->winograd) {
    winograd_pack(c, &p->wino, false, w, scale, part, parts);
    return;
  }
  const long Cg = c->C / c->groups, Og = c->O / c->groups, first = p->K * part / parts, last = p->K * (part + 1) / parts;
  if (conv_is_depthwise(c)) {
    const long C = c->C;
    for (long t = first; t < last; t++) {
      p->off[t] = (int32_t)((t / c->KW * c->dil_h * c->W + t % c->KW * c->dil_w) * C);
      p->w_off[t] = (int32_t)(t * C);
    }
    for (long t = first; t < last; t++) pack_scaled(p->panels + t * C, w + t * C, scale, C);
    return;
  }
  const long row_pitch = c->C * p->spread.pitch;
  for (long k = first; k < last && !p->pointwise; k++) {
    const long tap = k / Cg, ci = k % Cg, q = tap % c->KW * c->dil_w;
    p->off[k] = (int32_t)(tap / c->KW * c->dil_h * row_pitch + ci * p->spread.pitch + q % c->stride_w * p->spread.width + q / c->stride_w);
  }
  if (p->narrow) {
    for (long g = 0; g < c->groups; g++) for (long k = first; k < last; k++)
      pack_scaled(p->panels + (g * p->K + k) * Og, w + k * c->O + g * Og, scale ? scale + g * Og : NULL, Og);
    return;
  }
  for (long k = first; k < last; k += 32) for (long g = 0; g < c->groups; g++) for (long o = 0; o < Og; o += convNR) // w in order
    pack_panel(min_l(32, last - k), min_l(convNR, Og - o), w + k * c->O + g * Og + o, c->O, 1, scale ? scale + g * Og + o : NULL,
           p->panels + g * panel_floats(p->K, Og) + o * p->K + k * convNR);
}

// What one call computes of a sample.
typedef struct ForwardPart {
  long r0, r1, o0, o1;   // output rows and outputs
  float *out;            // where row r0 goes, rows lie OW * O apart
  const float *residual; // the same of the residual, or NULL
} ForwardPart;

// Rows are cut at multiples of these; Winograd's tiles are two rows high.
INLINE long forward_part_rows(const ForwardPlan *p) { return p->winograd ? 2 : 1; }
// So are outputs: at panels, or between groups. Depthwise and narrow convolutions are cut along rows only.
INLINE long forward_part_outputs(const AccConv *c, const ForwardPlan *p) {
  return conv_is_depthwise(c) || (p->narrow && c->groups == 1) ? c->O : c->groups > 1 ? c->O / c->groups : convNR;
}

// The sample as the product reads it for output rows r0..<r1: in place, or laid out in scratch.
static const float *forward_sample(const AccConv *c, const ForwardPlan *p, const float *x, long n, long r0, long r1) {
  const float *src = x + n * c->H * c->W * c->C;
  if (p->in_place || p->winograd || p->pointwise || p->K == 0) return src;
  spread_sample(src, c->H, c->W, c->C, c->pad_top, c->pad_left, p->spread, r0 * c->stride_h,
                (r1 - 1) * c->stride_h + (c->KH - 1) * c->dil_h + 1, p->sample);
  return p->sample;
}

// One part of a sample. Rows of a pooling that follows come in steps: Winograd wants a full tile of 2 x 2 outputs at a time.
INLINE long forward_row_step(const ForwardPlan *p) { return p->winograd ? 2 * ceil_div(MR_MAX, p->wino.tiles_w) : 1; }
static void forward_rows(const AccConv *c, const ForwardPlan *p, const float *src, const ForwardPart *part, const AccEpilogue *ep) {
  const long r0 = part->r0, r1 = part->r1, o0 = part->o0, o1 = part->o1;
  if (p->winograd) {
    winograd_rows(&p->wino, src, 1, r0 / 2, ceil_div(r1, 2), o0, o1, part->out, 0, ep, part->residual);
    return;
  }
  if (p->pointwise) {
    const long row_step = c->stride_h * c->W * c->C;
    pointwise_pixels(src + r0 * row_step, r1 - r0, c->OW, row_step, c->stride_w * c->C, c->C, c->O, o0, o1, p->panels, part->out, ep,
                     part->residual, p->sample);
    return;
  }
  if (conv_is_depthwise(c)) {
    for (long r = r0; r < r1; r++) {
      const long at = (r - r0) * c->OW * c->C;
      depthwise_forward_row(c, src, r, p->panels, p->off, p->w_off, part->out + at, ep, part->residual ? part->residual + at : NULL);
    }
    return;
  }
  const long Cg = c->C / c->groups, Og = c->O / c->groups, row_step = c->stride_h * c->C * p->spread.pitch;
  const bool relu = ep && ep->activation == accActivationRelu;
  for (long g = o0 / Og; g < ceil_div(o1, Og); g++) {
    const float *a = src + g * Cg * p->spread.pitch, *bias = ep && ep->bias ? ep->bias + g * Og : NULL;
    if (p->narrow) {
      narrow_pixels(a + r0 * row_step, row_step, r1 - r0, c->OW, p->off, p->K, p->panels + g * p->K * Og, Og, Og, part->out + g * Og,
                    c->OW * c->O, c->O, bias, part->residual ? part->residual + g * Og : NULL, relu);
      continue;
    }
    const long mr = conv_tile_rows(c->OW);
    ConvTile t = {.K = p->K, .off = p->off, .ldc = c->O, .relu = relu};
    const long first = max_l(o0 - g * Og, 0), end = min_l(o1 - g * Og, Og);
    for (long o = first; o < end; o += convNR) {
      t.b = p->panels + g * panel_floats(p->K, Og) + o * p->K;
      t.bias = bias ? bias + o : NULL;
      for (long r = r0; r < r1; r++) for (long ow = 0; ow < c->OW; ow += mr) {
        const long at = ((r - r0) * c->OW + ow) * c->O + g * Og + o;
        t.a = a + r * row_step + ow;
        t.c = part->out + at;
        t.residual = part->residual ? part->residual + at : NULL;
        run_conv_tile(&t, convTable, min_l(mr, c->OW - ow), min_l(convNR, end - o));
      }
    }
  }
}

static void forward_part(const AccConv *c, const ForwardPlan *p, const float *x, float *y, const AccConvPart *part,
                         const AccEpilogue *ep) {
  const float *residual = ep ? ep->residual : NULL;
  const long size = c->OH * c->OW * c->O, first = part->row0 * c->OW * c->O;
  if (p->winograd) {
    const long at = part->n0 * size + first;
    winograd_rows(&p->wino, x + part->n0 * c->H * c->W * c->C, part->n1 - part->n0, part->row0 / 2, ceil_div(part->row1, 2), part->out0,
                  part->out1, y + at, size, ep, residual ? residual + at : NULL);
    return;
  }
  for (long n = part->n0; n < part->n1; n++) {
    const long at = n * size + first;
    const ForwardPart rows = {part->row0, part->row1, part->out0, part->out1, y + at, residual ? residual + at : NULL};
    forward_rows(c, p, forward_sample(c, p, x, n, part->row0, part->row1), &rows, ep);
  }
}

INLINE bool part_is_empty(const AccConvPart *p) { return p->n1 <= p->n0 || p->row1 <= p->row0 || p->out1 <= p->out0; }

static void conv_forward_part(const AccConv *c, const float *x, const void *packed, float *y, const AccConvPart *part,
                              const AccEpilogue *ep, void *scratch) {
  if (conv_is_empty(c) || part_is_empty(part)) return;
  Carver w = {(char *)packed, 0}, s = {scratch, 0};
  const ForwardPlan p = forward_plan(c, &w, &s);
  forward_part(c, &p, x, y, part, ep);
}

static void conv_forward_packed(const AccConv *c, const float *x, const void *packed, float *y, long n0, long n1, const AccEpilogue *ep,
                                void *scratch) {
  const AccConvPart whole = {n0, n1, 0, c->OH, 0, c->O};
  conv_forward_part(c, x, packed, y, &whole, ep, scratch);
}

static void conv_forward(const AccConv *c, const float *x, const float *w, float *y, long n0, long n1, const AccEpilogue *ep,
                         void *scratch) {
  if (conv_is_empty(c) || n1 <= n0) return;
  Carver s = {scratch, 0};
  const ForwardPlan p = forward_plan(c, &s, &s);
  forward_pack(c, &p, w, NULL, 0, 1);
  const AccConvPart whole = {n0, n1, 0, c->OH, 0, c->O};
  forward_part(c, &p, x, y, &whole, ep);
}
