// The matrix product: which of its forms suits the shape, and the loops over blocks that keep operands in cache.
//
// The summation order is that of the tiles, whichever form is taken: one chain over k for each element.

typedef struct Product {
  long M, N, K;
  const float *A;
  long a_rs, a_cs;
  const float *B; // NULL: packed
  long b_rs, b_cs;
  const float *packed; // panels of NR columns, each [K][NR]; NULL: not packed
  float *C;
  long ldc;
  bool accumulate;
  const float *bias;
  bool relu;
  float *scratch;
} Product;

// A block of B (gemmKC x gemmNC) stays in the L2 cache while the tiles of A, copied into the L1 cache,
// pass by one after another; so C is written along its rows.
enum { gemmKC = 384, gemmNC = 256, rowStride = gemmKC + 16, narrowColumns = 12, turnedRows = 64, turnedColumns = 448 };

#include "impl_turned.h"
#include "impl_gemv.h"
#include "impl_dots.h"
#include "impl_stream.h"

// ---- blocks

// Packing pays when a packed block is used often enough, when the strides leave no choice, or when B comes from memory, which is
// slow to walk down in columns of tiles.
INLINE bool direct_b(long M, long N, long K, long b_rs, long b_cs) {
  return b_cs == 1 && ((M <= 4 * MR_MAX && (M <= 4 || K * N <= 4 << 20)) || (b_rs <= 1024 && K * N <= 64 * 1024) || K <= 8);
}

static void blocked_product(const Product *p) {
  const long M = p->M, N = p->N, K = p->K, mr = tile_rows(M);
  const bool b_direct = !p->packed && direct_b(M, N, K, p->b_rs, p->b_cs);
  const bool b_pack = !p->packed && !b_direct;
  const bool a_rows = p->a_cs == 1;
  // Down the columns of A a tall tile uses most of each line it reads; a low one reads lines again that have been lost.
  const bool columns_serve = p->a_rs == 1 && K <= 128 && (mr >= 12 || !awkward(p->a_cs));
  const bool a_direct = a_rows ? N <= 8 * NR && !(awkward(p->a_rs) && N > NR) : columns_serve || (p->a_rs == 1 && N <= NR);
  // Low tiles do not take long enough for b to arrive otherwise.
  const int form = !a_rows ? formColumns : p->packed && mr <= 8 && K * N > 1 << 20 ? formPacked : formRows;
  const long KC = b_direct && a_direct ? K : gemmKC;
  // A panel that one tile uses is packed into the L1 cache.
  const long NC = b_direct || (p->packed && mr >= M) ? N : mr >= M ? NR : gemmNC;
  float *pb = p->scratch, *pa = b_pack ? pb + min_l(K, KC) * min_l(NC, ceil_div(N, NR) * NR) : pb;
  Tile t = {.ldc = p->ldc};
  for (long j0 = 0; j0 < N; j0 += NC) {
    const long nc = min_l(NC, N - j0);
    for (long k0 = 0; k0 < K; k0 += KC) {
      const long kc = min_l(KC, K - k0);
      const bool last = k0 + kc == K;
      t.K = kc;
      t.load_c = p->accumulate || k0 > 0;
      t.relu = last && p->relu;
      const float *b = b_pack ? pb : p->packed ? p->packed + j0 * K + k0 * NR : p->B + k0 * p->b_rs + j0;
      const long panel = b_pack ? kc : p->packed ? K : 1; // panel j begins at b + j * panel
      t.ldb = b_direct ? p->b_rs : NR;
      if (b_pack) pack_panels(kc, nc, p->B + k0 * p->b_rs + j0 * p->b_cs, p->b_rs, p->b_cs, pb, kc * NR);
      for (long i = 0; i < M; i += mr) {
        const long rows = min_l(mr, M - i);
        t.a = p->A + i * p->a_rs + k0 * p->a_cs;
        t.as = a_rows ? p->a_rs : p->a_cs;
        if (!a_direct) {
          if (a_rows) pack_rows(rows, kc, t.a, p->a_rs, pa, rowStride);
          else pack_columns(rows, kc, t.a, p->a_rs, p->a_cs, pa);
          t.a = pa;
          t.as = a_rows ? rowStride : rows;
        }
        for (long j = 0; j < nc; j += NR) {
          t.b = b + j * panel;
          t.c = p->C + i * p->ldc + j0 + j;
          t.bias = last && p->bias ? p->bias + j0 + j : NULL;
          run_tile(&t, form, rows, min_l(NR, nc - j));
        }
      }
    }
  }
}

// ---- the door

static Product product(long M, long N, long K, const float *A, long a_rs, long a_cs, float *C, long ldc, bool accumulate,
                       const AccEpilogue *ep, void *scratch) {
  return (Product){.M = M, .N = N, .K = max_l(K, 0), .A = A, .a_rs = a_rs, .a_cs = a_cs, .C = C, .ldc = ldc,
                   .accumulate = accumulate, .bias = ep ? ep->bias : NULL,
                   .relu = ep && ep->activation == accActivationRelu, .scratch = scratch};
}

