// The register tile of the convolutions: pixels by output channels, with a table of one offset for each k = (tap, channel).
// Every output is one chain acc = x[k]*w[k] + acc over ascending k, whatever tile it falls in.

typedef struct ConvTile {
  long K;
  const float *a;      // a[off[k] + m] for pixel m
  const int32_t *off;
  const float *b;      // b[k*NR + n], 64-byte aligned where the panels are
  float *c;            // c[m*ldc + n]
  long ldc;
  long lanes;          // lanes of the last vector, 1...VL
  const float *bias;   // for n, or NULL
  bool relu;
} ConvTile;

INLINE void conv_tile_body(const ConvTile *t, const int MR, const int NV, const int MASKED) {
  vf acc[MR_MAX][2];
  const vmask mask = mask_of(t->lanes);
  const long K = t->K;
#define LAST(n) (MASKED && (n) == NV - 1)
  UNROLL for (int m = 0; m < MR; m++) UNROLL for (int n = 0; n < NV; n++) acc[m][n] = (vf){0};
  const float *a = t->a, *b = t->b;
  const int32_t *off = t->off;
  // The panels are padded with zeros, so no mask is needed to read them.
  _Pragma("clang loop unroll_count(2)") for (long k = 0; k < K; k++) {
    const float *q = a + off[k];
    vf bv[2];
    UNROLL for (int n = 0; n < NV; n++) bv[n] = vload(b + n * VL);
    UNROLL for (int m = 0; m < MR; m++) {
      const vf av = vset(q[m]);
      UNROLL for (int n = 0; n < NV; n++) acc[m][n] = vfma(av, bv[n], acc[m][n]);
    }
    b += NR;
  }
  if (t->bias) {
    UNROLL for (int n = 0; n < NV; n++) {
      const vf bias = LAST(n) ? vload_m(t->bias + n * VL, mask) : vload(t->bias + n * VL);
      UNROLL for (int m = 0; m < MR; m++) acc[m][n] += bias;
    }
  }
  if (t->relu) {
    UNROLL for (int m = 0; m < MR; m++) UNROLL for (int n = 0; n < NV; n++)
        acc[m][n] = (vf)((vi)acc[m][n] & ~(acc[m][n] < 0.0f));
  }
  UNROLL for (int m = 0; m < MR; m++) UNROLL for (int n = 0; n < NV; n++) {
    float *p = t->c + m * t->ldc + n * VL;
    if (LAST(n)) vstore_m(p, mask, acc[m][n]); else vstore(p, acc[m][n]);
  }
#undef LAST
}

// One function per tile height and width. With AVX-512 a full mask costs nothing, so one variant serves.
#if ACC_AVX512
enum { convMaskVariants = 1 };
#define CTILE_FN(f, mr, nv) static void conv_tile_##nv##_##mr(const ConvTile *t) { conv_tile_body(t, mr, nv, 1); }
#define CTILE_REF(f, mr, nv) {conv_tile_##nv##_##mr},
#else
enum { convMaskVariants = 2 };
#define CTILE_FN(f, mr, nv)                                                                                                        \
  static void conv_tile_##nv##_##mr(const ConvTile *t) { conv_tile_body(t, mr, nv, 0); }                                           \
  static void conv_tile_##nv##_##mr##_masked(const ConvTile *t) { conv_tile_body(t, mr, nv, 1); }
#define CTILE_REF(f, mr, nv) {conv_tile_##nv##_##mr, conv_tile_##nv##_##mr##_masked},
#endif
EACH_MR(CTILE_FN, 0, 1)
EACH_MR(CTILE_FN, 0, 2)
typedef void (*ConvTileFn)(const ConvTile *);
static const ConvTileFn conv_tile_table[2][MR_MAX][convMaskVariants] = {{EACH_MR(CTILE_REF, 0, 1)}, {EACH_MR(CTILE_REF, 0, 2)}};

// Runs a tile of mr pixels and n (1...NR) outputs.
INLINE void run_conv_tile(ConvTile *t, long mr, long n) {
  const int nv = n > VL ? 2 : 1;
  t->lanes = n - (nv - 1) * VL;
  const int masked = convMaskVariants == 2 && t->lanes < VL;
  conv_tile_table[nv - 1][mr - 1][masked](t);
}

// ---- weights as panels of NR columns, [panel][k][NR], zero filled

INLINE long panel_floats(long K, long n) { return K * ceil_div(n, NR) * NR; }

// The even tile height for M pixels: 32 are 11 + 11 + 10, not 14 + 14 + 4.
INLINE long conv_tile_rows(long M) { return ceil_div(M, ceil_div(M, MR_MAX)); }
