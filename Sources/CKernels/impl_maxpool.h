// Max pooling, with and without the position of the winner. One output row at a time, from rows that may lie in a ring, so
// that a convolution can be pooled while its rows are in the L1 cache.
//
// The winner is chosen as select-and-scatter does it: the chosen one is replaced unless chosen >= candidate, so the first of
// equals wins. The maximum is the winner's value, or NaN where the window holds one.

// Row h of a sample is at base + h % count * pitch.
typedef struct PoolRows { const float *base; long pitch, count; } PoolRows;

// ---- eight-bit positions, VL at a time; `m` and `n` are the mask and the number of the lanes that exist

typedef uint8_t vb __attribute__((vector_size(VL)));
INLINE void store_positions(uint8_t *p, vi v, const bool full, long n) {
#if ACC_AVX512
  const __m128i b = _mm512_cvtepi32_epi8((__m512i)v);
  if (full) _mm_storeu_si128((__m128i *)p, b); else _mm_mask_storeu_epi8(p, mask_of(n), b);
#else
  const vb b = __builtin_convertvector(v, vb);
  memcpy(p, &b, (size_t)(full || n >= VL ? VL : n));
#endif
}
INLINE vi load_positions(const uint8_t *p, const bool full, long n) {
#if ACC_AVX512
  return (vi)_mm512_cvtepu8_epi32(full ? _mm_loadu_si128((const __m128i *)p) : _mm_maskz_loadu_epi8(mask_of(n), p));
#else
  vb b = {0};
  memcpy(&b, p, (size_t)(full || n >= VL ? VL : n));
  return __builtin_convertvector(b, vi);
#endif
}
// v where the position is `at`, 0 elsewhere.
INLINE vf where_position(vi positions, int32_t at, vf v) {
#if ACC_AVX512
  return (vf)_mm512_maskz_mov_ps(_mm512_cmpeq_epi32_mask((__m512i)positions, _mm512_set1_epi32(at)), (__m512)v);
#else
  return (vf)((vi)v & (positions == at));
#endif
}

// ---- the running winner of one window

#if ACC_AVX512
typedef __mmask16 vflag;
#else
typedef vi vflag;
#endif
typedef struct Winner { vf best; vi at; vflag nan; } Winner;

INLINE Winner winner_start(vf v, int32_t at) {
#if ACC_AVX512
  return (Winner){v, vseti(at), _mm512_cmp_ps_mask((__m512)v, (__m512)v, _CMP_UNORD_Q)};
#else
  return (Winner){v, vseti(at), v != v};
#endif
}
INLINE void winner_step(Winner *q, vf v, int32_t at, const bool indexed) {
#if ACC_AVX512
  const __mmask16 replace = _mm512_cmp_ps_mask((__m512)q->best, (__m512)v, _CMP_NGE_UQ);
  q->nan = _kor_mask16(q->nan, _mm512_cmp_ps_mask((__m512)v, (__m512)v, _CMP_UNORD_Q));
  if (indexed) q->at = (vi)_mm512_mask_mov_epi32((__m512i)q->at, replace, _mm512_set1_epi32(at));
  q->best = (vf)_mm512_mask_mov_ps((__m512)q->best, replace, (__m512)v);
#else
  const vi replace = ~(q->best >= v);
  q->nan |= v != v;
  if (indexed) q->at = vseli(replace, vseti(at), q->at);
  q->best = vsel(replace, v, q->best);
#endif
}
INLINE vf winner_value(const Winner *q) {
#if ACC_AVX512
  return (vf)_mm512_mask_mov_ps((__m512)q->best, q->nan, _mm512_set1_ps(NAN));
#else
  return vsel(q->nan, vset(NAN), q->best);
#endif
}

// ---- forward

