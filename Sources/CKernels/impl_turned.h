// The transposed product, C^T = B^T A^T: vectors along the rows of A, tiles of columns of B.

// Is it cheaper to transpose A and C than to pack B? Few columns would leave most lanes of a vector idle; a B that lies
// along k would have to be transposed as a whole.
INLINE bool prefers_turned(long M, long N, long K, long a_rs, long a_cs, long b_rs, long b_cs) {
  if (M < VL || (a_rs != 1 && a_cs != 1)) return false;
  if (N <= narrowColumns) return (b_cs == 1 || b_rs == 1) && (a_rs == 1 || M >= NR);
  const long padded = ceil_div(M, VL) * VL;
  return b_rs == 1 && b_cs != 1 && K >= 16 && M <= (awkward(b_cs) ? turnedRows / 2 : turnedRows) && 8 * padded <= 9 * M &&
         2 * M * (N + K) <= K * N;
}

static long turned_floats(long M, long N, long K) {
  const bool a_once = N > turnedColumns;
  const long rows = a_once ? min_l(ceil_div(M, NR) * NR, turnedRows) : NR, cols = min_l(N, turnedColumns);
  return rows * (cols + VL) + rows * (a_once ? K : min_l(K, gemmKC)) + MR_MAX * rowStride;
}

// turned[n*ldt + m] = c[m*ldc + n] and back, the latter with bias and relu.
static void turn_in(long rows, long cols, const float *c, long ldc, float *turned, long ldt) {
  for (long m = 0; m < rows; m += VL) for (long n = 0; n < cols; n += VL) {
    vf r[VL];
    for (long i = 0; i < VL; i++) r[i] = m + i < rows ? vload_n(c + (m + i) * ldc + n, cols - n) : (vf){0};
    transpose_tile(r);
    UNROLL for (int i = 0; i < VL; i++) vstore(turned + (n + i) * ldt + m, r[i]);
  }
}
static void turn_out(long rows, long cols, const float *turned, long ldt, float *c, long ldc, const float *bias, bool relu) {
  for (long n = 0; n < cols; n += VL) {
    const vmask mask = mask_of(cols - n);
    const vf b = bias ? vload_m(bias + n, mask) : (vf){0};
    for (long m = 0; m < rows; m += VL) {
      vf r[VL];
      load_transposed(turned + n * ldt + m, ldt, r);
      if (bias) UNROLL for (int i = 0; i < VL; i++) r[i] += b;
      if (relu) UNROLL for (int i = 0; i < VL; i++) r[i] = (vf)((vi)r[i] & ~(r[i] < 0.0f));
      float *o = c + m * ldc + n;
      if (rows - m >= VL) UNROLL for (int i = 0; i < VL; i++) vstore_m(o + i * ldc, mask, r[i]);
      else {
        float t[VL * VL];
        UNROLL for (int i = 0; i < VL; i++) vstore(t + i * VL, r[i]);
        for (long i = 0; i < rows - m; i++) vstore_m(o + i * ldc, mask, vload(t + i * VL));
      }
    }
  }
}

static void turned_product(const Product *p) {
  const long N = p->N, K = p->K, NB = min_l(N, turnedColumns);
  // With many columns, a block of A is packed once for all of them; with few, each panel passes through.
  const bool a_direct = p->a_rs == 1, a_once = N > NB;
  const long ldt = a_once ? min_l(ceil_div(p->M, NR) * NR, turnedRows) : NR;
  const int form = p->b_cs == 1 ? formColumns : formRows;
  const bool b_copy = form == formRows && p->M > NR && awkward(p->b_cs);
  float *turned = p->scratch, *panels = turned + ldt * (NB + VL);
  float *rows_b = panels + ldt * (a_once ? K : min_l(K, gemmKC));
  // A sum that needs no packed operand is not cut.
  const long KC = a_direct && !b_copy ? K : gemmKC;
  for (long m0 = 0; m0 < p->M; m0 += ldt) {
    const long rows = min_l(ldt, p->M - m0);
    for (long n0 = 0; n0 < N; n0 += NB) {
      const long cols = min_l(NB, N - n0), mr = tile_rows(cols);
      float *c = p->C + m0 * p->ldc + n0;
      if (p->accumulate) turn_in(rows, cols, c, p->ldc, turned, ldt);
      for (long k0 = 0; k0 < K; k0 += KC) {
        Tile t = {.K = min_l(KC, K - k0), .load_c = p->accumulate || k0 > 0, .ldc = ldt, .ldb = a_direct ? p->a_cs : NR};
        const float *a = p->A + m0 * p->a_rs + k0 * p->a_cs;
        float *packed = a_once ? panels + k0 * ldt : panels;
        if (!a_direct && n0 == 0)
          for (long m = 0; m < rows; m += NR)
            pack_b(t.K, min_l(NR, rows - m), a + m * p->a_rs, p->a_cs, p->a_rs, packed + m * t.K);
        for (long n = 0; n < cols; n += mr) {
          const long height = min_l(mr, cols - n);
          t.a = p->B + k0 * p->b_rs + (n0 + n) * p->b_cs;
          t.as = form == formColumns ? p->b_rs : p->b_cs;
          if (b_copy) {
            pack_rows(height, t.K, t.a, t.as, rows_b, rowStride);
            t.a = rows_b;
            t.as = rowStride;
          }
          for (long m = 0; m < rows; m += NR) {
            t.b = a_direct ? a + m : packed + m * t.K;
            t.c = turned + n * ldt + m;
            run_tile(&t, form, height, min_l(NR, rows - m));
          }
        }
      }
      turn_out(rows, cols, turned, ldt, c, p->ldc, p->bias ? p->bias + n0 : NULL, p->relu);
    }
  }
}
