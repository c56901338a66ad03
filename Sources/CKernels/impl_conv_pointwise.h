// 1 x 1 convolutions without padding: a plain matrix product over pixels. A tile's pixels are copied into blocks, vector by
// vector, instead of turning the whole sample as the general path does, which would cost as much as the product.

INLINE bool conv_is_pointwise(const AccConv *c) {
  return c->KH == 1 && c->KW == 1 && c->groups == 1 && !c->pad_top && !c->pad_left && conv_rows(c) <= c->H && conv_cols(c) <= c->W;
}
INLINE long pointwise_block_floats(long K) { return MR_MAX * ceil_div(K, VL) * VL; }

// `rows` x `cols` pixels of K values, row_step and col_step apart, times the panels of outputs o0..<o1; y has N values a pixel,
// without gaps, and so has the residual.
static void pointwise_pixels(const float *x, long rows, long cols, long row_step, long col_step, long K, long N, long o0, long o1,
                             const float *panels, float *y, const AccEpilogue *ep, const float *residual, float *block) {
  const long total = rows * cols, mr = conv_tile_rows(total);
  ConvTile t = {.K = K, .a = block, .ldc = N, .relu = ep && ep->activation == accActivationRelu};
  long h = 0, w = 0;
  for (long i = 0; i < total; i += mr) {
    const long m = min_l(mr, total - i);
    for (long j = 0; j < m; j++) {
      const float *from = x + h * row_step + w * col_step;
      float *to = block + j * VL;
      long k = 0;
      for (; k + VL <= K; k += VL, to += m * VL) vstore(to, vload(from + k));
      if (k < K) vstore(to, vload_n(from + k, K - k));
      if (++w == cols) {
        w = 0;
        h++;
      }
    }
    for (long o = o0; o < o1; o += convNR) {
      t.b = panels + o * K;
      t.c = y + i * N + o;
      t.bias = ep && ep->bias ? ep->bias + o : NULL;
      t.residual = residual ? residual + i * N + o : NULL;
      run_conv_tile(&t, convBlocks, m, min_l(convNR, o1 - o));
    }
  }
}
