// The gradient of a convolution's weights where its result was only max-pooled: in each window one position has a gradient,
// so only a quarter (or a ninth) of the products is needed. Lanes are output channels, and each has its own argmax: for a tap, a
// shuffle picks the pixel at each lane's index. The rows that the rows of a window read are interleaved beforehand, so that
// the pixels of a tap are adjacent: in four floats for 2 x 2, where the fast shuffle suffices.
//
// If the other positions were multiplied by zero, an infinite or NaN pixel would give NaN; here it matters only at an argmax.

enum { winnerTaps = MR_MAX >= 12 ? 9 : 6, winnerVectors = MR_MAX >= 12 ? 2 : 1 }; // whose sums stay in registers
enum { winnerBytes = 64 << 10 };                                                  // of interleaved rows at a time

typedef struct WinnerPlan {
  long rows, cols; // of the bordered sample
  long pitch;      // floats of an interleaved row of one channel
  long block;      // rows of windows at a time
  bool in_place;
  float *sample, *seen;
} WinnerPlan;

// How far apart the pixels lie that a tap sees from the first and the last position of a window.
INLINE long winner_reach(const AccConv *c, const AccPool *p) { return ((p->window_w - 1) * c->stride_w + 1) * p->window_h; }
INLINE long winner_rows(const AccConv *c, const AccPool *p, long windows) {
  return (windows - 1) * p->stride_h * c->stride_h + (c->KH - 1) * c->dil_h + 1;
}

static WinnerPlan winner_plan(const AccConv *c, const AccPool *p, Carver *s) {
  WinnerPlan q = {.rows = conv_rows(c), .cols = conv_cols(c), .block = p->OH, .in_place = !conv_needs_border(c)};
  q.pitch = q.cols * p->window_h;
  while (q.block > 1 && winner_rows(c, p, q.block) * q.pitch * c->C * 4 > winnerBytes) q.block = ceil_div(q.block, 2);
  q.sample = q.in_place ? NULL : carve(s, 4 * q.rows * q.cols * c->C);
  q.seen = carve(s, 4 * (winner_rows(c, p, q.block) * q.pitch * c->C + VL));
  return q;
}

// Windows lie apart and inside, the shuffle reaches all their positions, and there are few input channels: with many the
// products are what takes time, and the plain gradient has quicker ones.
static bool conv_winners_fit(const AccConv *c, const AccPool *p) {
  if (VL < 8 || conv_is_empty(c) || c->groups != 1 || c->C < 1 || c->C > 4 || c->N < 1 || c->KH < 1 || c->KW < 1) return false;
  if (p->pad_top || p->pad_left || p->stride_h < p->window_h || p->stride_w < p->window_w) return false;
  if (p->OH < 1 || p->OW < 1 || (p->OH - 1) * p->stride_h + p->window_h > p->H || (p->OW - 1) * p->stride_w + p->window_w > p->W)
    return false;
  return winner_reach(c, p) <= VL;
}

static long conv_winners_scratch_bytes(const AccConv *c, const AccPool *p) {
  Carver s = {0};
  winner_plan(c, p, &s);
  return s.used + 64;
}

// Lane i of the result is lane lanes[i] of what lies at `from`; NEAR: one of the first four.
INLINE vf winner_pick(const float *from, vi lanes, const int NEAR) {
#if ACC_AVX512
  if (NEAR) return (vf)_mm512_permutevar_ps(_mm512_broadcast_f32x4(_mm_loadu_ps(from)), (__m512i)lanes);
  return (vf)_mm512_permutexvar_ps((__m512i)lanes, (__m512)vload(from));
#elif ACC_AVX2
  if (NEAR) return (vf)_mm256_permutevar_ps(_mm256_broadcast_ps((const __m128 *)from), (__m256i)lanes);
  return (vf)_mm256_permutevar8x32_ps((__m256)vload(from), (__m256i)lanes);
#else
  vf v;
  for (int i = 0; i < VL; i++) v[i] = from[lanes[i]];
  return v;
#endif
}

