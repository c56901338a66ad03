// Convolutions as implicit matrix products: no im2col.
//
// Forward and backward data first lay one sample out as [row][channel][column phase][column] with its zero border (a copy
// some hundred times cheaper than the product). Consecutive output columns are then consecutive in memory, so the register
// tile of the matrix product serves unchanged, with a table of one offset for each k = (tap, channel). A stride becomes
// phases: forward, columns are stored by their remainder; backward, the input pixels of each remainder form a dense
// convolution of their own over the taps that reach them.
//
// Backward weights keeps a tile of dw in registers while it walks the pixels: rows of the tile are a contiguous run of
// (tap column, channel) in the bordered NHWC sample.

// ---- carving up the caller's scratch

typedef struct Carver { char *base; long used; } Carver;
static void *carve(Carver *s, long bytes) {
  void *p = s->base ? s->base + s->used : NULL;
  s->used += (bytes + 63) / 64 * 64;
  return p;
}

INLINE bool conv_is_depthwise(const AccConv *c) { return c->groups > 1 && c->groups == c->C && c->groups == c->O; }
INLINE bool conv_is_empty(const AccConv *c) { return c->OH <= 0 || c->OW <= 0 || c->O <= 0; }
/// Rows and columns of the bordered input that the taps reach.
INLINE long conv_rows(const AccConv *c) { return c->OH <= 0 ? 0 : (c->OH - 1) * c->stride_h + (c->KH - 1) * c->dil_h + 1; }
INLINE long conv_cols(const AccConv *c) { return c->OW <= 0 ? 0 : (c->OW - 1) * c->stride_w + (c->KW - 1) * c->dil_w + 1; }
INLINE bool conv_needs_border(const AccConv *c) {
  return c->pad_top || c->pad_left || conv_rows(c) > c->H || conv_cols(c) > c->W;
}

// ---- weights as panels of NR columns, [panel][k][NR], zero filled

INLINE long panel_floats(long K, long n) { return K * ceil_div(n, NR) * NR; }

// ---- one sample as [row][channel][phase][column]

typedef struct Spread {
  long rows, phases, width, pitch; // width of one phase; pitch of one channel = phases * width
} Spread;

