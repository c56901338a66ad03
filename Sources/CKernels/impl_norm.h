// Layer normalization, in the groups of rows of softmax: mean and variance in two passes, as the squares of a large mean
// would swallow a small variance, with the rows in the first-level cache after the first.

// Sums of x and of (x - mean)^2, lane by lane in blocks, so that long rows keep their precision.
enum { normBlock = 4096 };
INLINE vf lanes_blocked_sum(const float *x, long n) {
  vf total = {0};
  for (long b = 0; b < n; b += normBlock) total += lanes_sum(x + b, min_l(n - b, normBlock));
  return total;
}
INLINE vf lanes_squares(const float *x, float mean, long n) {
  vf total = {0};
  for (long b = 0; b < n; b += normBlock) {
    const long end = min_l(n, b + normBlock);
    vf sum = {0};
    for (long i = b; i < end; i += VL) {
      const vf u = vfill(vload_n(x + i, end - i) - mean, end - i, 0);
      sum = vfma(u, u, sum);
    }
    total += sum;
  }
  return total;
}

// The mean, and 1 / sqrt(variance + eps), of each row of a group.
INLINE void group_moments(const float *x, long rows, long cols, float eps, float *mean, float *inverse) {
  vf t[VL] = {0};
  for (long r = 0; r < rows; r++) t[r] = lanes_blocked_sum(x + r * cols, cols);
  vstore(mean, fold_rows(redSum, t) / (float)cols);
  for (long r = 0; r < VL; r++) t[r] = r < rows ? lanes_squares(x + r * cols, mean[r], cols) : (vf){0};
  vstore(inverse, 1.0f / vsqrt(fold_rows(redSum, t) / (float)cols + eps));
}

static void layer_norm_f32(const float *x, const float *scale, const float *offset, float *y, long rows, long cols, float eps) {
  for (long left = rows, n; left > 0; left -= n, x += n * cols, y += n * cols) {
    n = group_rows(left, cols);
    float mean[VL], inverse[VL];
    group_moments(x, n, cols, eps, mean, inverse);
    for (long r = 0; r < n; r++)
      for (long i = 0; i < cols; i += VL) {
        const long m = cols - i;
        const vf normalized = (vload_n(x + r * cols + i, m) - mean[r]) * inverse[r];
        vstore_n(y + r * cols + i, m, vfma(normalized, vload_n(scale + i, m), vload_n(offset + i, m)));
      }
  }
}

static void layer_norm_backward_f32(const float *x, const float *scale, const float *g, float *dx, float *dscale, float *doffset,
                                    long rows, long cols, float eps) {
  memset(dscale, 0, sizeof(float) * (size_t)cols);
  memset(doffset, 0, sizeof(float) * (size_t)cols);
  for (long left = rows, n; left > 0; left -= n, x += n * cols, g += n * cols, dx += n * cols) {
    n = group_rows(left, cols);
    float mean[VL], inverse[VL], common[VL], slope[VL];
    group_moments(x, n, cols, eps, mean, inverse);
    vf sums[VL] = {0}, slopes[VL] = {0};
    // Columns outside, so that the sums over rows stay in registers; lanes beyond the end have a gradient of 0.
    for (long i = 0; i < cols; i += VL) {
      const long m = cols - i;
      const vf factor = vload_n(scale + i, m);
      vf by_scale = vload_n(dscale + i, m), by_offset = vload_n(doffset + i, m);
      for (long r = 0; r < n; r++) {
        const vf gv = vload_n(g + r * cols + i, m), normalized = (vload_n(x + r * cols + i, m) - mean[r]) * inverse[r];
        const vf scaled = gv * factor;
        sums[r] += scaled;
        slopes[r] = vfma(scaled, normalized, slopes[r]);
        by_scale = vfma(gv, normalized, by_scale);
        by_offset += gv;
      }
      vstore_n(dscale + i, m, by_scale);
      vstore_n(doffset + i, m, by_offset);
    }
    vstore(common, fold_rows(redSum, sums) / (float)cols);
    vstore(slope, fold_rows(redSum, slopes) / (float)cols);
    for (long r = 0; r < n; r++)
      for (long i = 0; i < cols; i += VL) {
        const long at = r * cols + i, m = cols - i;
        const vf normalized = (vload_n(x + at, m) - mean[r]) * inverse[r], scaled = vload_n(g + at, m) * vload_n(scale + i, m);
        vstore_n(dx + at, m, inverse[r] * (scaled - common[r] - normalized * slope[r]));
      }
  }
}