typedef struct WinnerTile {
  const float *seen, *dy;
  const uint8_t *index;
  float *dw;               // first tap's sums
  const long *taps, *sums; // each tap's place in `seen`, and in dw
  long rows, row_step, columns, column_step, O, lanes;
  const float *places;     // each position's lane, as integers
} WinnerTile;

// The sums of T taps for V vectors of channels over rows of windows.
INLINE void winner_tile_body(const WinnerTile *t, const int T, const int V, const int NEAR, const int MASKED) {
  vf acc[winnerTaps][winnerVectors];
  const vmask mask = mask_of(t->lanes);
#define LAST(v) (MASKED && (v) == V - 1)
  UNROLL for (int k = 0; k < T; k++) UNROLL for (int v = 0; v < V; v++)
    acc[k][v] = LAST(v) ? vload_m(t->dw + t->sums[k] + v * VL, mask) : vload(t->dw + t->sums[k] + v * VL);
  const float *dy = t->dy;
  const uint8_t *index = t->index;
  for (long h = 0; h < t->rows; h++) {
    const float *seen[winnerTaps];
    UNROLL for (int k = 0; k < T; k++) seen[k] = t->seen + h * t->row_step + t->taps[k];
    for (long w = 0; w < t->columns; w++, dy += t->O, index += t->O) {
      vi at[winnerVectors];
      vf g[winnerVectors];
      UNROLL for (int v = 0; v < V; v++) {
        at[v] = (vi)winner_pick(t->places, load_positions(index + v * VL, !LAST(v), t->lanes), NEAR);
        g[v] = LAST(v) ? vload_m(dy + v * VL, mask) : vload(dy + v * VL);
      }
      const long step = w * t->column_step;
      UNROLL for (int k = 0; k < T; k++) UNROLL for (int v = 0; v < V; v++)
        acc[k][v] = vfma(winner_pick(seen[k] + step, at[v], NEAR), g[v], acc[k][v]);
    }
  }
  UNROLL for (int k = 0; k < T; k++) UNROLL for (int v = 0; v < V; v++) {
    float *p = t->dw + t->sums[k] + v * VL;
    if (LAST(v)) vstore_m(p, mask, acc[k][v]); else vstore(p, acc[k][v]);
  }
#undef LAST
}

typedef void (*WinnerTileFn)(const WinnerTile *);
#define WINNER_FN(t, v, near, masked)                                                                                              \
  static void winner_tile_##t##_##v##_##near##_##masked(const WinnerTile *tile) { winner_tile_body(tile, t, v, near, masked); }
#define WINNER_REF(t, v, near, masked) winner_tile_##t##_##v##_##near##_##masked,
#if MR_MAX >= 12
#define EACH_TAP(X, v, n, m) X(1, v, n, m) X(2, v, n, m) X(3, v, n, m) X(4, v, n, m) X(5, v, n, m) X(6, v, n, m) X(7, v, n, m) X(8, v, n, m) X(9, v, n, m)
#else
#define EACH_TAP(X, v, n, m) X(1, v, n, m) X(2, v, n, m) X(3, v, n, m) X(4, v, n, m) X(5, v, n, m) X(6, v, n, m)
#endif
#define EACH_WINNER(X, v) EACH_TAP(X, v, 0, 0) EACH_TAP(X, v, 0, 1) EACH_TAP(X, v, 1, 0) EACH_TAP(X, v, 1, 1)
#define WINNER_TABLE(v)                                                                                                            \
  {{{EACH_TAP(WINNER_REF, v, 0, 0)}, {EACH_TAP(WINNER_REF, v, 0, 1)}}, {{EACH_TAP(WINNER_REF, v, 1, 0)}, {EACH_TAP(WINNER_REF, v, 1, 1)}}}
