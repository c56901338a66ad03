// Softmax and its relatives over the last axis, one row at a time: the row stays in the first-level cache between passes.

// sum of e^(x - top) over a row; writes the terms to y unless it is NULL. The vector sums have a fixed order.
INLINE float exp_row(const float *x, float top, float *y, long n) {
  vf total = {0};
  for (long i = 0; i < n; i += VL) {
    const long lanes = min_l(VL, n - i);
    vf e = vexp(vload_n(x + i, lanes) - top);
    if (lanes < VL) { // lanes beyond the end must count as 0
      float t[VL];
      vstore(t, e);
      for (long j = lanes; j < VL; j++) t[j] = 0;
      e = vload(t);
    }
    if (y) vstore_n(y + i, lanes, e);
    total += e;
  }
  return fold_sum(total);
}

static void softmax_f32(const float *x, float *y, long rows, long cols) {
  for (long r = 0; r < rows; r++, x += cols, y += cols) {
    const float top = red_row(redMax, x, cols), sum = exp_row(x, top, y, cols), scale = 1.0f / sum;
    for (long i = 0; i < cols; i += VL) vstore_n(y + i, cols - i, vload_n(y + i, cols - i) * scale);
  }
}

static void log_softmax_f32(const float *x, float *y, long rows, long cols) {
  for (long r = 0; r < rows; r++, x += cols, y += cols) {
    const float top = red_row(redMax, x, cols), sum = exp_row(x, top, NULL, cols), log_sum = vlog(vset(sum))[0];
    for (long i = 0; i < cols; i += VL) vstore_n(y + i, cols - i, (vload_n(x + i, cols - i) - top) - log_sum);
  }
}

static void softmax_backward_f32(const float *y, const float *dy, float *dx, long rows, long cols) {
  for (long r = 0; r < rows; r++, y += cols, dy += cols, dx += cols) {
    vf total = {0};
    for (long i = 0; i < cols; i += VL) total = vfma(vload_n(y + i, cols - i), vload_n(dy + i, cols - i), total);
    const float dot = fold_sum(total);
    for (long i = 0; i < cols; i += VL)
      vstore_n(dx + i, cols - i, vload_n(y + i, cols - i) * (vload_n(dy + i, cols - i) - dot));
  }
}

static void log_softmax_backward_f32(const float *y, const float *dy, float *dx, long rows, long cols) {
  for (long r = 0; r < rows; r++, y += cols, dy += cols, dx += cols) {
    const float sum = red_row(redSum, dy, cols);
    for (long i = 0; i < cols; i += VL)
      vstore_n(dx + i, cols - i, vload_n(dy + i, cols - i) - vexp(vload_n(y + i, cols - i)) * sum);
  }
}
