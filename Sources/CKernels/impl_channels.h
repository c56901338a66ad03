// Rows of channels [rows][cols], as batch normalization reads them: moments and sums of each channel in one pass over data
// in the cache, and the elementwise formulas with a vector for each parameter, each in one pass.

enum { chanVectors = VL == 16 ? 4 : 2, chanRows = 32 };

#define CHAN_AT(p, r, w) ((w) == W - 1 ? vload_m((p) + (r) * cols + (w) * VL, m) : vload((p) + (r) * cols + (w) * VL))
#define CHAN_EACH UNROLL for (int w = 0; w < W; w++)

// The mean and the sum of squared deviations of n + k values from those of n and of k (Chan, Golub and LeVeque, 1983).
INLINE void chan_merge(vf *mean, vf *squares, float n, vf mean2, vf squares2, float k) {
  const vf delta = mean2 - *mean;
  *mean = vfma(delta, vset(k / (n + k)), *mean);
  *squares += vfma(delta * delta, vset(n * (k / (n + k))), squares2);
}

// Deviations are taken from the mean of a few rows, which are read twice while they are in the L1 cache.
INLINE void chan_moments_tile(const int W, const float *x, long rows, long cols, long before, float *mean, float *squares, long lanes) {
  const vmask m = mask_of(lanes);
  vf means[chanVectors], sums[chanVectors];
  CHAN_EACH means[w] = sums[w] = (vf){0};
  for (long b = 0; b < rows; b += chanRows) {
    const long end = min_l(rows, b + chanRows);
    vf even[chanVectors], odd[chanVectors];
    CHAN_EACH even[w] = odd[w] = (vf){0};
    long r = b;
    for (; r + 2 <= end; r += 2) CHAN_EACH { even[w] += CHAN_AT(x, r, w); odd[w] += CHAN_AT(x, r + 1, w); }
    if (r < end) CHAN_EACH even[w] += CHAN_AT(x, r, w);
    vf middle[chanVectors];
    CHAN_EACH { middle[w] = (even[w] + odd[w]) * (1.0f / (float)(end - b)); even[w] = odd[w] = (vf){0}; }
    for (r = b; r + 2 <= end; r += 2)
      CHAN_EACH {
        const vf d = CHAN_AT(x, r, w) - middle[w], e = CHAN_AT(x, r + 1, w) - middle[w];
        even[w] = vfma(d, d, even[w]);
        odd[w] = vfma(e, e, odd[w]);
      }
    if (r < end) CHAN_EACH { const vf d = CHAN_AT(x, r, w) - middle[w]; even[w] = vfma(d, d, even[w]); }
    CHAN_EACH chan_merge(&means[w], &sums[w], (float)b, middle[w], even[w] + odd[w], (float)(end - b));
  }
  CHAN_EACH {
    float *pm = mean + w * VL, *ps = squares + w * VL;
    const long n = w == W - 1 ? lanes : VL;
    if (before > 0) {
      vf a = vload_n(pm, n), s = vload_n(ps, n);
      chan_merge(&a, &s, (float)before, means[w], sums[w], (float)rows);
      means[w] = a;
      sums[w] = s;
    }
    vstore_n(pm, n, means[w]);
    vstore_n(ps, n, sums[w]);
  }
}

// Calls tile(W, column, lanes of the last vector) for columns c0..<c1.
#define CHAN_TILES(tile)                                                                                                           \
  do {                                                                                                                             \
    long c = c0;                                                                                                                   \
    for (; c + chanVectors * VL <= c1; c += chanVectors * VL) tile(chanVectors, c, VL);                                            \
    for (; c1 - c > VL; c += 2 * VL) tile(2, c, min_l(VL, c1 - c - VL));                                                           \
    if (c < c1) tile(1, c, c1 - c);                                                                                                \
  } while (0)

static void channel_moments(const float *x, long rows, long cols, long c0, long c1, long before, float *mean, float *squares) {
  if (rows <= 0) return;
#define TILE(W, c, lanes) chan_moments_tile(W, x + (c), rows, cols, before, mean + (c), squares + (c), lanes)
  CHAN_TILES(TILE);
#undef TILE
}