EACH_WINNER(WINNER_FN, 1)
#if MR_MAX >= 12
EACH_WINNER(WINNER_FN, 2)
static const WinnerTileFn winner_table[winnerVectors][2][2][winnerTaps] = {WINNER_TABLE(1), WINNER_TABLE(2)};
#else
static const WinnerTileFn winner_table[winnerVectors][2][2][winnerTaps] = {WINNER_TABLE(1)};
#endif

// Rows of the sample from `src` on, each interleaved with those that the other rows of a window see: [row][channel][column][row
// of the window].
static void winner_interleave(const AccConv *c, const AccPool *p, const WinnerPlan *q, const float *src, long row, long rows) {
  const long C = c->C, down = c->stride_h * row;
  for (long r = 0; r < rows; r++, src += row) {
    float *to = q->seen + r * C * q->pitch;
    if (C == 1 && p->window_h == 2) {
      for (long w = 0; w < q->cols; w++) {
        to[2 * w] = src[w];
        to[2 * w + 1] = src[w + down];
      }
      continue;
    }
    for (long ci = 0; ci < C; ci++) for (long w = 0; w < q->cols; w++) for (long h = 0; h < p->window_h; h++)
      to[ci * q->pitch + w * p->window_h + h] = src[h * down + w * C + ci];
  }
}

static void conv_winners_backward_weights(const AccConv *c, const AccPool *p, const float *x, const uint8_t *index, const float *dy, float *dw,
                                          long n0, long n1, bool accumulate, void *scratch) {
  const long C = c->C, O = c->O, taps = c->KH * c->KW;
  if (!accumulate) memset(dw, 0, sizeof(float) * (size_t)(taps * C * O));
  Carver s = {scratch, 0};
  const WinnerPlan q = winner_plan(c, p, &s);
  const int near = winner_reach(c, p) <= 4;
  int32_t lanes[VL] = {0};
  float places[VL];
  for (long i = 0; i < p->window_h * p->window_w; i++)
    lanes[i] = (int32_t)(i % p->window_w * c->stride_w * p->window_h + i / p->window_w);
  memcpy(places, lanes, sizeof places);
  const long row = (q.in_place ? c->W : q.cols) * C, down = p->stride_h * c->stride_h;
  WinnerTile t = {.row_step = down * C * q.pitch, .columns = p->OW, .column_step = p->stride_w * c->stride_w * p->window_h, .O = O,
                  .places = places, .dw = dw};
  for (long n = n0; n < n1; n++) {
    const float *src = x + n * c->H * c->W * C;
    if (!q.in_place) {
      border_sample(src, c->H, c->W, C, c->pad_top, c->pad_left, q.rows, q.cols, q.sample);
      src = q.sample;
    }
    for (long oh = 0; oh < p->OH; oh += q.block) {
      const long first = (n * p->OH + oh) * p->OW * O;
      t.rows = min_l(q.block, p->OH - oh);
      winner_interleave(c, p, &q, src + oh * down * row, row, winner_rows(c, p, t.rows));
      for (long o = 0; o < O; o += winnerVectors * VL) {
        const long left = min_l(winnerVectors * VL, O - o), vectors = ceil_div(left, VL);
        t.lanes = left - (vectors - 1) * VL;
        t.dy = dy + first + o;
        t.index = index + first + o;
        for (long ci = 0; ci < C; ci++) for (long k0 = 0; k0 < taps; k0 += winnerTaps) {
          const long count = min_l(winnerTaps, taps - k0);
          long at[winnerTaps], sums[winnerTaps];
          for (long k = 0; k < count; k++) {
            const long r = (k0 + k) / c->KW, w = (k0 + k) % c->KW;
            at[k] = r * c->dil_h * C * q.pitch + w * c->dil_w * p->window_h;
            sums[k] = ((k0 + k) * C + ci) * O + o;
          }
          t.seen = q.seen + ci * q.pitch;
          t.taps = at;
          t.sums = sums;
          winner_table[vectors - 1][near][t.lanes < VL][count - 1](&t);
        }
      }
    }
  }
}