// dst row r is src row r - top (zero outside 0..<H), column likewise with left.
static void spread_sample(const float *src, long H, long W, long C, long top, long left, Spread s, float *dst) {
  for (long r = 0; r < s.rows; r++) {
    float *row = dst + r * C * s.pitch;
    const long h = r - top;
    if (h < 0 || h >= H) {
      memset(row, 0, sizeof(float) * (size_t)(C * s.pitch));
      continue;
    }
    const float *in = src + h * W * C;
    const long cols = s.pitch, first = min_l(left, cols), last = min_l(cols, left + W); // bordered columns first..<last hold data
    if (s.phases == 1) {
      if (C == 1) {
        for (long q = 0; q < first; q++) row[q] = 0;
        memcpy(row + first, in + (first - left), sizeof(float) * (size_t)max_l(0, last - first));
        for (long q = max_l(last, first); q < cols; q++) row[q] = 0;
        continue;
      }
      for (long c = 0; c < C; c++) {
        for (long q = 0; q < first; q++) row[c * cols + q] = 0;
        for (long q = max_l(last, first); q < cols; q++) row[c * cols + q] = 0;
      }
      long c = 0;
      for (; c + VL <= C; c += VL) {
        long q = first;
        for (; q + VL <= last; q += VL) {
          vf t[VL];
          load_transposed(in + (q - left) * C + c, C, t);
          UNROLL for (int i = 0; i < VL; i++) vstore(row + (c + i) * cols + q, t[i]);
        }
        if (q < last) {
          vf t[VL];
          const long n = last - q;
          for (long i = 0; i < VL; i++) t[i] = i < n ? vload(in + (q + i - left) * C + c) : (vf){0};
          transpose_tile(t);
          const vmask m = mask_of(n);
          for (int i = 0; i < VL; i++) vstore_m(row + (c + i) * cols + q, m, t[i]);
        }
      }
      for (; c < C; c++) for (long q = first; q < last; q++) row[c * cols + q] = in[(q - left) * C + c];
    } else {
      for (long f = 0; f < s.phases; f++) {
        // Columns j of this phase are pixels j * phases + f - left; those in j0..<j1 exist.
        const long step = s.phases * C, j0 = min_l(s.width, left > f ? ceil_div(left - f, s.phases) : 0),
                   j1 = max_l(j0, min_l(s.width, ceil_div(max_l(0, W + left - f), s.phases)));
        const float *from = in + (f - left) * C;
        for (long c = 0; c < C; c++) {
          float *to = row + c * s.pitch + f * s.width;
          for (long j = 0; j < j0; j++) to[j] = 0;
          for (long j = j1; j < s.width; j++) to[j] = 0;
        }
        long c = 0;
        for (; c + VL <= C; c += VL) for (long j = j0; j < j1; j += VL) {
          vf t[VL];
          float *to = row + c * s.pitch + f * s.width + j;
          if (j + VL <= j1) {
            load_transposed(from + j * step + c, step, t);
            UNROLL for (int i = 0; i < VL; i++) vstore(to + i * s.pitch, t[i]);
          } else {
            const long n = j1 - j;
            for (long i = 0; i < VL; i++) t[i] = i < n ? vload(from + (j + i) * step + c) : (vf){0};
            transpose_tile(t);
            const vmask m = mask_of(n);
            for (int i = 0; i < VL; i++) vstore_m(to + i * s.pitch, m, t[i]);
          }
        }
        for (; c < C; c++) {
          float *to = row + c * s.pitch + f * s.width;
          for (long j = j0; j < j1; j++) to[j] = from[j * step + c];
        }
      }
    }
  }
}

// ---- one sample with its zero border, NHWC

static void border_sample(const float *src, long H, long W, long C, long top, long left, long rows, long cols, float *dst) {
  for (long r = 0; r < rows; r++) {
    float *row = dst + r * cols * C;
    const long h = r - top, first = min_l(left, cols), last = max_l(first, min_l(cols, left + W));
    if (h < 0 || h >= H) {
      memset(row, 0, sizeof(float) * (size_t)(cols * C));
      continue;
    }
    memset(row, 0, sizeof(float) * (size_t)(first * C));
    memcpy(row + first * C, src + (h * W + first - left) * C, sizeof(float) * (size_t)((last - first) * C));
    memset(row + last * C, 0, sizeof(float) * (size_t)((cols - last) * C));
  }
}

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

// ---- forward

typedef struct ForwardPlan {
  Spread spread;
  bool in_place, packed;
  long K, rows, cols;
  int32_t *off, *w_off;
  float *sample, *panels;
} ForwardPlan;

static ForwardPlan forward_plan(const AccConv *c, Carver *s) {
  ForwardPlan p = {0};
  const long Cg = c->C / c->groups, Og = c->O / c->groups, taps = c->KH * c->KW;
  p.rows = conv_rows(c);
  p.cols = conv_cols(c);
  if (conv_is_depthwise(c)) {
    p.off = carve(s, 4 * taps);
    p.w_off = carve(s, 4 * taps);
    p.in_place = !conv_needs_border(c);
    p.sample = p.in_place ? NULL : carve(s, 4 * p.rows * p.cols * c->C);
    return p;
  }
  p.K = taps * Cg;
  p.in_place = c->C == 1 && c->stride_w == 1 && !conv_needs_border(c);
  p.spread.rows = p.rows;
  p.spread.phases = c->stride_w;
  p.spread.width = ceil_div(p.cols, c->stride_w);
  p.spread.pitch = p.spread.phases * p.spread.width;
  if (p.in_place) p.spread.width = p.spread.pitch = c->W;
  p.off = carve(s, 4 * p.K);
  p.sample = p.in_place ? NULL : carve(s, 4 * p.spread.rows * c->C * p.spread.pitch);
  p.packed = Og > NR || Og % VL;
  p.panels = p.packed ? carve(s, 4 * c->groups * panel_floats(p.K, Og)) : NULL;
  return p;
}

