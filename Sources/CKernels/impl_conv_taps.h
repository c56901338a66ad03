// A convolution as one matrix product for each tap, over the pixels of many samples whose tap lies inside the image. So a border
// costs nothing, and weights that do not fit into a core's cache are read once for hundreds of pixels, in the order in which they are.

// The outputs p0..<p1 of the batch whose tap lies inside the image: the input pixel that it reads, and `step` times the output's
// distance from p0. Returns how many there are.
static long pixels_inside(const AccConv *c, long tap, long p0, long p1, int32_t *inputs, int32_t *outputs, long step) {
  const long top = tap / c->KW * c->dil_h - c->pad_top, left = tap % c->KW * c->dil_w - c->pad_left;
  long count = 0, n = p0 / (c->OH * c->OW), oh = p0 / c->OW % c->OH, ow = p0 % c->OW;
  for (long i = p0; i < p1; ow = 0) {
    const long h = oh * c->stride_h + top, end = min_l(p1, i + c->OW - ow);
    if (h >= 0 && h < c->H) {
      const long row = (n * c->H + h) * c->W;
      for (long w = ow * c->stride_w + left; i < end; i++, w += c->stride_w) {
        if (w < 0 || w >= c->W) continue;
        inputs[count] = (int32_t)(row + w);
        outputs[count++] = (int32_t)((i - p0) * step);
      }
    }
    i = end;
    if (++oh == c->OH) {
      oh = 0;
      n++;
    }
  }
  return count;
}

// How many these are in one sample, for all taps together.
static long pixels_inside_sample(const AccConv *c) {
  long rows = 0, cols = 0;
  for (long k = 0; k < c->KH; k++) {
    const TapRange r = taps_inside(k * c->dil_h - c->pad_top, c->OH, c->stride_h, c->H);
    rows += r.end - r.first;
  }
  for (long k = 0; k < c->KW; k++) {
    const TapRange r = taps_inside(k * c->dil_w - c->pad_left, c->OW, c->stride_w, c->W);
    cols += r.end - r.first;
  }
  return rows * cols;
}

// Costs are counted in multiplications. Moving a byte takes as long as three if it does not stay in a core's cache, otherwise as
// long as a half.
static const double costFar = 3, costNear = 0.5;
enum { nearBytes = 786432 };

// ---- forward, and the gradient of the input: rows are pixels, and the weights are read as they are

enum { tapsKC = 384, tapsNC = 256, tapsRows = 256 };

typedef struct TapsScratch { float *a, *b, *c; int32_t *inputs, *outputs; } TapsScratch;
// Samples at a time.
INLINE long taps_samples(const AccConv *c) { return max_l(1, tapsRows / max_l(1, c->OH * c->OW)); }
static TapsScratch taps_scratch(const AccConv *c, Carver *s) {
  const long pixels = min_l(c->N, taps_samples(c)) * c->OH * c->OW;
  TapsScratch p;
  p.a = carve(s, 4 * MR_MAX * rowStride);
  p.b = carve(s, 4 * tapsKC * tapsNC);
  p.c = carve(s, 4 * MR_MAX * NR);
  p.inputs = carve(s, 4 * pixels);
  p.outputs = carve(s, 4 * pixels);
  return p;
}

static long conv_taps_scratch_bytes(const AccConv *c) {
  Carver s = {0};
  if (c->N > 0 && !conv_is_empty(c)) taps_scratch(c, &s);
  return s.used + 64;
}

// A tile's rows of c into or out of `tile`, where they follow one another.
INLINE void move_rows(float *c, long ldc, const int32_t *rows, long count, long lanes, float *tile, bool out) {
  for (long m = 0; m < count; m++) for (long n = 0; n < lanes; n += VL) {
    float *p = c + rows[m] * ldc + n, *q = tile + m * NR + n;
    if (out) vstore_n(p, lanes - n, vload(q)); else vstore(q, vload_n(p, lanes - n));
  }
}

static void finish_rows(float *c, long ldc, long rows, long lanes, const AccEpilogue *ep, const float *bias) {
  const bool relu = ep->activation == accActivationRelu;
  for (long m = 0; m < rows; m++, c += ldc) for (long n = 0; n < lanes; n += VL) {
    vf v = vload_n(c + n, lanes - n);
    if (bias) v += vload_n(bias + n, lanes - n);
    if (relu) v = (vf)((vi)v & ~(v < 0.0f));
    vstore_n(c + n, lanes - n, v);
  }
}