// The parts lie one after another, each [mean][squares][rows, as int64].
static void channel_moments_fold(const float *parts, long count, long cols, long c0, long c1, float *mean, float *variance) {
  const long stride = 2 * cols + 2;
  for (long c = c0; c < c1; c += VL) {
    const long lanes = c1 - c;
    vf a = {0}, s = {0};
    int64_t n = 0;
    for (long p = 0; p < count; p++) {
      const float *part = parts + p * stride;
      int64_t rows;
      memcpy(&rows, part + 2 * cols, sizeof rows);
      if (rows > 0) chan_merge(&a, &s, (float)n, vload_n(part + c, lanes), vload_n(part + cols + c, lanes), (float)rows);
      n += rows;
    }
    vstore_n(mean + c, lanes, a);
    vstore_n(variance + c, lanes, s * (1.0f / (float)n));
  }
}

typedef uint8_t chan_bytes __attribute__((vector_size(VL)));

// The first n bytes, 0 or not, as a mask of lanes.
INLINE vi chan_mask(const uint8_t *p, long n) {
  chan_bytes b = {0};
  if (n >= VL) memcpy(&b, p, VL);
  else for (long i = 0; i < n; i++) b[i] = p[i];
  return __builtin_convertvector(b != 0, vi);
}
INLINE vf chan_masked(const int masked, vf g, const uint8_t *mask, long n) {
  return masked ? (vf)((vi)g & chan_mask(mask, n)) : g;
}

INLINE void chan_sums_tile(const int W, const int masked, const float *g, const uint8_t *mask, const float *x, const float *mean, long rows,
                           long cols, bool accumulate, float *sums, float *products, long lanes) {
  const vmask m = mask_of(lanes);
  vf means[chanVectors], total[chanVectors], slope[chanVectors];
  CHAN_EACH {
    const long n = w == W - 1 ? lanes : VL;
    means[w] = vload_n(mean + w * VL, n);
    total[w] = accumulate ? vload_n(sums + w * VL, n) : (vf){0};
    slope[w] = accumulate ? vload_n(products + w * VL, n) : (vf){0};
  }
  for (long b = 0; b < rows; b += 64) {
    const long end = min_l(rows, b + 64);
    vf a[chanVectors], p[chanVectors];
    CHAN_EACH a[w] = p[w] = (vf){0};
    for (long r = b; r < end; r++)
      CHAN_EACH {
        const vf v = chan_masked(masked, CHAN_AT(g, r, w), mask + r * cols + w * VL, w == W - 1 ? lanes : VL);
        a[w] += v;
        p[w] = vfma(v, CHAN_AT(x, r, w) - means[w], p[w]);
      }
    CHAN_EACH { total[w] += a[w]; slope[w] += p[w]; }
  }
  CHAN_EACH {
    const long n = w == W - 1 ? lanes : VL;
    vstore_n(sums + w * VL, n, total[w]);
    vstore_n(products + w * VL, n, slope[w]);
  }
}

static void channel_sums(const float *g, const uint8_t *mask, const float *x, const float *mean, long rows, long cols, long c0, long c1,
                         bool accumulate, float *sums, float *products) {
#define TILE(W, c, lanes)                                                                                                          \
  do {                                                                                                                             \
    if (mask) chan_sums_tile(W, 1, g + (c), mask + (c), x + (c), mean + (c), rows, cols, accumulate, sums + (c), products + (c), lanes); \
    else chan_sums_tile(W, 0, g + (c), NULL, x + (c), mean + (c), rows, cols, accumulate, sums + (c), products + (c), lanes);      \
  } while (0)
  CHAN_TILES(TILE);
#undef TILE
}

// The parts lie one after another, each [sums][products].
static void channel_sums_fold(const float *parts, long count, long cols, long c0, long c1, float *sums, float *products) {
  for (long c = c0; c < c1; c += VL) {
    const long lanes = c1 - c;
    vf a = {0}, s = {0};
    for (long p = 0; p < count; p++) {
      a += vload_n(parts + p * 2 * cols + c, lanes);
      s += vload_n(parts + p * 2 * cols + cols + c, lanes);
    }
    vstore_n(sums + c, lanes, a);
    vstore_n(products + c, lanes, s);
  }
}