// One output row. S > 0: the window is S x S (known to the compiler); 0: any.
INLINE void maxpool_row_body(const AccPool *p, const PoolRows *x, long oh, float *y, uint8_t *index, const int S, const bool full,
                             const bool indexed) {
  enum { maxRows = 8 }; // of a window that is higher, the rows come in turns
  const long C = p->C, top = oh * p->stride_h - p->pad_top, h0 = max_l(top, 0), h1 = min_l(top + p->window_h, p->H);
  const long rows = h1 - h0;
  const float *row[maxRows];
  for (long h = 0; h < min_l(rows, maxRows); h++) row[h] = x->base + (h0 + h) % x->count * x->pitch;
  for (long ow = 0; ow < p->OW; ow++, y += C, index += indexed ? C : 0) {
    const long left = ow * p->stride_w - p->pad_left, w0 = max_l(left, 0), w1 = min_l(left + p->window_w, p->W);
    if (rows <= 0 || w1 <= w0) { // nothing but padding
      for (long c = 0; c < C; c++) y[c] = -INFINITY;
      if (indexed) memset(index, 0, (size_t)C);
      continue;
    }
    const int32_t at = (int32_t)((h0 - top) * p->window_w + w0 - left);
    if (S && rows == S && w1 - w0 == S) {
      const float *r[S ? S : 1];
      for (int h = 0; h < S; h++) r[h] = row[h] + w0 * C;
      for (long c = 0; c < C; c += VL) {
        const long n = C - c;
        Winner q = winner_start(pool_load(r[0] + c, n, full), 0);
        UNROLL for (int h = 0; h < S; h++) UNROLL for (int w = 0; w < S; w++)
          if (h || w) winner_step(&q, pool_load(r[h] + w * C + c, n, full), h * S + w, indexed);
        pool_store(y + c, n, full, winner_value(&q));
        if (indexed) store_positions(index + c, q.at, full, n);
      }
    } else {
      for (long c = 0; c < C; c += VL) {
        const long n = C - c;
        Winner q;
        for (long h = 0; h < rows; h++) {
          const float *in = (h < maxRows ? row[h] : x->base + (h0 + h) % x->count * x->pitch) + w0 * C + c;
          for (long w = 0; w < w1 - w0; w++) {
            const vf v = pool_load(in + w * C, n, full);
            const int32_t here = at + (int32_t)(h * p->window_w + w);
            if (h == 0 && w == 0) q = winner_start(v, here); else winner_step(&q, v, here, indexed);
          }
        }
        pool_store(y + c, n, full, winner_value(&q));
        if (indexed) store_positions(index + c, q.at, full, n);
      }
    }
  }
}

#define MAXPOOL_ROW(name, S, full, indexed)                                                                                        \
  static void name(const AccPool *p, const PoolRows *x, long oh, float *y, uint8_t *index) {                                       \
    maxpool_row_body(p, x, oh, y, index, S, full, indexed);                                                                        \
  }
MAXPOOL_ROW(maxpool_row_any, 0, false, false)
MAXPOOL_ROW(maxpool_row_any_index, 0, false, true)
MAXPOOL_ROW(maxpool_row_2, 2, true, false)
MAXPOOL_ROW(maxpool_row_2_index, 2, true, true)
MAXPOOL_ROW(maxpool_row_3, 3, true, false)
MAXPOOL_ROW(maxpool_row_3_index, 3, true, true)

// One output row, and the winners' positions unless `index` is NULL.
static void maxpool_row(const AccPool *p, const PoolRows *x, long oh, float *y, uint8_t *index) {
  const bool square = p->window_h == p->window_w && p->C % VL == 0;
  if (square && p->window_h == 2) (index ? maxpool_row_2_index : maxpool_row_2)(p, x, oh, y, index);
  else if (square && p->window_h == 3) (index ? maxpool_row_3_index : maxpool_row_3)(p, x, oh, y, index);
  else (index ? maxpool_row_any_index : maxpool_row_any)(p, x, oh, y, index);
}

static void maxpool_forward_index(const AccPool *p, const float *x, float *y, uint8_t *index, long n0, long n1) {
  for (long n = n0; n < n1; n++) {
    const PoolRows rows = {x + n * p->H * p->W * p->C, p->W * p->C, max_l(1, p->H)};
    for (long oh = 0; oh < p->OH; oh++) {
      const long at = (n * p->OH + oh) * p->OW * p->C;
      maxpool_row(p, &rows, oh, y + at, index ? index + at : NULL);
    }
  }
}
static void maxpool_forward(const AccPool *p, const float *x, float *y, long n0, long n1) {
  maxpool_forward_index(p, x, y, NULL, n0, n1);
}