static void run_product(const Product *p) {
  if (p->M <= 0 || p->N <= 0) return;
  if (p->K == 0) empty_product(p);
  else if (p->M == 1 && p->b_cs == 1 && !p->packed) row_times_rows(p);
  else if (p->M <= fewRows && p->b_rs == 1 && !p->packed && !awkward(p->b_cs)) few_times_columns(p);
  else if (!p->packed && prefers_turned(p->M, p->N, p->K, p->a_rs, p->a_cs, p->b_rs, p->b_cs)) turned_product(p);
  else if (!p->packed && streams_b(p->M, p->K, p->b_rs, p->b_cs)) stream_product(p);
  else blocked_product(p);
}

static long sgemm_scratch_bytes(long M, long N, long K) {
  if (M <= 0 || N <= 0 || K <= 0) return 0;
  const long kc = min_l(K, gemmKC), nc = min_l(ceil_div(N, NR) * NR, gemmNC);
  const long blocked = kc * nc + MR_MAX * rowStride + VL;
  return 4 * max_l(max_l(blocked, turned_floats(M, N, K)), dot_floats(M, N)) + 64;
}

static void sgemm(long M, long N, long K, const float *A, long a_rs, long a_cs, const float *B, long b_rs, long b_cs, float *C,
                  long ldc, bool accumulate, const AccEpilogue *ep, void *scratch) {
  Product p = product(M, N, K, A, a_rs, a_cs, C, ldc, accumulate, ep, scratch);
  p.B = B;
  p.b_rs = b_rs;
  p.b_cs = b_cs;
  run_product(&p);
}

// ---- B packed beforehand: panels of NR columns, each [K][NR]; a narrow B as it is, rows of N

static long sgemm_packed_bytes(long K, long N) {
  if (K <= 0 || N <= 0) return 0;
  return 4 * K * (N <= narrowColumns ? N : ceil_div(N, NR) * NR) + 64;
}

static long sgemm_panel_columns(long N) { return N <= narrowColumns ? narrowColumns : NR; }
static long sgemm_panels(long N) { return ceil_div(max_l(N, 0), sgemm_panel_columns(N)); }

static void sgemm_pack(long K, long N, const float *B, long b_rs, long b_cs, void *packed, long panel0, long panel1) {
  if (K <= 0 || N <= 0 || panel0 >= panel1) return;
  float *out = packed;
  if (N <= narrowColumns) {
    for (long k = 0; k < K; k++) for (long n = 0; n < N; n++) out[k * N + n] = B[k * b_rs + n * b_cs];
    return;
  }
  const long n0 = panel0 * NR, n1 = min_l(N, panel1 * NR);
  pack_panels(K, n1 - n0, B + n0 * b_cs, b_rs, b_cs, out + n0 * K, K * NR);
}

static void sgemm_prepacked(long M, long N, long K, const float *A, long a_rs, long a_cs, const void *packed, long panel0,
                            long panel1, float *C, long ldc, bool accumulate, const AccEpilogue *ep, void *scratch) {
  const long n0 = panel0 * NR, n1 = min_l(N, panel1 * NR);
  if (panel0 >= panel1) return;
  Product p = product(M, N <= narrowColumns ? N : n1 - n0, K, A, a_rs, a_cs, C, ldc, accumulate, ep, scratch);
  if (N <= narrowColumns) {
    p.B = packed;
    p.b_rs = N;
    p.b_cs = 1;
  } else p.packed = (const float *)packed + n0 * p.K;
  run_product(&p);
}

// ---- one row in several chains

static void sgemv(long N, long K, const float *a, long a_cs, const float *B, long b_rs, long b_cs, float *C,
                  const AccEpilogue *ep, void *scratch) {
  Product p = product(1, N, K, a, 0, a_cs, C, N, false, ep, scratch);
  p.B = B;
  p.b_rs = b_rs;
  p.b_cs = b_cs;
  if (N <= 0 || p.K == 0 || (b_cs != 1 && (b_rs != 1 || a_cs != 1))) run_product(&p);
  else if (b_cs != 1) row_times_columns(&p);
  else if (b_rs > rowWide) row_times_rows(&p); // a stride, so that the same holds for every part of B
  else row_times_narrow(&p);
}

// ---- few columns along k

static void sgemm_dots(long M, long N, long K, const float *A, long a_rs, const float *B, long b_cs, float *C, long ldc,
                       const AccEpilogue *ep, void *scratch) {
  Product p = product(M, N, K, A, a_rs, 1, C, ldc, false, ep, scratch);
  p.B = B;
  p.b_rs = 1;
  p.b_cs = b_cs;
  if (M <= 0 || N <= 0) return;
  if (p.K == 0) empty_product(&p); else dot_product(&p);
}
