// The gradient of a convolution's weights from all samples at once. Where weights are many and pixels few, sums that are kept for
// one sample after another cost more to read and write than to compute. Seen as [KH*KW*C][O], dw is a product for each tap: the
// inputs that it sees, by columns, times dy.

enum { rowsKC = 384, rowsNC = 256 };

// out[k*mr + m] = x[pixels[k]*C + m]; writes up to VL lanes beyond the end.
static void gather_columns(long mr, long count, const float *x, long C, const int32_t *pixels, float *out) {
  const long whole = (mr - 1) / VL * VL; // as in pack_columns
  const vmask rest = mask_of(mr - whole);
  for (long k = 0; k < count; k++, out += mr) {
    const float *from = x + pixels[k] * C;
    for (long m = 0; m < whole; m += VL) vstore(out + m, vload(from + m));
    vstore(out + whole, vload_m(from + whole, rest));
  }
}

// ---- the sums

typedef struct RowsScratch { float *a, *b; int32_t *inputs, *places; } RowsScratch;
static RowsScratch rows_scratch(const AccConv *c, Carver *s) {
  const long kc = min_l(rowsKC, c->N * c->OH * c->OW), nc = min_l(rowsNC, ceil_div(c->O, NR) * NR);
  RowsScratch p;
  p.a = carve(s, 4 * (kc * MR_MAX + VL));
  p.b = carve(s, 4 * kc * nc);
  p.inputs = carve(s, 4 * kc);
  p.places = carve(s, 4 * kc);
  return p;
}

static long conv_weight_rows_scratch_bytes(const AccConv *c) {
  Carver s = {0};
  if (c->N > 0 && !conv_is_empty(c)) rows_scratch(c, &s);
  return s.used + 64;
}

static void conv_backward_weight_rows(const AccConv *c, const float *x, const float *dy, float *dw, long r0, long r1, void *scratch) {
  const long C = c->C, O = c->O, pixels = c->N * c->OH * c->OW;
  if (r1 <= r0 || O <= 0) return;
  if (pixels <= 0) {
    memset(dw + r0 * O, 0, sizeof(float) * (size_t)((r1 - r0) * O));
    return;
  }
  Carver s = {scratch, 0};
  const RowsScratch p = rows_scratch(c, &s);
  const long KC = ceil_div(pixels, ceil_div(pixels, rowsKC)), NC = ceil_div(ceil_div(O, ceil_div(O, rowsNC)), NR) * NR;
  const long mr = conv_tile_rows(C);
  Tile t = {.ldb = NR, .off = p.places, .ldc = O, .a = p.a};
  for (long o = 0; o < O; o += NC) for (long p0 = 0; p0 < pixels; p0 += KC) {
    const long nc = min_l(NC, O - o), p1 = min_l(pixels, p0 + KC);
    pack_panels(p1 - p0, nc, dy + p0 * O + o, O, 1, p.b, (p1 - p0) * NR);
    t.load_c = p0 > 0;
    for (long r = r0; r < r1;) {
      const long tap = r / C, end = min_l(r1, (tap + 1) * C);
      t.K = pixels_inside(c, tap, p0, p1, p.inputs, p.places, NR);
      const int form = t.K == p1 - p0 ? formColumns : formPicked;
      for (; r < end; r += t.as) {
        t.as = min_l(mr, end - r);
        gather_columns(t.as, t.K, x + r % C, C, p.inputs, p.a);
        for (long j = 0; j < nc; j += NR) {
          t.b = p.b + j * (p1 - p0);
          t.c = dw + r * O + o + j;
          run_tile(&t, form, t.as, min_l(NR, nc - j));
        }
      }
    }
  }
}

static bool conv_weight_rows_pay(const AccConv *c, long parts) {
  if (c->groups != 1 || c->C < MR_MAX || c->O < VL || c->N < 1 || conv_is_empty(c)) return false;
  const double product = (double)c->C * c->O, weights = 4 * product * c->KH * c->KW;
  const double places = winograd_weights_pay(c) ? 16.0 * ceil_div(c->OH, 2) * ceil_div(c->OW, 2)
                                                : (double)c->OH * c->OW * c->KH * c->KW;
  const double sums = 2 * weights * (weights > nearBytes ? costFar : costNear) + 2 * weights * costFar * parts / c->N;
  // The pixels come from memory that all cores share, instead of being used up where they were computed.
  const double moved = 4 * costFar * (c->H * c->W * c->C + c->OH * c->OW * c->O);
  return pixels_inside_sample(c) * product + moved < places * product + sums;
}
