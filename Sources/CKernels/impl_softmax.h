// Softmax and its relatives over the last axis. Short rows go through in groups of VL, so that the folds over lanes, the
// logarithms and the divisions of a whole group are one vector's work; long rows one by one. Either way the rows stay in the
// L1 cache between passes, and each sum has one order: lane by lane, then the tree of fold_sum.

INLINE vi lane_numbers(void) {
#if VL == 16
  return (vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
#elif VL == 8
  return (vi){0, 1, 2, 3, 4, 5, 6, 7};
#else
  return (vi){0, 1, 2, 3};
#endif
}
// The first n lanes of v, `fill` in the others.
INLINE vf vfill(vf v, long n, float fill) {
  return n >= VL ? v : vsel(lane_numbers() < vseti((int32_t)n), v, vset(fill));
}

// Lane i of the result folds the lanes of r[i]: each round halves the number of vectors.
INLINE vf fold_rows(const int kind, vf r[VL]) {
  UNROLL for (int half = VL / 2; half >= 1; half /= 2)
    UNROLL for (int i = 0; i < half; i++)
      r[i] = red_op(kind, ZIP_LO(r[i], r[i + half]), ZIP_HI(r[i], r[i + half]));
  return r[0];
}

// A group of rows: 16 of 256 columns are a third of the L1 cache.
INLINE long group_rows(long rows, long cols) { return min_l(rows, cols <= 256 ? VL : 1); }

// What is left to fold of a row.
INLINE vf lanes_max(const float *x, long n) {
  vf a = vset(-INFINITY), b = a;
  long i = 0;
  for (; i + 2 * VL <= n; i += 2 * VL) {
    a = vmax_nan(a, vload(x + i));
    b = vmax_nan(b, vload(x + i + VL));
  }
  for (; i < n; i += VL) a = vmax_nan(a, vfill(vload_n(x + i, n - i), n - i, -INFINITY));
  return vmax_nan(a, b);
}
INLINE vf lanes_exp_sum(const float *x, float top, long n) {
  vf total = {0};
  for (long i = 0; i < n; i += VL) total += vfill(vexp(vload_n(x + i, n - i) - top), n - i, 0);
  return total;
}
INLINE vf lanes_sum(const float *x, long n) {
  vf total = {0};
  for (long i = 0; i < n; i += VL) total += vload_n(x + i, n - i);
  return total;
}
INLINE vf lanes_dot(const float *x, const float *y, long n) {
  vf total = {0};
  for (long i = 0; i < n; i += VL) total = vfma(vload_n(x + i, n - i), vload_n(y + i, n - i), total);
  return total;
}

// The largest element of each row of a group.
INLINE void group_max(const float *x, long rows, long cols, float *top) {
  vf t[VL] = {0};
  for (long r = 0; r < rows; r++) t[r] = lanes_max(x + r * cols, cols);
  vstore(top, fold_rows(redMax, t));
}
// log sum e^(x - top) of each row of a group.
INLINE void group_log_sum(const float *x, const float *top, long rows, long cols, float *log_sum) {
  vf t[VL] = {0};
  for (long r = 0; r < rows; r++) t[r] = lanes_exp_sum(x + r * cols, top[r], cols);
  vstore(log_sum, vlog(fold_rows(redSum, t)));
}

static void softmax_f32(const float *x, float *y, long rows, long cols) {
  for (long left = rows, n; left > 0; left -= n, x += n * cols, y += n * cols) {
    n = group_rows(left, cols);
    float top[VL], share[VL];
    vf t[VL] = {0};
    group_max(x, n, cols, top);
    if (cols > 0 && cols <= VL) { // one vector each, kept: reading a masked store again would stall
      vf e[VL] = {0};
      for (long r = 0; r < n; r++) t[r] = e[r] = vfill(vexp(vload_n(x + r * cols, cols) - top[r]), cols, 0);
      vstore(share, 1.0f / fold_rows(redSum, t));
      for (long r = 0; r < n; r++) vstore_n(y + r * cols, cols, e[r] * share[r]);
      continue;
    }
    for (long r = 0; r < n; r++)
      for (long i = 0; i < cols; i += VL) {
        const vf e = vfill(vexp(vload_n(x + r * cols + i, cols - i) - top[r]), cols - i, 0);
        vstore_n(y + r * cols + i, cols - i, e);
        t[r] += e;
      }
    vstore(share, 1.0f / fold_rows(redSum, t));
    for (long r = 0; r < n; r++)
      for (long i = 0; i < cols; i += VL) vstore_n(y + r * cols + i, cols - i, vload_n(y + r * cols + i, cols - i) * share[r]);
  }
}

static void log_softmax_f32(const float *x, float *y, long rows, long cols) {
  for (long left = rows, n; left > 0; left -= n, x += n * cols, y += n * cols) {
    n = group_rows(left, cols);
    float top[VL], log_sum[VL];
    group_max(x, n, cols, top);
    group_log_sum(x, top, n, cols, log_sum);
    for (long r = 0; r < n; r++)
      for (long i = 0; i < cols; i += VL)
        vstore_n(y + r * cols + i, cols - i, (vload_n(x + r * cols + i, cols - i) - top[r]) - log_sum[r]);
  }
}

static void softmax_backward_f32(const float *y, const float *dy, float *dx, long rows, long cols) {
  for (long left = rows, n; left > 0; left -= n, y += n * cols, dy += n * cols, dx += n * cols) {
    n = group_rows(left, cols);
    float dot[VL];
    vf t[VL] = {0};
    for (long r = 0; r < n; r++) t[r] = lanes_dot(y + r * cols, dy + r * cols, cols);
    vstore(dot, fold_rows(redSum, t));
    for (long r = 0; r < n; r++)
      for (long i = 0; i < cols; i += VL) {
        const long at = r * cols + i, m = cols - i;
        vstore_n(dx + at, m, vload_n(y + at, m) * (vload_n(dy + at, m) - dot[r]));
      }
  }
}

static void log_softmax_backward_f32(const float *y, const float *dy, float *dx, long rows, long cols) {
  for (long left = rows, n; left > 0; left -= n, y += n * cols, dy += n * cols, dx += n * cols) {
    n = group_rows(left, cols);
    float sum[VL];
    vf t[VL] = {0};
    for (long r = 0; r < n; r++) t[r] = lanes_sum(dy + r * cols, cols);
    vstore(sum, fold_rows(redSum, t));
    for (long r = 0; r < n; r++)
      for (long i = 0; i < cols; i += VL) {
        const long at = r * cols + i, m = cols - i;
        vstore_n(dx + at, m, vload_n(dy + at, m) - vexp(vload_n(y + at, m)) * sum[r]);
      }
  }
}

static void sparse_cross_entropy_f32(const float *x, const int32_t *labels, float *loss, float *log_sum, long rows, long cols) {
  for (long r0 = 0, n; r0 < rows; r0 += n, x += n * cols) {
    n = group_rows(rows - r0, cols);
    float top[VL], distance[VL];
    group_max(x, n, cols, top);
    group_log_sum(x, top, n, cols, distance);
    for (long r = 0; r < n; r++) {
      const int32_t label = labels[r0 + r];
      // As log-softmax has it: the distance to the top first, so that large logits do not swallow small losses.
      loss[r0 + r] = label >= 0 && label < cols ? distance[r] - (x[r * cols + label] - top[r]) : NAN;
      log_sum[r0 + r] = distance[r] + top[r];
    }
  }
}

static void sparse_cross_entropy_backward_f32(const float *x, const float *log_sum, const int32_t *labels, const float *g,
                                              long g_stride, float *dx, long rows, long cols) {
  for (long r = 0; r < rows; r++, x += cols, dx += cols) {
    const int32_t label = labels[r];
    if (label < 0 || label >= cols) {
      memset(dx, 0, sizeof(float) * (size_t)cols);
      continue;
    }
    for (long i = 0; i < cols; i += VL) {
      const vi is_label = lane_numbers() == vseti((int32_t)(label - i));
      const vf share = vexp(vload_n(x + i, cols - i) - log_sum[r]);
      vstore_n(dx + i, cols - i, (share - vsel(is_label, vset(1), vset(0))) * g[r * g_stride]);
    }
  }
}
