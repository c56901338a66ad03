// Few columns that lie along k, as rows of A do: each element is a dot product of two contiguous vectors, and lanes are k.
// Whatever the number of columns, no lane is idle and nothing is turned or broadcast.
//
// Lane i of an element's sum is one chain over k = i, i + VL, i + 2 VL, ...; in the end halves of the lanes are added onto
// halves. Only K decides that, not the tile.

// A tile's sums wait in scratch while a block of k passes: so the columns' part of it stays in the L1 cache for all
// rows, and each part of A is read once.
#if MR_MAX >= 12
enum { dotTileRows = 4, dotTileColumns = 6 };
#define EACH_DOT_TILE(X)                                                                                                           \
  {X(1, 1), X(1, 2), X(1, 3), X(1, 4), X(1, 5), X(1, 6)}, {X(2, 1), X(2, 2), X(2, 3), X(2, 4), X(2, 5), X(2, 6)},                  \
  {X(3, 1), X(3, 2), X(3, 3), X(3, 4), X(3, 5), X(3, 6)}, {X(4, 1), X(4, 2), X(4, 3), X(4, 4), X(4, 5), X(4, 6)}
#else
enum { dotTileRows = 2, dotTileColumns = 5 };
#define EACH_DOT_TILE(X) {X(1, 1), X(1, 2), X(1, 3), X(1, 4), X(1, 5)}, {X(2, 1), X(2, 2), X(2, 3), X(2, 4), X(2, 5)}
#endif
enum { dotBlockRows = 16, dotBlockColumns = 16, dotBlockFloats = 4096 };

typedef struct DotTile {
  long K; // of this block
  const float *a, *b; // a[m*a_rs + k], b[n*b_cs + k]
  long a_rs, b_cs;
  float *sums; // sums[m*sums_rs + n*VL + lane]
  long sums_rs;
  bool first; // no sums yet
} DotTile;

INLINE void dot_tile(const DotTile *t, const int MR, const int NC) {
  vf acc[dotTileRows][dotTileColumns];
  const long K = t->K;
  const float *a[dotTileRows], *b[dotTileColumns];
  UNROLL for (int m = 0; m < MR; m++) a[m] = t->a + m * t->a_rs;
  UNROLL for (int n = 0; n < NC; n++) b[n] = t->b + n * t->b_cs;
  UNROLL for (int m = 0; m < MR; m++) UNROLL for (int n = 0; n < NC; n++)
      acc[m][n] = t->first ? (vf){0} : vload(t->sums + m * t->sums_rs + n * VL);
#define STEP(LOAD)                                                                                                                 \
  {                                                                                                                                \
    vf x[dotTileRows];                                                                                                             \
    UNROLL for (int m = 0; m < MR; m++) x[m] = LOAD(a[m] + k);                                                                     \
    UNROLL for (int n = 0; n < NC; n++) {                                                                                          \
      const vf y = LOAD(b[n] + k);                                                                                                 \
      UNROLL for (int m = 0; m < MR; m++) acc[m][n] = vfma(x[m], y, acc[m][n]);                                                    \
    }                                                                                                                              \
  }
  long k = 0;
  _Pragma("clang loop unroll(disable)") for (; k + VL <= K; k += VL) STEP(vload)
  if (k < K) {
    const vmask mask = mask_of(K - k);
#define TAIL(p) vload_m(p, mask)
    STEP(TAIL)
#undef TAIL
  }
#undef STEP
  UNROLL for (int m = 0; m < MR; m++) UNROLL for (int n = 0; n < NC; n++) vstore(t->sums + m * t->sums_rs + n * VL, acc[m][n]);
}

#define DOT_FN(mr, nc) dot_tile_##mr##_##nc
#define DOT_DEFINE(mr, nc) static void DOT_FN(mr, nc)(const DotTile *t) { dot_tile(t, mr, nc); }
#define DOT_ROW(mr) DOT_DEFINE(mr, 1) DOT_DEFINE(mr, 2) DOT_DEFINE(mr, 3) DOT_DEFINE(mr, 4) DOT_DEFINE(mr, 5)
DOT_ROW(1) DOT_ROW(2)
#if MR_MAX >= 12
DOT_ROW(3) DOT_ROW(4) DOT_DEFINE(1, 6) DOT_DEFINE(2, 6) DOT_DEFINE(3, 6) DOT_DEFINE(4, 6)
#endif
static void (*const dot_tiles[dotTileRows][dotTileColumns])(const DotTile *) = {EACH_DOT_TILE(DOT_FN)};
#undef DOT_ROW
#undef DOT_DEFINE
#undef DOT_FN
#undef EACH_DOT_TILE

// Lane i of the result is fold_sum(r[i]): each round adds halves of the lanes and zips two vectors into one.
INLINE vf fold_tile(vf r[VL]) {
  UNROLL for (int w = VL / 2; w > 0; w /= 2) UNROLL for (int i = 0; i < w; i++)
      r[i] = ZIP_LO(r[i], r[i + w]) + ZIP_HI(r[i], r[i + w]);
  return r[0];
}

static long dot_floats(long M, long N) { return min_l(M, dotBlockRows) * min_l(N, dotBlockColumns) * VL; }

static void dot_product(const Product *p) {
  const long K = p->K;
  DotTile t = {.a_rs = p->a_rs, .b_cs = p->b_cs};
  for (long n0 = 0; n0 < p->N; n0 += dotBlockColumns) {
    const long cols = min_l(dotBlockColumns, p->N - n0), groups = ceil_div(cols, dotTileColumns);
    const long block = dotBlockFloats / cols / VL * VL;
    t.sums_rs = cols * VL;
    for (long m0 = 0; m0 < p->M; m0 += dotBlockRows) {
      const long rows = min_l(dotBlockRows, p->M - m0), bands = ceil_div(rows, dotTileRows);
      for (long k0 = 0; k0 < K; k0 += block) {
        t.K = min_l(block, K - k0);
        t.first = k0 == 0;
        for (long i = 0; i < bands; i++) {
          const long m = rows * i / bands, height = rows * (i + 1) / bands - m;
          t.a = p->A + (m0 + m) * p->a_rs + k0;
          for (long j = 0; j < groups; j++) {
            const long n = cols * j / groups, width = cols * (j + 1) / groups - n;
            t.b = p->B + (n0 + n) * p->b_cs + k0;
            t.sums = p->scratch + m * t.sums_rs + n * VL;
            dot_tiles[height - 1][width - 1](&t);
          }
        }
      }
      for (long m = 0; m < rows; m++) for (long n = 0; n < cols; n += VL) {
        const float *sums = p->scratch + m * t.sums_rs + n * VL;
        const long lanes = min_l(VL, cols - n);
        vf r[VL];
        UNROLL for (int i = 0; i < VL; i++) r[i] = i < lanes ? vload(sums + i * VL) : (vf){0};
        vstore_n(p->C + (m0 + m) * p->ldc + n0 + n, lanes,
                 finish(fold_tile(r), p->bias ? p->bias + n0 + n : NULL, lanes, p->relu));
      }
    }
  }
}
