// How a convolution's sample is laid out in scratch before the product reads it, and how scratch is carved up.

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

// ---- one sample as [row][channel][phase][column]

typedef struct Spread {
  long rows, phases, width, pitch; // width of one phase; pitch of one channel = phases * width
} Spread;

// dst row r is src row r - top (zero outside 0..<H), column likewise with left; only rows r0..<r1.
static void spread_sample(const float *src, long H, long W, long C, long top, long left, Spread s, long r0, long r1, float *dst) {
  for (long r = r0; r < r1; r++) {
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