// ---- elementwise, row by row, so that memory is read in order

typedef struct ChannelScale {
  const float *x, *residual, *mean, *factor, *offset;
  float *y;
  uint8_t *mask;
  float limit;
} ChannelScale;

INLINE void chan_scale_vector(const int adds, const int relu, const int bounds, const int marks, const ChannelScale *s, long c, long i, long n) {
  vf v = vfma(vload_n(s->x + i, n) - vload_n(s->mean + c, n), vload_n(s->factor + c, n), vload_n(s->offset + c, n));
  if (adds) v += vload_n(s->residual + i, n);
  if (relu) v = vgreater((vf){0}, v);
  if (bounds) v = vsel(v > s->limit, vset(s->limit), v);
  vstore_n(s->y + i, n, v);
  if (!marks) return;
  vi passes = v > 0.0f;
  if (bounds) passes &= v < s->limit;
  const chan_bytes b = __builtin_convertvector(passes & 1, chan_bytes);
  if (n >= VL) memcpy(s->mask + i, &b, VL);
  else for (long j = 0; j < n; j++) s->mask[i + j] = b[j];
}

INLINE void chan_scale_rows(const int adds, const int relu, const int bounds, const int marks, const ChannelScale *arguments, long rows,
                            long cols) {
  const ChannelScale s = *arguments;
  const long whole = cols / VL * VL;
  for (long at = 0; at < rows * cols; at += cols) {
    for (long c = 0; c < whole; c += VL) chan_scale_vector(adds, relu, bounds, marks, &s, c, at + c, VL);
    if (whole < cols) chan_scale_vector(adds, relu, bounds, marks, &s, whole, at + whole, cols - whole);
  }
}

static void channel_scale(const float *x, const float *residual, const float *mean, const float *factor, const float *offset, float *y,
                          uint8_t *mask, long rows, long cols, bool relu, float limit) {
  const ChannelScale s = {x, residual, mean, factor, offset, y, mask, limit};
  const bool bounds = relu && limit < INFINITY;
#define ROWS(relu, bounds, marks)                                                                                                  \
  if (residual) chan_scale_rows(1, relu, bounds, marks, &s, rows, cols); else chan_scale_rows(0, relu, bounds, marks, &s, rows, cols)
  if (!relu) { ROWS(0, 0, 0); }
  else if (bounds) { if (mask) { ROWS(1, 1, 1); } else { ROWS(1, 1, 0); } }
  else if (mask) { ROWS(1, 0, 1); }
  else { ROWS(1, 0, 0); }
#undef ROWS
}

typedef struct ChannelGradient {
  const float *g, *x, *mean, *factor, *slope, *constant;
  const uint8_t *mask;
  float *dx;
} ChannelGradient;

INLINE void chan_gradient_vector(const int masked, const ChannelGradient *s, long c, long i, long n) {
  const vf g = chan_masked(masked, vload_n(s->g + i, n), s->mask + i, n);
  const vf centered = vload_n(s->x + i, n) - vload_n(s->mean + c, n);
  const vf rest = vfma(centered, vload_n(s->slope + c, n), vload_n(s->constant + c, n));
  vstore_n(s->dx + i, n, vfma(g, vload_n(s->factor + c, n), rest));
}

INLINE void chan_gradient_rows(const int masked, const ChannelGradient *arguments, long rows, long cols) {
  const ChannelGradient s = *arguments;
  const long whole = cols / VL * VL;
  for (long at = 0; at < rows * cols; at += cols) {
    for (long c = 0; c < whole; c += VL) chan_gradient_vector(masked, &s, c, at + c, VL);
    if (whole < cols) chan_gradient_vector(masked, &s, whole, at + whole, cols - whole);
  }
}

static void channel_gradient(const float *g, const uint8_t *mask, const float *x, const float *mean, const float *factor, const float *slope,
                             const float *constant, float *dx, long rows, long cols) {
  const ChannelGradient s = {g, x, mean, factor, slope, constant, mask, dx};
  if (mask) chan_gradient_rows(1, &s, rows, cols); else chan_gradient_rows(0, &s, rows, cols);
}
#undef CHAN_AT
#undef CHAN_EACH
#undef CHAN_TILES
