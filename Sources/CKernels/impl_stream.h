// A few rows times a large matrix of contiguous rows: the time is that of reading the matrix, once, from memory. A walk down its
// columns would touch another page with every step; here a few whole rows of B at a time go past, in strips, and their products
// are added to the sums of C, which stay in the L1 cache. The next rows are asked for beforehand.
//
// Every element of C is the chain of the tiles: what is stored between is exact.

enum { streamDepth = VL == 16 ? 8 : 4, streamStrip = 512, streamRows = 14 };

// Worth it where one tile would use each element of B once, and B does not come from a cache.
INLINE bool streams_b(long M, long K, long b_rs, long b_cs) {
  return b_cs == 1 && M > 1 && M <= streamRows && b_rs > 1024 && K * b_rs > 4 << 20;
}

typedef struct Stream {
  long n;            // columns
  const float *a;    // a[r*a_rs + d*a_cs]
  long a_rs, a_cs;
  const float *b;    // b[d*b_rs + j]
  long b_rs;
  const float *next; // rows to ask for
  float *c;          // c[r*ldc + j]
  long ldc;
  bool load_c;
  const float *bias;
  bool relu;
} Stream;

// R rows of A, D of B; asks for F rows.
INLINE void stream_body(const Stream *s, const int R, const int D, const int F) {
  vf a[2][streamDepth];
  UNROLL for (int r = 0; r < R; r++) UNROLL for (int d = 0; d < D; d++) a[r][d] = vset(s->a[r * s->a_rs + d * s->a_cs]);
  const long n = s->n;
  for (long j = 0; j < n; j += VL) {
    const vmask m = mask_of(n - j);
    const bool full = n - j >= VL;
    vf acc[2];
    UNROLL for (int f = 0; f < F; f++) __builtin_prefetch(s->next + f * s->b_rs + j);
    UNROLL for (int r = 0; r < R; r++) {
      const float *c = s->c + r * s->ldc + j;
      acc[r] = !s->load_c ? (vf){0} : full ? vload(c) : vload_m(c, m);
    }
    UNROLL for (int d = 0; d < D; d++) {
      const float *b = s->b + d * s->b_rs + j;
      const vf bv = full ? vload(b) : vload_m(b, m);
      UNROLL for (int r = 0; r < R; r++) acc[r] = vfma(a[r][d], bv, acc[r]);
    }
    if (s->bias) {
      const vf bias = full ? vload(s->bias + j) : vload_m(s->bias + j, m);
      UNROLL for (int r = 0; r < R; r++) acc[r] += bias;
    }
    UNROLL for (int r = 0; r < R; r++) {
      float *c = s->c + r * s->ldc + j;
      const vf v = s->relu ? (vf)((vi)acc[r] & ~(acc[r] < 0.0f)) : acc[r];
      if (full) vstore(c, v); else vstore_m(c, m, v);
    }
  }
}
static void stream_two(const Stream *s, long fetch) {
  if (fetch == 8) stream_body(s, 2, streamDepth, 8);
  else if (fetch == 4) stream_body(s, 2, streamDepth, 4);
  else if (fetch == 2) stream_body(s, 2, streamDepth, 2);
  else if (fetch == 1) stream_body(s, 2, streamDepth, 1);
  else stream_body(s, 2, streamDepth, 0);
}
static void stream_one(const Stream *s) { stream_body(s, 1, streamDepth, 0); }
static void stream_rest(const Stream *s, long rows) {
  if (rows == 2) stream_body(s, 2, 1, 0); else stream_body(s, 1, 1, 0);
}

static void stream_product(const Product *p) {
  // Each pass over the strip, two rows of A, asks for some of the next rows of B.
  const long passes = p->M / 2, share = ceil_div(streamDepth, passes), fetch = share > 4 ? 8 : share > 2 ? 4 : share;
  for (long j = 0; j < p->N; j += streamStrip) {
    Stream s = {.n = min_l(streamStrip, p->N - j), .a_rs = p->a_rs, .a_cs = p->a_cs, .b_rs = p->b_rs, .ldc = p->ldc};
    for (long k = 0; k < p->K;) {
      const long d = p->K - k >= streamDepth ? streamDepth : 1;
      const bool last = k + d == p->K, more = p->K - k >= 2 * streamDepth;
      s.b = p->B + k * p->b_rs + j;
      s.load_c = p->accumulate || k > 0;
      s.bias = last && p->bias ? p->bias + j : NULL;
      s.relu = last && p->relu;
      for (long m = 0, asked = 0; m < p->M; m += 2) {
        const long rows = min_l(2, p->M - m);
        s.a = p->A + m * p->a_rs + k * p->a_cs;
        s.c = p->C + m * p->ldc + j;
        if (d == 1) stream_rest(&s, rows);
        else if (rows == 1) stream_one(&s);
        else {
          const bool asks = more && asked + fetch <= streamDepth;
          s.next = s.b + (streamDepth + asked) * p->b_rs;
          stream_two(&s, asks ? fetch : 0);
          asked += asks ? fetch : 0;
        }
      }
      k += d;
    }
  }
}
