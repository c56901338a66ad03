// Layer normalization, in the groups of rows of softmax: mean and variance in two passes, as the squares of a large mean
// would swallow a small variance, with the rows in the L1 cache after the first.

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

static void layer_norm_backward_f32(const float *x, const float *scale, const float *g, float *dx, float *moments, long rows, long cols,
                                    float eps) {
  for (long left = rows, n; left > 0; left -= n, x += n * cols, g += n * cols, dx += n * cols, moments += 2 * n) {
    n = group_rows(left, cols);
    float mean[VL], inverse[VL], common[VL], slope[VL];
    group_moments(x, n, cols, eps, mean, inverse);
    vf sums[VL] = {0}, slopes[VL] = {0};
    for (long r = 0; r < n; r++) {
      moments[2 * r] = mean[r];
      moments[2 * r + 1] = inverse[r];
      for (long i = 0; i < cols; i += VL) {
        const long at = r * cols + i, m = cols - i; // lanes beyond the end have a gradient of 0
        const vf normalized = (vload_n(x + at, m) - mean[r]) * inverse[r], scaled = vload_n(g + at, m) * vload_n(scale + i, m);
        sums[r] += scaled;
        slopes[r] = vfma(scaled, normalized, slopes[r]);
      }
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

static void layer_norm_scale_backward_f32(const float *x, const float *g, const float *moments, float *dscale, long rows, long cols,
                                          long c0, long c1, bool accumulate) {
  for (long c = c0; c < c1; c += VL) {
    const long m = c1 - c;
    vf total = accumulate ? vload_n(dscale + c, m) : (vf){0};
    for (long b = 0; b < rows; b += 64) {
      vf even = {0}, odd = {0};
      const long end = min_l(rows, b + 64);
      long r = b;
      for (; r + 2 <= end; r += 2) {
        const long at = r * cols + c;
        even = vfma(vload_n(g + at, m), (vload_n(x + at, m) - moments[2 * r]) * moments[2 * r + 1], even);
        odd = vfma(vload_n(g + at + cols, m), (vload_n(x + at + cols, m) - moments[2 * r + 2]) * moments[2 * r + 3], odd);
      }
      if (r < end) even = vfma(vload_n(g + r * cols + c, m), (vload_n(x + r * cols + c, m) - moments[2 * r]) * moments[2 * r + 1], even);
      total += even + odd;
    }
    vstore_n(dscale + c, m, total);
  }
}