static void conv_taps(const AccConv *c, int direction, const float *from, const float *w, float *to, long n0, long n1, long o0, long o1,
                      const AccEpilogue *ep, void *scratch) {
  const bool forward = direction == accConvForward;
  const long K = forward ? c->C : c->O, ldc = forward ? c->O : c->C, size = forward ? c->OH * c->OW : c->H * c->W;
  if (n1 <= n0 || o1 <= o0 || size <= 0) return;
  Carver s = {scratch, 0};
  const TapsScratch p = taps_scratch(c, &s);
  const long b_rs = forward ? c->O : 1, b_cs = forward ? 1 : c->O, pixels = c->OH * c->OW;
  const long KC = ceil_div(max_l(K, 1), ceil_div(max_l(K, 1), tapsKC)), samples = taps_samples(c);
  Tile t = {.as = rowStride, .ldb = NR, .load_c = true};
  for (long n = n0; n < n1; n += samples) for (long o = o0; o < o1; o += tapsNC) {
    const long nc = min_l(tapsNC, o1 - o), last = min_l(n1, n + samples);
    float *out = to + n * size * ldc + o;
    for (long m = 0; m < (last - n) * size; m++) memset(out + m * ldc, 0, sizeof(float) * (size_t)nc);
    for (long tap = 0; tap < c->KH * c->KW && pixels > 0; tap++) {
      const long count = pixels_inside(c, tap, n * pixels, last * pixels, p.inputs, p.outputs, 1);
      // Distances from the first pixel of these samples.
      for (long i = 0; i < count; i++) p.inputs[i] -= (int32_t)(n * c->H * c->W);
      const int32_t *reads = forward ? p.inputs : p.outputs, *writes = forward ? p.outputs : p.inputs;
      const float *in = from + n * (forward ? c->H * c->W : pixels) * K;
      const long mr = count > 0 ? tile_rows(count) : 1;
      for (long k = 0; k < K && count > 0; k += KC) {
        t.K = min_l(KC, K - k);
        pack_panels(t.K, nc, w + tap * c->C * c->O + k * b_rs + o * b_cs, b_rs, b_cs, p.b, t.K * NR);
        for (long i = 0; i < count; i += mr) {
          const long rows = min_l(mr, count - i);
          for (long m = 0; m < rows; m++) pack_rows(1, t.K, in + reads[i + m] * K + k, 0, p.a + m * rowStride, 0);
          t.a = p.a;
          const bool in_place = writes[i + rows - 1] - writes[i] == rows - 1;
          for (long j = 0; j < nc; j += NR) {
            const long lanes = min_l(NR, nc - j);
            t.b = p.b + j * t.K;
            t.c = in_place ? out + writes[i] * ldc + j : p.c;
            t.ldc = in_place ? ldc : NR;
            if (!in_place) move_rows(out + j, ldc, writes + i, rows, lanes, p.c, false);
            run_tile(&t, formRows, rows, lanes);
            if (!in_place) move_rows(out + j, ldc, writes + i, rows, lanes, p.c, true);
          }
        }
      }
    }
    if (ep) finish_rows(out, ldc, (last - n) * size, nc, ep, ep->bias ? ep->bias + o : NULL);
  }
}

// Packed weights are written once and read by each core, and read again for every strip of tiles, group of pixels or sample, as
// far as the products take no longer. Here each core copies the blocks of its own columns. Measured: a byte of weights costs as
// much as nine multiplications to pack, more if it is transformed, and three when it comes to a core for the first time. A tenth
// is not worth the extra barriers.
static bool conv_taps_pay(const AccConv *c, int direction) {
  if (c->groups != 1 || c->C < VL || c->O < VL || c->N < 1 || conv_is_empty(c)) return false;
  const bool forward = direction == accConvForward;
  const double product = (double)c->C * c->O, weights = 4 * product * c->KH * c->KW;
  if (weights <= nearBytes) return false;
  const long pixels = c->OH * c->OW, chunks = ceil_div(c->N, taps_samples(c));
  const double mine = 1.1 * pixels_inside_sample(c) * product * c->N + (forward ? 5 : 6) * weights * chunks;
  double theirs;
  if (winograd_pays(c, !forward)) {
    const double tiles = forward ? ceil_div(c->OH, 2) * ceil_div(c->OW, 2) : ceil_div(c->H, 2) * ceil_div(c->W, 2);
    theirs = 16 * tiles * product * c->N + 6 * 64 * product + (forward ? 13 : 18) * weights;
  } else {
    const double passes = conv_is_pointwise(c) ? ceil_div(pixels, MR_MAX) : 1, products = (double)pixels * c->KH * c->KW * product;
    const double pass = products / passes > weights ? products / passes : weights;
    theirs = pass * passes * c->N + (6 + 9) * weights;
  }
  return 1.1 * mine < theirs;
}
