// Reductions in a fixed order: the order depends on the length of the reduced axis alone.
//
// Along a contiguous axis: four vector accumulators over blocks of blockLength, block totals added to a running vector, a
// tree over the lanes. Across rows: four accumulators by row number modulo four, blocks of 64 rows. Both keep the error of a
// sum near that of pairwise summation.

typedef enum { redSum = accReduceSum, redProduct = accReduceProduct, redMax = accReduceMax, redMin = accReduceMin } RedKind;
INLINE vf red_op(const int kind, vf a, vf b) {
  return kind == redSum ? a + b : kind == redProduct ? a * b : kind == redMax ? vmax_nan(a, b) : vmin_nan(a, b);
}
INLINE float red_identity(const int kind) {
  return kind == redSum ? 0.0f : kind == redProduct ? 1.0f : kind == redMax ? -INFINITY : INFINITY;
}
INLINE float red_fold(const int kind, vf v) {
  return kind == redSum ? fold_sum(v) : kind == redProduct ? fold_product(v) : kind == redMax ? fold_max(v) : fold_min(v);
}
INLINE vf red_load_tail(const int kind, const float *p, long n) {
  const vf v = vload_n(p, n);
  if (kind == redSum || n >= VL) return v;
  float lane[VL];
  for (int i = 0; i < VL; i++) lane[i] = (float)i;
  return vsel(vload(lane) < (float)n, v, vset(red_identity(kind)));
}

INLINE float red_row(const int kind, const float *x, long n) {
  enum { blockLength = 4096 };
  const vf zero = vset(red_identity(kind));
  vf total = zero;
  for (long b = 0; b < n; b += blockLength) {
    const long end = min_l(n, b + blockLength);
    vf a0 = zero, a1 = zero, a2 = zero, a3 = zero;
    long i = b;
    for (; i + 4 * VL <= end; i += 4 * VL) {
      a0 = red_op(kind, a0, vload(x + i));
      a1 = red_op(kind, a1, vload(x + i + VL));
      a2 = red_op(kind, a2, vload(x + i + 2 * VL));
      a3 = red_op(kind, a3, vload(x + i + 3 * VL));
    }
    for (; i + VL <= end; i += VL) a0 = red_op(kind, a0, vload(x + i));
    if (i < end) a1 = red_op(kind, a1, red_load_tail(kind, x + i, end - i));
    total = red_op(kind, total, red_op(kind, red_op(kind, a0, a1), red_op(kind, a2, a3)));
  }
  return red_fold(kind, total);
}

// W vectors of columns at once.
INLINE void red_column_tile(const int kind, const int W, const float *x, long stride, long rows, float *out, long lanes) {
  const vf zero = vset(red_identity(kind));
  const vmask m = mask_of(lanes);
  vf total[2];
  UNROLL for (int w = 0; w < W; w++) total[w] = zero;
#define AT(r, w) ((w) == W - 1 ? vload_m(x + (r) * stride + (w) * VL, m) : vload(x + (r) * stride + (w) * VL))
  for (long b = 0; b < rows; b += 64) {
    const long end = min_l(rows, b + 64);
    vf a[4][2];
    UNROLL for (int q = 0; q < 4; q++) UNROLL for (int w = 0; w < W; w++) a[q][w] = zero;
    long r = b;
    for (; r + 4 <= end; r += 4)
      UNROLL for (int q = 0; q < 4; q++) UNROLL for (int w = 0; w < W; w++) a[q][w] = red_op(kind, a[q][w], AT(r + q, w));
    for (; r < end; r++) UNROLL for (int w = 0; w < W; w++) a[0][w] = red_op(kind, a[0][w], AT(r, w));
    UNROLL for (int w = 0; w < W; w++)
        total[w] = red_op(kind, total[w], red_op(kind, red_op(kind, a[0][w], a[1][w]), red_op(kind, a[2][w], a[3][w])));
  }
#undef AT
  UNROLL for (int w = 0; w < W; w++) {
    if (w == W - 1) vstore_m(out + w * VL, m, total[w]); else vstore(out + w * VL, total[w]);
  }
}

INLINE void red_columns(const int kind, const float *x, float *out, long rows, long inner, long i0, long i1) {
  long i = i0;
  for (; i + 2 * VL <= i1; i += 2 * VL) red_column_tile(kind, 2, x + i, inner, rows, out + i, VL);
  for (; i < i1; i += VL) red_column_tile(kind, 1, x + i, inner, rows, out + i, min_l(VL, i1 - i));
}

