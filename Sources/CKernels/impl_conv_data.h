// The gradient of a convolution's input: a forward convolution of the output's gradient with the kernel turned round. With
// a stride, the input pixels of each remainder form a dense convolution of their own over the taps that reach them.

typedef struct DataPlan {
  bool winograd, narrow, pointwise;
  Winograd wino;
  Spread spread;
  long top, left;        // rows and columns of border before dy
  long K;                // over all phases together
  int32_t *off, *w_off;  // packed with the weights
  float *panels;         // packed weights; depthwise: the weights as they are
  float *sample;         // in scratch
} DataPlan;

static DataPlan data_plan(const AccConv *c, Carver *packed, Carver *scratch) {
  DataPlan p = {0};
  const long Og = c->O / c->groups, Cg = c->C / c->groups, taps = c->KH * c->KW;
  p.winograd = winograd_pays(c, true);
  if (p.winograd) {
    p.wino = winograd_plan(c, true, packed, scratch);
    return p;
  }
  p.top = max_l(0, ceil_div(max_l(0, (c->KH - 1) * c->dil_h - c->pad_top), c->stride_h));
  p.left = max_l(0, ceil_div(max_l(0, (c->KW - 1) * c->dil_w - c->pad_left), c->stride_w));
  p.spread.rows = p.top + max_l(c->OH, (c->H - 1 + c->pad_top) / c->stride_h + 1);
  p.spread.width = p.left + max_l(c->OW, (c->W - 1 + c->pad_left) / c->stride_w + 1);
  p.spread.phases = 1;
  p.spread.pitch = p.spread.width;
  p.K = taps * Og;
  const bool depthwise = conv_is_depthwise(c);
  p.narrow = !depthwise && conv_is_narrow(Cg, ceil_div(c->W, c->stride_w));
  p.pointwise = !p.narrow && !depthwise && c->stride_h == 1 && c->stride_w == 1 && conv_is_pointwise(c) && c->OH == c->H && c->OW == c->W;
  if (p.pointwise) {
    p.panels = carve(packed, 4 * panel_floats(p.K, Cg));
    p.sample = carve(scratch, 4 * pointwise_block_floats(p.K));
    return p;
  }
  p.off = carve(packed, 4 * p.K);
  p.w_off = depthwise ? carve(packed, 4 * taps) : NULL;
  p.panels = carve(packed, 4 * (depthwise ? taps * c->C : p.narrow ? p.K * c->C : c->groups * panel_floats(p.K, Cg)));
  p.sample = carve(scratch, 4 * (p.spread.rows * c->O * p.spread.pitch + VL)); // vectors may read past the last row
  return p;
}

INLINE long floor_mod(long a, long b) { return (a % b + b) % b; }
// The first pixel whose position plus padding has this remainder, and how many there are below `size`.
INLINE long phase_first(long phase, long pad, long stride) { return floor_mod(phase - pad, stride); }
INLINE long phase_count(long first, long size, long stride) { return first >= size ? 0 : (size - 1 - first) / stride + 1; }

static void data_pack(const AccConv *c, const DataPlan *p, const float *w, long part, long parts) {
  if (p->winograd) {
    winograd_pack(c, &p->wino, true, w, NULL, part, parts);
    return;
  }
  const long Cg = c->C / c->groups, Og = c->O / c->groups, sh = c->stride_h, sw = c->stride_w, taps = c->KH * c->KW;
  if (p->pointwise) {
    const long first = Og * part / parts, last = Og * (part + 1) / parts;
    for (long ci = 0; ci < Cg; ci += convNR)
      pack_panel(last - first, min_l(convNR, Cg - ci), w + ci * c->O + first, 1, c->O, NULL,
                 p->panels + ci * p->K + first * convNR);
    return;
  }
  const bool depthwise = conv_is_depthwise(c);
  const long first = taps * part / parts, last = taps * (part + 1) / parts;
  // A pixel step and a channel step in the sample: depthwise keeps NHWC, the product wants columns contiguous.
  const long col_step = depthwise ? c->O : 1, channel_step = depthwise ? 1 : p->spread.pitch, row_pitch = c->O * p->spread.pitch;
  // Taps ordered by phase; the offsets and weight rows of a phase are contiguous.
  long place = -1;
  for (long rh = 0; rh < sh; rh++) for (long rw = 0; rw < sw; rw++) {
    const long ih = phase_first(rh, c->pad_top, sh), iw = phase_first(rw, c->pad_left, sw);
    for (long kh = 0; kh < c->KH; kh++) {
      if (floor_mod(ih + c->pad_top - kh * c->dil_h, sh)) continue;
      for (long kw = 0; kw < c->KW; kw++) {
        if (floor_mod(iw + c->pad_left - kw * c->dil_w, sw)) continue;
        if (++place < first || place >= last) continue;
        const long row = (ih + c->pad_top - kh * c->dil_h) / sh + p->top, col = (iw + c->pad_left - kw * c->dil_w) / sw + p->left;
        const long base = row * row_pitch + col * col_step, tap = kh * c->KW + kw;
        if (depthwise) {
          p->w_off[place] = (int32_t)(tap * c->C);
          p->off[place] = (int32_t)base;
          memcpy(p->panels + tap * c->C, w + tap * c->C, sizeof(float) * (size_t)c->C);
          continue;
        }
        const long k = place * Og;
        if (p->narrow) {
          for (long g = 0; g < c->groups; g++) for (long o = 0; o < Og; o++) for (long ci = 0; ci < Cg; ci++)
            p->panels[(g * p->K + k + o) * Cg + ci] = w[(tap * Cg + ci) * c->O + g * Og + o];
        } else for (long g = 0; g < c->groups; g++) for (long ci = 0; ci < Cg; ci += convNR)
          pack_panel(Og, min_l(convNR, Cg - ci), w + (tap * Cg + ci) * c->O + g * Og, 1, c->O, NULL,
                 p->panels + g * panel_floats(p->K, Cg) + ci * p->K + k * convNR);
        for (long o = 0; o < Og; o++) p->off[k + o] = (int32_t)(base + o * channel_step);
      }
    }
  }
}