static void depthwise_forward(const AccConv *c, const float *x, const float *w, float *y, long n0, long n1, const AccEpilogue *ep,
                              ForwardPlan p) {
  const long cols = p.in_place ? c->W : p.cols, C = c->C;
  for (long kh = 0; kh < c->KH; kh++) for (long kw = 0; kw < c->KW; kw++) {
    p.off[kh * c->KW + kw] = (int32_t)((kh * c->dil_h * cols + kw * c->dil_w) * C);
    p.w_off[kh * c->KW + kw] = (int32_t)((kh * c->KW + kw) * C);
  }
  const Taps taps = {c->KH * c->KW, p.off, p.w_off};
  for (long n = n0; n < n1; n++) {
    const float *src = x + n * c->H * c->W * C;
    if (!p.in_place) {
      border_sample(src, c->H, c->W, C, c->pad_top, c->pad_left, p.rows, p.cols, p.sample);
      src = p.sample;
    }
    for (long oh = 0; oh < c->OH; oh++)
      depthwise_row(c->OW, C, src + oh * c->stride_h * cols * C, c->stride_w * C, w, taps, y + (n * c->OH + oh) * c->OW * C, C, ep);
  }
}

static void conv_forward(const AccConv *c, const float *x, const float *w, float *y, long n0, long n1, const AccEpilogue *ep,
                         void *scratch) {
  if (conv_is_empty(c) || n1 <= n0) return;
  Carver s = {scratch, 0};
  const ForwardPlan p = forward_plan(c, &s);
  if (conv_is_depthwise(c)) {
    depthwise_forward(c, x, w, y, n0, n1, ep, p);
    return;
  }
  const long Cg = c->C / c->groups, Og = c->O / c->groups, row_pitch = c->C * p.spread.pitch;
  for (long kh = 0, k = 0; kh < c->KH; kh++) for (long kw = 0; kw < c->KW; kw++) for (long ci = 0; ci < Cg; ci++, k++) {
    const long q = kw * c->dil_w;
    p.off[k] = (int32_t)(kh * c->dil_h * row_pitch + ci * p.spread.pitch + q % c->stride_w * p.spread.width + q / c->stride_w);
  }
  if (p.packed)
    for (long k = 0; k < p.K; k += 32) for (long g = 0; g < c->groups; g++) for (long o = 0; o < Og; o += NR) // w in order
      pack_b(min_l(32, p.K - k), min_l(NR, Og - o), w + k * c->O + g * Og + o, c->O, 1,
             p.panels + g * panel_floats(p.K, Og) + o * p.K + k * NR);
  const long mr = tile_rows(c->OW);
  Tile t = {.K = p.K, .off = p.off, .ldc = c->O, .relu = ep && ep->activation == accActivationRelu};
  for (long n = n0; n < n1; n++) {
    const float *src = x + n * c->H * c->W * c->C;
    if (!p.in_place) {
      spread_sample(src, c->H, c->W, c->C, c->pad_top, c->pad_left, p.spread, p.sample);
      src = p.sample;
    }
    float *out = y + n * c->OH * c->OW * c->O;
    for (long g = 0; g < c->groups; g++) for (long o = 0; o < Og; o += NR) {
      t.b = p.packed ? p.panels + g * panel_floats(p.K, Og) + o * p.K : w + g * Og + o;
      t.ldb = p.packed ? NR : c->O;
      t.bias = ep && ep->bias ? ep->bias + g * Og + o : NULL;
      const float *a = src + g * Cg * p.spread.pitch;
      for (long oh = 0; oh < c->OH; oh++) for (long ow = 0; ow < c->OW; ow += mr) {
        t.a = a + oh * c->stride_h * row_pitch + ow;
        t.c = out + (oh * c->OW + ow) * c->O + g * Og + o;
        run_tile(&t, formTable, min_l(mr, c->OW - ow), min_l(NR, Og - o));
      }
    }
  }
}

