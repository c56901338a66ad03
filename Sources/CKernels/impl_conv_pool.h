// A convolution and the max pooling that follows it, a few rows at a time: the unpooled rows live in a ring a little higher
// than a window, which stays in the L1 cache, and are never written to memory.

// Rows come `step` at a time and a ring holds whole steps, so that a step never wraps.
INLINE long pool_ring_rows(const AccPool *p, long step) { return ceil_div(min_l(p->window_h, p->H) + 2 * (step - 1), step) * step; }
INLINE long pool_ring_bytes(const AccConv *c, const AccPool *p, long step) { return 4 * pool_ring_rows(p, step) * c->OW * c->O; }

static void conv_forward_pool(const AccConv *c, const AccPool *p, const float *x, const void *packed, float *y, uint8_t *index, long n0,
                              long n1, long row0, long row1, const AccEpilogue *ep, void *scratch) {
  if (conv_is_empty(c) || n1 <= n0 || row1 <= row0) return;
  Carver w = {(char *)packed, 0}, s = {scratch, 0};
  const ForwardPlan plan = forward_plan(c, &w, &s);
  const bool in_tile = pools_in_tile(c, &plan, p);
  const long step = forward_row_step(&plan);
  const PoolRows ring = {carve(&s, pool_ring_bytes(c, p, step)), c->OW * c->O, pool_ring_rows(p, step)};
  const float weights = in_tile ? largest_magnitude(plan.panels, c->groups * panel_floats(plan.K, c->O / c->groups)) : 0;
  const float bias = in_tile && ep && ep->bias ? largest_magnitude(ep->bias, c->O) : 0;
  // Rows of the convolution under the pooled ones; windows that reach beyond the image at both ends may leave none.
  const long first_row = max_l(0, row0 * p->stride_h - p->pad_top) / step * step;
  const long end_row = min_l(c->OH, ceil_div(max_l(0, (row1 - 1) * p->stride_h - p->pad_top + p->window_h), step) * step);
  for (long n = n0; n < n1; n++) {
    const float *src = forward_sample(c, &plan, x, n, min_l(first_row, c->OH), max_l(end_row, min_l(first_row, c->OH) + 1));
    const long size = c->H * c->W * c->C;
    const bool by_tile = in_tile && sums_stay_finite(&plan, weights, bias, largest_magnitude(x + n * size, size));
    long next = 0;
    for (long oh = row0; oh < row1; oh++) {
      const long at = (n * p->OH + oh) * p->OW * p->C;
      if (by_tile) {
        conv_pool_row(c, &plan, p, src, oh, y + at, index ? index + at : NULL, ep);
        continue;
      }
      const long first = max_l(0, oh * p->stride_h - p->pad_top), end = min_l(c->OH, oh * p->stride_h - p->pad_top + p->window_h);
      next = max_l(next, first / step * step);
      while (next < end) {
        // Rows up to the end of the ring in one call.
        const long slot = next % ring.count, needed = min_l(ceil_div(end, step) * step, c->OH) - next;
        const long rows = min_l(needed, ring.count - slot);
        const ForwardPart part = {next, next + rows, 0, c->O, (float *)ring.base + slot * ring.pitch, NULL};
        forward_rows(c, &plan, src, &part, ep);
        next += rows;
      }
      maxpool_row(p, &ring, oh, y + at, index ? index + at : NULL);
    }
  }
}