static void data_samples(const AccConv *c, const DataPlan *p, const float *dy, float *dx, long n0, long n1) {
  if (p->winograd) {
    const long size = c->H * c->W * c->C;
    winograd_rows(&p->wino, dy + n0 * c->OH * c->OW * c->O, n1 - n0, 0, p->wino.tiles_h, 0, c->C, dx + n0 * size, size, NULL, NULL);
    return;
  }
  if (p->pointwise) {
    for (long n = n0; n < n1; n++)
      pointwise_pixels(dy + n * c->OH * c->OW * c->O, c->OH, c->OW, c->OW * c->O, c->O, c->O, c->C, 0, c->C,
                       p->panels, dx + n * c->H * c->W * c->C, NULL, NULL, p->sample);
    return;
  }
  const long Cg = c->C / c->groups, Og = c->O / c->groups, sh = c->stride_h, sw = c->stride_w;
  const bool depthwise = conv_is_depthwise(c);
  const long row_pitch = c->O * p->spread.pitch;
  for (long n = n0; n < n1; n++) {
    const float *src = dy + n * c->OH * c->OW * c->O;
    float *out = dx + n * c->H * c->W * c->C;
    if (depthwise) border_sample(src, c->OH, c->OW, c->O, p->top, p->left, p->spread.rows, p->spread.width, p->sample);
    else spread_sample(src, c->OH, c->OW, c->O, p->top, p->left, p->spread, 0, p->spread.rows, p->sample);
    long k0 = 0;
    for (long rh = 0; rh < sh; rh++) for (long rw = 0; rw < sw; rw++) {
      const long ih0 = phase_first(rh, c->pad_top, sh), iw0 = phase_first(rw, c->pad_left, sw);
      long hits_h = 0, hits_w = 0;
      for (long kh = 0; kh < c->KH; kh++) hits_h += !floor_mod(ih0 + c->pad_top - kh * c->dil_h, sh);
      for (long kw = 0; kw < c->KW; kw++) hits_w += !floor_mod(iw0 + c->pad_left - kw * c->dil_w, sw);
      const long K = hits_h * hits_w * (depthwise ? 1 : Og), nh = phase_count(ih0, c->H, sh), nw = phase_count(iw0, c->W, sw);
      if (depthwise) {
        const Taps taps = {K, p->off + k0, p->w_off + k0};
        for (long i = 0; i < nh; i++)
          depthwise_row(nw, c->C, p->sample + i * row_pitch, c->O, p->panels, taps, out + ((ih0 + i * sh) * c->W + iw0) * c->C,
                        sw * c->C, NULL, NULL);
      } else if (p->narrow && nw > 0) {
        for (long g = 0; g < c->groups; g++)
          narrow_pixels(p->sample + g * Og * p->spread.pitch, row_pitch, nh, nw, p->off + k0, K, p->panels + (g * p->K + k0) * Cg, Cg, Cg,
                        out + (ih0 * c->W + iw0) * c->C + g * Cg, sh * c->W * c->C, sw * c->C, NULL, NULL, false);
      } else if (nw > 0) {
        const long mr = conv_tile_rows(nw);
        ConvTile t = {.K = K, .off = p->off + k0, .ldc = sw * c->C};
        for (long g = 0; g < c->groups; g++) for (long ci = 0; ci < Cg; ci += convNR) {
          t.b = p->panels + g * panel_floats(p->K, Cg) + ci * p->K + k0 * convNR;
          for (long i = 0; i < nh; i++) for (long j = 0; j < nw; j += mr) {
            t.a = p->sample + i * row_pitch + g * Og * p->spread.pitch + j;
            t.c = out + ((ih0 + i * sh) * c->W + iw0 + j * sw) * c->C + g * Cg + ci;
            run_conv_tile(&t, convTable, min_l(mr, nw - j), min_l(convNR, Cg - ci));
          }
        }
      }
      k0 += K;
    }
  }
}

INLINE bool data_is_trivial(const AccConv *c, float *dx, long n0, long n1) {
  if (n1 <= n0 || c->H <= 0 || c->W <= 0 || c->C <= 0) return true;
  if (!conv_is_empty(c)) return false;
  memset(dx + n0 * c->H * c->W * c->C, 0, sizeof(float) * (size_t)((n1 - n0) * c->H * c->W * c->C));
  return true;
}

static void conv_backward_data_packed(const AccConv *c, const float *dy, const void *packed, float *dx, long n0, long n1, void *scratch) {
  if (data_is_trivial(c, dx, n0, n1)) return;
  Carver w = {(char *)packed, 0}, s = {scratch, 0};
  const DataPlan p = data_plan(c, &w, &s);
  data_samples(c, &p, dy, dx, n0, n1);
}

static void conv_backward_data(const AccConv *c, const float *dy, const float *w, float *dx, long n0, long n1, void *scratch) {
  if (data_is_trivial(c, dx, n0, n1)) return;
  Carver s = {scratch, 0};
  const DataPlan p = data_plan(c, &s, &s);
  data_pack(c, &p, w, 0, 1);
  data_samples(c, &p, dy, dx, n0, n1);
}