// ---- backward data

typedef struct DataPlan {
  Spread spread;
  long top, left; // rows and columns of border before dy
  long K;         // over all phases together
  int32_t *off, *w_off;
  float *sample, *panels;
} DataPlan;

static DataPlan data_plan(const AccConv *c, Carver *s) {
  DataPlan p = {0};
  const long Og = c->O / c->groups, Cg = c->C / c->groups, taps = c->KH * c->KW;
  p.top = max_l(0, ceil_div(max_l(0, (c->KH - 1) * c->dil_h - c->pad_top), c->stride_h));
  p.left = max_l(0, ceil_div(max_l(0, (c->KW - 1) * c->dil_w - c->pad_left), c->stride_w));
  p.spread.rows = p.top + max_l(c->OH, (c->H - 1 + c->pad_top) / c->stride_h + 1);
  p.spread.width = p.left + max_l(c->OW, (c->W - 1 + c->pad_left) / c->stride_w + 1);
  p.spread.phases = 1;
  p.spread.pitch = p.spread.width;
  p.K = taps * Og;
  const bool depthwise = conv_is_depthwise(c);
  p.off = carve(s, 4 * p.K);
  p.w_off = depthwise ? carve(s, 4 * taps) : NULL;
  p.sample = carve(s, 4 * p.spread.rows * c->O * p.spread.pitch);
  p.panels = depthwise ? NULL : carve(s, 4 * c->groups * panel_floats(p.K, Cg));
  return p;
}

INLINE long floor_mod(long a, long b) { return (a % b + b) % b; }
// The first pixel whose position plus padding has this remainder, and how many there are below `size`.
INLINE long phase_first(long phase, long pad, long stride) { return floor_mod(phase - pad, stride); }
INLINE long phase_count(long first, long size, long stride) { return first >= size ? 0 : (size - 1 - first) / stride + 1; }