// ---- backward from positions

// Windows that do not overlap: every output pixel writes its own window.
INLINE void maxpool_backward_apart(const AccPool *p, const uint8_t *index, const float *dy, float *dx, const int S, const bool full) {
  const long C = p->C, row = p->W * C;
  for (long oh = 0; oh < p->OH; oh++) for (long ow = 0; ow < p->OW; ow++, index += C, dy += C) {
    const Window q = pool_window(p, oh, ow);
    if (q.h1 <= q.h0 || q.w1 <= q.w0) continue;
    float *out = dx + q.h0 * row + q.w0 * C;
    const int32_t at = (int32_t)((q.h0 - oh * p->stride_h + p->pad_top) * p->window_w + q.w0 - ow * p->stride_w + p->pad_left);
    if (S && q.h1 - q.h0 == S && q.w1 - q.w0 == S) {
      for (long c = 0; c < C; c += VL) {
        const vi who = load_positions(index + c, full, C - c);
        const vf g = pool_load(dy + c, C - c, full);
        UNROLL for (int h = 0; h < S; h++) UNROLL for (int w = 0; w < S; w++)
          pool_store(out + h * row + w * C + c, C - c, full, where_position(who, h * S + w, g));
      }
    } else {
      for (long c = 0; c < C; c += VL) {
        const vi who = load_positions(index + c, full, C - c);
        const vf g = pool_load(dy + c, C - c, full);
        for (long h = 0; h < q.h1 - q.h0; h++) for (long w = 0; w < q.w1 - q.w0; w++)
          pool_store(out + h * row + w * C + c, C - c, full, where_position(who, at + (int32_t)(h * p->window_w + w), g));
      }
    }
  }
}

// One input pixel that COUNT windows hold (0: `count`, any number): the sum of the gradients that it won, in their order.
INLINE void gather_pixel(const int COUNT, long count, const long *from, const int32_t *at, const uint8_t *index, const float *dy, float *dx,
                         long C, const bool full) {
  for (long c = 0; c < C; c += VL) {
    vf sum = {0};
    if (COUNT) {
      UNROLL for (int i = 0; i < COUNT; i++)
        sum += where_position(load_positions(index + from[i] + c, full, C - c), at[i], pool_load(dy + from[i] + c, C - c, full));
    } else {
      for (long i = 0; i < count; i++)
        sum += where_position(load_positions(index + from[i] + c, full, C - c), at[i], pool_load(dy + from[i] + c, C - c, full));
    }
    pool_store(dx + c, C - c, full, sum);
  }
}

// Windows that overlap: every input pixel gathers from the windows over it, in their order.
INLINE void maxpool_backward_gather(const AccPool *p, const uint8_t *index, const float *dy, float *dx, const bool full) {
  const long C = p->C, row = p->OW * C;
  long from[255];
  int32_t at[255];
  for (long h = 0; h < p->H; h++) {
    const long bottom = h + p->pad_top, oh0 = max_l(0, ceil_div(bottom - p->window_h + 1, p->stride_h)),
               oh1 = min_l(p->OH - 1, bottom / p->stride_h);
    long ow0 = 0, ow1 = -1; // windows ow0...ow1 hold column w
    for (long w = 0; w < p->W; w++, dx += C) {
      const long right = w + p->pad_left;
      while (ow0 * p->stride_w + p->window_w <= right) ow0++;
      while (ow1 + 1 < p->OW && (ow1 + 1) * p->stride_w <= right) ow1++;
      long count = 0;
      for (long oh = oh0; oh <= oh1; oh++) for (long ow = ow0; ow <= ow1; ow++, count++) {
        from[count] = oh * row + ow * C;
        at[count] = (int32_t)((bottom - oh * p->stride_h) * p->window_w + right - ow * p->stride_w);
      }
      if (count == 1) gather_pixel(1, 1, from, at, index, dy, dx, C, full);
      else if (count == 2) gather_pixel(2, 2, from, at, index, dy, dx, C, full);
      else if (count == 4) gather_pixel(4, 4, from, at, index, dy, dx, C, full);
      else gather_pixel(0, count, from, at, index, dy, dx, C, full);
    }
  }
}