INLINE void red_all(const int kind, const float *x, float *out, long reduce, long inner, long o0, long o1) {
  if (inner == 1) for (long o = o0; o < o1; o++) out[o] = red_row(kind, x + o * reduce, reduce);
  else for (long o = o0; o < o1; o++) red_columns(kind, x + o * reduce * inner, out + o * inner, reduce, inner, 0, inner);
}

static void reduce_f32(int kind, const float *x, float *out, long outer, long reduce, long inner, long o0, long o1) {
  (void)outer;
  switch (kind) {
  case accReduceSum: red_all(redSum, x, out, reduce, inner, o0, o1); break;
  case accReduceProduct: red_all(redProduct, x, out, reduce, inner, o0, o1); break;
  case accReduceMax: red_all(redMax, x, out, reduce, inner, o0, o1); break;
  case accReduceMin: red_all(redMin, x, out, reduce, inner, o0, o1); break;
  }
}

// ---- the index of an extreme. A NaN is the extreme; of equals the first is chosen.

// One row: the extreme by vectors, then the first place where it is. What is read twice is the same memory.
INLINE int arg_row(const int isMax, const float *x, long n) {
  const float extreme = red_row(isMax ? redMax : redMin, x, n);
  long i = 0;
  if (extreme != extreme) {
    while (x[i] == x[i]) i++;
  } else {
    while (x[i] != extreme) i++;
  }
  return (int)i;
}

// W vectors of columns at once: the best so far and where it was.
INLINE void arg_column_tile(const int isMax, const int W, const float *x, long stride, long rows, int32_t *out, long lanes) {
  const vmask m = mask_of(lanes);
  vf best[2];
  vi place[2];
#define AT(r, w) ((w) == W - 1 ? vload_m(x + (r) * stride + (w) * VL, m) : vload(x + (r) * stride + (w) * VL))
  UNROLL for (int w = 0; w < W; w++) {
    best[w] = AT(0, w);
    place[w] = vseti(0);
  }
  for (long r = 1; r < rows; r++)
    UNROLL for (int w = 0; w < W; w++) {
      const vf value = AT(r, w);
      // Larger (smaller), or NaN where there was none yet.
      const vi better = ~(vi)(isMax ? value <= best[w] : value >= best[w]) & (vi)(best[w] == best[w]);
      best[w] = vsel(better, value, best[w]);
      place[w] = vseli(better, vseti((int32_t)r), place[w]);
    }
#undef AT
  UNROLL for (int w = 0; w < W; w++) {
    float *target = (float *)(void *)(out + w * VL);
    if (w == W - 1) vstore_m(target, m, (vf)place[w]); else vstore(target, (vf)place[w]);
  }
}

INLINE void arg_columns(const int isMax, const float *x, int32_t *out, long rows, long inner) {
  long i = 0;
  for (; i + 2 * VL <= inner; i += 2 * VL) arg_column_tile(isMax, 2, x + i, inner, rows, out + i, VL);
  for (; i < inner; i += VL) arg_column_tile(isMax, 1, x + i, inner, rows, out + i, min_l(VL, inner - i));
}

INLINE void arg_all(const int isMax, const float *x, int32_t *out, long reduce, long inner, long o0, long o1) {
  for (long o = o0; o < o1; o++) {
    if (inner == 1) out[o] = arg_row(isMax, x + o * reduce, reduce);
    else arg_columns(isMax, x + o * reduce * inner, out + o * inner, reduce, inner);
  }
}

static void arg_extreme_f32(int is_max, const float *x, int32_t *out, long reduce, long inner, long o0, long o1) {
  if (is_max) arg_all(1, x, out, reduce, inner, o0, o1);
  else arg_all(0, x, out, reduce, inner, o0, o1);
}

static void reduce_columns(int kind, const float *x, float *out, long reduce, long inner, long i0, long i1) {
  if (inner == 1) {
    if (i0 <= 0 && i1 >= 1) reduce_f32(kind, x, out, 1, reduce, 1, 0, 1);
    return;
  }
  switch (kind) {
  case accReduceSum: red_columns(redSum, x, out, reduce, inner, i0, i1); break;
  case accReduceProduct: red_columns(redProduct, x, out, reduce, inner, i0, i1); break;
  case accReduceMax: red_columns(redMax, x, out, reduce, inner, i0, i1); break;
  case accReduceMin: red_columns(redMin, x, out, reduce, inner, i0, i1); break;
  }
}