static void conv_backward_data(const AccConv *c, const float *dy, const float *w, float *dx, long n0, long n1, void *scratch) {
  if (n1 <= n0 || c->H <= 0 || c->W <= 0 || c->C <= 0) return;
  if (conv_is_empty(c)) {
    memset(dx + n0 * c->H * c->W * c->C, 0, sizeof(float) * (size_t)((n1 - n0) * c->H * c->W * c->C));
    return;
  }
  Carver s = {scratch, 0};
  const DataPlan p = data_plan(c, &s);
  const long Cg = c->C / c->groups, Og = c->O / c->groups, sh = c->stride_h, sw = c->stride_w;
  const bool depthwise = conv_is_depthwise(c);
  // A pixel step and a channel step in the sample: depthwise keeps NHWC, the product wants columns contiguous.
  const long col_step = depthwise ? c->O : 1, channel_step = depthwise ? 1 : p.spread.pitch, row_pitch = c->O * p.spread.pitch;
  // Taps ordered by phase; the offsets and weight rows of a phase are contiguous.
  long k = 0;
  for (long rh = 0; rh < sh; rh++) for (long rw = 0; rw < sw; rw++) {
    const long ih = phase_first(rh, c->pad_top, sh), iw = phase_first(rw, c->pad_left, sw);
    for (long kh = 0; kh < c->KH; kh++) {
      if (floor_mod(ih + c->pad_top - kh * c->dil_h, sh)) continue;
      for (long kw = 0; kw < c->KW; kw++) {
        if (floor_mod(iw + c->pad_left - kw * c->dil_w, sw)) continue;
        const long row = (ih + c->pad_top - kh * c->dil_h) / sh + p.top, col = (iw + c->pad_left - kw * c->dil_w) / sw + p.left;
        const long base = row * row_pitch + col * col_step, tap = kh * c->KW + kw;
        if (depthwise) p.w_off[k] = (int32_t)(tap * c->C);
        else
          for (long g = 0; g < c->groups; g++) for (long ci = 0; ci < Cg; ci += NR)
            pack_b(Og, min_l(NR, Cg - ci), w + (tap * Cg + ci) * c->O + g * Og, 1, c->O,
                   p.panels + g * panel_floats(p.K, Cg) + ci * p.K + k * NR);
        for (long o = 0; o < Og; o++) p.off[k++] = (int32_t)(base + o * channel_step);
      }
    }
  }
  for (long n = n0; n < n1; n++) {
    const float *src = dy + n * c->OH * c->OW * c->O;
    float *out = dx + n * c->H * c->W * c->C;
    if (depthwise) border_sample(src, c->OH, c->OW, c->O, p.top, p.left, p.spread.rows, p.spread.width, p.sample);
    else spread_sample(src, c->OH, c->OW, c->O, p.top, p.left, p.spread, p.sample);
    long k0 = 0;
    for (long rh = 0; rh < sh; rh++) for (long rw = 0; rw < sw; rw++) {
      const long ih0 = phase_first(rh, c->pad_top, sh), iw0 = phase_first(rw, c->pad_left, sw);
      long hits_h = 0, hits_w = 0;
      for (long kh = 0; kh < c->KH; kh++) hits_h += !floor_mod(ih0 + c->pad_top - kh * c->dil_h, sh);
      for (long kw = 0; kw < c->KW; kw++) hits_w += !floor_mod(iw0 + c->pad_left - kw * c->dil_w, sw);
      const long K = hits_h * hits_w * Og, nh = phase_count(ih0, c->H, sh), nw = phase_count(iw0, c->W, sw);
      if (depthwise) {
        const Taps taps = {K, p.off + k0, p.w_off + k0};
        for (long i = 0; i < nh; i++)
          depthwise_row(nw, c->C, p.sample + i * row_pitch, c->O, w, taps, out + ((ih0 + i * sh) * c->W + iw0) * c->C, sw * c->C, NULL);
      } else if (nw > 0) {
        const long mr = tile_rows(nw);
        Tile t = {.K = K, .off = p.off + k0, .ldb = NR, .ldc = sw * c->C};
        for (long g = 0; g < c->groups; g++) for (long ci = 0; ci < Cg; ci += NR) {
          t.b = p.panels + g * panel_floats(p.K, Cg) + ci * p.K + k0 * NR;
          for (long i = 0; i < nh; i++) for (long j = 0; j < nw; j += mr) {
            t.a = p.sample + i * row_pitch + g * Og * p.spread.pitch + j;
            t.c = out + ((ih0 + i * sh) * c->W + iw0 + j * sw) * c->C + g * Cg + ci;
            run_tile(&t, formTable, min_l(mr, nw - j), min_l(NR, Cg - ci));
          }
        }
      }
      k0 += K;
    }
  }
}

// ---- backward weights

enum { maxStack = 4 };
// A register tile of dw: `stack` runs of R contiguous rows each.
typedef struct WeightTile {
  long rows, cols;                 // pixels
  const float *a[maxStack];        // first pixel of each run
  long a_col, a_row;               // steps from pixel to pixel
  const float *b;                  // dy
  long b_col, b_row;
  float *c[maxStack];              // dw, each run
  long ldc, lanes;
  bool load_c;
} WeightTile;