INLINE bool pool_is_apart(const AccPool *p) { return p->stride_h >= p->window_h && p->stride_w >= p->window_w; }
// Whether every input pixel lies in exactly one window.
INLINE bool pool_is_tiling(const AccPool *p) {
  return p->stride_h == p->window_h && p->stride_w == p->window_w && p->OH * p->stride_h - p->pad_top >= p->H &&
         p->OW * p->stride_w - p->pad_left >= p->W;
}

static void maxpool_backward_index(const AccPool *p, const uint8_t *index, const float *dy, float *dx, long n0, long n1) {
  const long large = p->H * p->W * p->C, small = p->OH * p->OW * p->C;
  const bool apart = pool_is_apart(p), full = p->C % VL == 0;
  if (n1 > n0 && apart && !pool_is_tiling(p)) memset(dx + n0 * large, 0, sizeof(float) * (size_t)((n1 - n0) * large));
  for (long n = n0; n < n1; n++) {
    const uint8_t *i = index + n * small;
    const float *d = dy + n * small;
    float *o = dx + n * large;
    if (apart && full && p->window_h == 2 && p->window_w == 2) maxpool_backward_apart(p, i, d, o, 2, true);
    else if (apart) maxpool_backward_apart(p, i, d, o, 0, false);
    else if (full) maxpool_backward_gather(p, i, d, o, true);
    else maxpool_backward_gather(p, i, d, o, false);
  }
}

// ---- backward from the input

// `apart`: no position belongs to two windows, so nothing has to be added to.
INLINE void maxpool_backward_body(const AccPool *p, const float *x, const float *dy, float *dx, long n0, long n1, const bool full,
                                  const bool apart) {
  const long C = p->C, row = p->W * C;
  for (long n = n0; n < n1; n++) for (long oh = 0; oh < p->OH; oh++) for (long ow = 0; ow < p->OW; ow++) {
    const Window q = pool_window(p, oh, ow);
    if (q.h1 <= q.h0 || q.w1 <= q.w0) continue;
    const float *d = dy + ((n * p->OH + oh) * p->OW + ow) * C;
    const long first = n * p->H * row + q.h0 * row + q.w0 * C;
    for (long c = 0; c < C; c += VL) {
      vf best = pool_load(x + first + c, C - c, full);
      vi chosen = {0};
      int32_t at = 0;
      for (long h = q.h0; h < q.h1; h++) for (long w = q.w0; w < q.w1; w++, at++) {
        const vf v = pool_load(x + n * p->H * row + h * row + w * C + c, C - c, full);
        const vi replace = ~(best >= v) & -(at > 0);
        best = vsel(replace, v, best);
        chosen = vseli(replace, vseti(at), chosen);
      }
      const vf g = pool_load(d + c, C - c, full);
      at = 0;
      for (long h = q.h0; h < q.h1; h++) for (long w = q.w0; w < q.w1; w++, at++) {
        float *o = dx + n * p->H * row + h * row + w * C + c;
        const vf part = (vf)((vi)g & (chosen == at));
        pool_store(o, C - c, full, apart ? part : pool_load(o, C - c, full) + part);
      }
    }
  }
}
static void maxpool_backward(const AccPool *p, const float *x, const float *dy, float *dx, long n0, long n1) {
  if (n1 <= n0) return;
  const bool apart = pool_is_apart(p), full = p->C % VL == 0;
  if (!(apart && pool_is_tiling(p))) memset(dx + n0 * p->H * p->W * p->C, 0, sizeof(float) * (size_t)((n1 - n0) * p->H * p->W * p->C));
  if (apart && full) maxpool_backward_body(p, x, dy, dx, n0, n1, true, true);
  else if (apart) maxpool_backward_body(p, x, dy, dx, n0, n1, false, true);
  else if (full) maxpool_backward_body(p, x, dy, dx, n0, n1, true, false);
  else maxpool_backward_body(p, x, dy, dx, n0, n1, false, false);
}