INLINE void weight_tile_body(const WeightTile *t, const int G, const int R, const int NV, const int MASKED) {
  vf acc[MR_MAX][2];
  const vmask mask = mask_of(t->lanes);
#define LAST(n) (MASKED && (n) == NV - 1)
  UNROLL for (int g = 0; g < G; g++) UNROLL for (int r = 0; r < R; r++) UNROLL for (int n = 0; n < NV; n++) {
    const float *p = t->c[g] + r * t->ldc + n * VL;
    acc[g * R + r][n] = !t->load_c ? (vf){0} : LAST(n) ? vload_m(p, mask) : vload(p);
  }
  const long a_col = t->a_col, b_col = t->b_col;
  for (long h = 0; h < t->rows; h++) {
    const float *a[maxStack], *b = t->b + h * t->b_row;
    UNROLL for (int g = 0; g < G; g++) a[g] = t->a[g] + h * t->a_row;
    _Pragma("clang loop unroll_count(2)") for (long w = 0; w < t->cols; w++) {
      vf bv[2];
      UNROLL for (int n = 0; n < NV; n++) bv[n] = LAST(n) ? vload_m(b + n * VL, mask) : vload(b + n * VL);
      UNROLL for (int g = 0; g < G; g++) UNROLL for (int r = 0; r < R; r++) {
        const vf av = vset(a[g][r]);
        UNROLL for (int n = 0; n < NV; n++) acc[g * R + r][n] = vfma(av, bv[n], acc[g * R + r][n]);
      }
      UNROLL for (int g = 0; g < G; g++) a[g] += a_col;
      b += b_col;
    }
  }
  UNROLL for (int g = 0; g < G; g++) UNROLL for (int r = 0; r < R; r++) UNROLL for (int n = 0; n < NV; n++) {
    float *p = t->c[g] + r * t->ldc + n * VL;
    if (LAST(n)) vstore_m(p, mask, acc[g * R + r][n]); else vstore(p, acc[g * R + r][n]);
  }
#undef LAST
}

typedef void (*WeightTileFn)(const WeightTile *);
#if ACC_AVX512
#define WTILE_FN(g, r, nv) static void wtile_##g##_##nv##_##r(const WeightTile *t) { weight_tile_body(t, g, r, nv, 1); }
#define WTILE_REF(g, r, nv) [g - 1][nv - 1][r - 1] = {wtile_##g##_##nv##_##r},
#else
#define WTILE_FN(g, r, nv)                                                                                                         \
  static void wtile_##g##_##nv##_##r(const WeightTile *t) { weight_tile_body(t, g, r, nv, 0); }                                    \
  static void wtile_##g##_##nv##_##r##_masked(const WeightTile *t) { weight_tile_body(t, g, r, nv, 1); }
#define WTILE_REF(g, r, nv) [g - 1][nv - 1][r - 1] = {wtile_##g##_##nv##_##r, wtile_##g##_##nv##_##r##_masked},
#endif
#define EACH_R2(X, g, nv) X(g, 1, nv) X(g, 2, nv)
#define EACH_R3(X, g, nv) EACH_R2(X, g, nv) X(g, 3, nv)
#define EACH_R4(X, g, nv) EACH_R3(X, g, nv) X(g, 4, nv)
#define EACH_R6(X, g, nv) EACH_R4(X, g, nv) X(g, 5, nv) X(g, 6, nv)
#define EACH_R7(X, g, nv) EACH_R6(X, g, nv) X(g, 7, nv)
#if MR_MAX == 14
#define EACH_GR(X, nv) EACH_MR(X, 1, nv) EACH_R7(X, 2, nv) EACH_R4(X, 3, nv) EACH_R3(X, 4, nv)
#elif MR_MAX == 12
#define EACH_GR(X, nv) EACH_MR(X, 1, nv) EACH_R6(X, 2, nv) EACH_R4(X, 3, nv) EACH_R3(X, 4, nv)
#else
#define EACH_GR(X, nv) EACH_MR(X, 1, nv) EACH_R3(X, 2, nv) EACH_R2(X, 3, nv) X(4, 1, nv)
#endif
EACH_GR(WTILE_FN, 1)
EACH_GR(WTILE_FN, 2)
static const WeightTileFn weight_tile_table[maxStack][2][MR_MAX][maskVariants] = {EACH_GR(WTILE_REF, 1) EACH_GR(WTILE_REF, 2)};

typedef struct WeightPlan {
  bool in_place;
  long rows, cols;
  float *sample;
} WeightPlan;

static WeightPlan weight_plan(const AccConv *c, Carver *s) {
  WeightPlan p = {0};
  p.in_place = !conv_needs_border(c);
  p.rows = p.in_place ? c->H : conv_rows(c);
  p.cols = p.in_place ? c->W : conv_cols(c);
  p.sample = p.in_place ? NULL : carve(s, 4 * p.rows * p.cols * c->C);
  return p;
}

// dw[t][c] += sum over pixels of x * dy, T taps at a time.
INLINE void depthwise_weights_taps(const int T, const AccConv *c, const float *src, long cols, const float *dy, long tap0, float *dw, vmask m,
                                   bool load) {
  vf acc[4];
  long off[4];
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
    long t = 0;
    for (; t + 4 <= taps; t += 4) depthwise_weights_taps(4, c, src + ch, cols, dy + ch, t, dw + ch, m, load);
    for (; t + 3 <= taps; t += 3) depthwise_weights_taps(3, c, src + ch, cols, dy + ch, t, dw + ch, m, load);
    for (; t < taps; t++) depthwise_weights_taps(1, c, src + ch, cols, dy + ch, t, dw + ch, m, load);
  }
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
  const long Og = c->O / c->groups, C = c->C, O = c->O;
  // Runs: contiguous rows of dw whose inputs are contiguous too.
  const bool by_row = c->groups == 1 && c->dil_w == 1;
  const long run = by_row ? c->KW * C : Cg, runs = by_row ? c->KH : taps;
  const long R = tile_rows(run);
  const long stack = R < run ? 1 : min_l(min_l(runs, maxStack), MR_MAX / R);
  // So many rows of pixels at a time that both operands stay in the second-level cache.
  const long chunk = max_l(1, 65536 / max_l(1, c->stride_h * p.cols * C + c->OW * min_l(O, NR)));
  WeightTile t = {.a_col = c->stride_w * C, .a_row = c->stride_h * p.cols * C, .b_col = O, .b_row = c->OW * O, .cols = c->OW, .ldc = O};
  for (long n = n0; n < n1; n++) {
    const float *src = x + n * c->H * c->W * C, *d = dy + n * c->OH * c->OW * O;
    if (!p.in_place) {
      border_sample(src, c->H, c->W, C, c->pad_top, c->pad_left, p.rows, p.cols, p.sample);
      src = p.sample;
    }
    const bool load = accumulate || n > n0;
    if (conv_is_depthwise(c)) {
      depthwise_weights(c, src, p.cols, d, dw, load);
      continue;
    }
    for (long h = 0; h < c->OH; h += chunk) {
      t.rows = min_l(chunk, c->OH - h);
      t.load_c = load || h > 0;
      for (long g = 0; g < c->groups; g++) for (long o = 0; o < Og; o += NR) {
        const long cols = min_l(NR, Og - o);
        const int nv = cols > VL ? 2 : 1;
        t.lanes = cols - (nv - 1) * VL;
        const int masked = maskVariants == 2 && t.lanes < VL;
        t.b = d + h * t.b_row + g * Og + o;
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

static long conv_scratch_bytes(const AccConv *c) {
  if (c->groups <= 0 || c->C <= 0 || conv_is_empty(c) || c->KH <= 0 || c->KW <= 0) return 64;
  Carver f = {0}, d = {0}, w = {0};
  forward_plan(c, &f);
  data_plan(c, &d);
  weight_plan(c, &w);
  return max_l(f.used, max_l(d.used, w.used)) + 64;
}
