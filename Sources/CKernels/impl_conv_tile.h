// The register tile of the convolutions, pixels by outputs, and the panels in which it reads weights.
//
// Every output is one chain acc = x[k]*w[k] + acc over ascending k, whatever tile it falls in.

enum { convNR = 2 * VL };

typedef struct ConvTile {
  long K;
  const float *a;      // table: a[off[k] + m] for pixel m; blocks: a[(k/VL*MR + m)*VL + k%VL], MR the pixels of the tile
  const int32_t *off;
  const float *b;      // b[k*convNR + n], zero beyond the last output
  float *c;            // c[m*ldc + n]
  long ldc;
  long lanes;          // lanes of the last vector, 1...VL
  const float *bias;   // for n, or NULL
  const float *residual; // residual[m*ldc + n] is added, or NULL
  bool relu;
} ConvTile;

enum { convTable, convBlocks };

INLINE void conv_tile_body(const ConvTile *t, const int MR, const int NV, const int FORM, const int MASKED) {
  vf acc[MR_MAX][2];
  const vmask mask = mask_of(t->lanes);
  const long K = t->K;
#define LAST(n) (MASKED && (n) == NV - 1)
  UNROLL for (int m = 0; m < MR; m++) UNROLL for (int n = 0; n < NV; n++) acc[m][n] = (vf){0};
  const float *a = t->a, *b = t->b;
#define STEP(A)                                                                                                                    \
  {                                                                                                                                \
    vf bv[2];                                                                                                                      \
    UNROLL for (int n = 0; n < NV; n++) bv[n] = vload(b + n * VL);                                                                 \
    UNROLL for (int m = 0; m < MR; m++) {                                                                                          \
      const vf av = vset(A);                                                                                                       \
      UNROLL for (int n = 0; n < NV; n++) acc[m][n] = vfma(av, bv[n], acc[m][n]);                                                  \
    }                                                                                                                              \
    b += convNR;                                                                                                                   \
  }
  if (FORM == convTable) {
    const int32_t *off = t->off;
    _Pragma("clang loop unroll_count(2)") for (long k = 0; k < K; k++) {
      const float *q = a + off[k];
      STEP(q[m])
    }
  } else {
    long k = 0;
    for (; k + VL <= K; k += VL, a += MR * VL)
      _Pragma("clang loop unroll_count(4)") for (int i = 0; i < VL; i++) STEP(a[m * VL + i])
    _Pragma("clang loop unroll(disable)") for (; k < K; k++, a++) STEP(a[m * VL])
  }
#undef STEP
  if (t->bias) {
    UNROLL for (int n = 0; n < NV; n++) {
      const vf bias = LAST(n) ? vload_m(t->bias + n * VL, mask) : vload(t->bias + n * VL);
      UNROLL for (int m = 0; m < MR; m++) acc[m][n] += bias;
    }
  }
  if (t->residual) {
    UNROLL for (int m = 0; m < MR; m++) UNROLL for (int n = 0; n < NV; n++) {
      const float *p = t->residual + m * t->ldc + n * VL;
      acc[m][n] += LAST(n) ? vload_m(p, mask) : vload(p);
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

// One function per form, width and height. With AVX-512 a full mask costs nothing, so one variant serves.
#if ACC_AVX512
enum { convMaskVariants = 1 };
#define CONV_FN(f, mr, nv) static void conv_tile_##f##_##nv##_##mr(const ConvTile *t) { conv_tile_body(t, mr, nv, f, 1); }
#define CONV_REF(f, mr, nv) {conv_tile_##f##_##nv##_##mr},
#else
enum { convMaskVariants = 2 };
#define CONV_FN(f, mr, nv)                                                                                                         \
  static void conv_tile_##f##_##nv##_##mr(const ConvTile *t) { conv_tile_body(t, mr, nv, f, 0); }                                  \
  static void conv_tile_##f##_##nv##_##mr##_masked(const ConvTile *t) { conv_tile_body(t, mr, nv, f, 1); }
#define CONV_REF(f, mr, nv) {conv_tile_##f##_##nv##_##mr, conv_tile_##f##_##nv##_##mr##_masked},
#endif
#define CONV_R2(X, f, nv) X(f, 1, nv) X(f, 2, nv)
#define CONV_R3(X, f, nv) CONV_R2(X, f, nv) X(f, 3, nv)
#define CONV_R4(X, f, nv) CONV_R3(X, f, nv) X(f, 4, nv)
#define CONV_R6(X, f, nv) CONV_R4(X, f, nv) X(f, 5, nv) X(f, 6, nv)
#define CONV_R7(X, f, nv) CONV_R6(X, f, nv) X(f, 7, nv)
#define CONV_R12(X, f, nv) CONV_R7(X, f, nv) X(f, 8, nv) X(f, 9, nv) X(f, 10, nv) X(f, 11, nv) X(f, 12, nv)
#if MR_MAX == 14
#define CONV_ROWS(X, f, nv) CONV_R12(X, f, nv) X(f, 13, nv) X(f, 14, nv)
#elif MR_MAX == 12
#define CONV_ROWS(X, f, nv) CONV_R12(X, f, nv)
#else
#define CONV_ROWS(X, f, nv) CONV_R6(X, f, nv)
#endif
CONV_ROWS(CONV_FN, convTable, 1)
CONV_ROWS(CONV_FN, convTable, 2)
CONV_ROWS(CONV_FN, convBlocks, 1)
CONV_ROWS(CONV_FN, convBlocks, 2)
typedef void (*ConvTileFn)(const ConvTile *);
static const ConvTileFn conv_tile_table[2][2][MR_MAX][convMaskVariants] = {
    {{CONV_ROWS(CONV_REF, convTable, 1)}, {CONV_ROWS(CONV_REF, convTable, 2)}},
    {{CONV_ROWS(CONV_REF, convBlocks, 1)}, {CONV_ROWS(CONV_REF, convBlocks, 2)}},
};

// Runs a tile of mr pixels and n (1...convNR) outputs.
INLINE void run_conv_tile(ConvTile *t, int form, long mr, long n) {
  const int nv = n > VL ? 2 : 1;
  t->lanes = n - (nv - 1) * VL;
  const int masked = convMaskVariants == 2 && t->lanes < VL;
  conv_tile_table[form][nv - 1][mr - 1][masked](t);
}

// The even tile height for M pixels: 32 are 11 + 11 + 10, not 14 + 14 + 4.
INLINE long conv_tile_rows(long M) { return ceil_div(M, ceil_div(M, MR_MAX)); }

// ---- weights as panels of convNR columns, [panel][k][convNR], zero filled

INLINE long panel_floats(long K, long n) { return K * ceil_div(n, convNR) * convNR; }

// out[n] = w[n] * scale[n]; without a scale a copy.
static void pack_scaled(float *out, const float *w, const float *scale, long n) {
  if (scale) for (long i = 0; i < n; i++) out[i] = w[i] * scale[i];
  else memcpy(out, w, sizeof(float) * (size_t)n);
}

// out[k*convNR + n] = w[k*rs + n*cs] for n < nc <= convNR, zero beyond. Either rs or cs is 1; a scale, which may be NULL, is for
// cs = 1.
static void pack_panel(long kc, long nc, const float *w, long rs, long cs, const float *scale, float *out) {
  for (int g = 0; g < 2; g++) {
    const long cols = max_l(0, min_l(VL, nc - g * VL));
    const float *p = w + g * VL * cs;
    float *o = out + g * VL;
    if (cols == 0) for (long k = 0; k < kc; k++) vstore(o + k * convNR, (vf){0});
    else if (cs == 1 && scale) {
      const vf s = vload_n(scale + g * VL, cols);
      for (long k = 0; k < kc; k++) vstore(o + k * convNR, vload_n(p + k * rs, cols) * s);
    } else if (cs == 1) for (long k = 0; k < kc; k++) vstore(o + k * convNR, vload_n(p + k * rs, cols));
    else
      for (long k = 0; k < kc; k += VL) {
        vf r[VL];
        const long ks = min_l(VL, kc - k);
        if (ks == VL && cols == VL) load_transposed(p + k, cs, r);
        else {
          for (long i = 0; i < VL; i++) r[i] = i < cols ? vload_n(p + i * cs + k, ks) : (vf){0};
          transpose_tile(r);
        }
        for (long i = 0; i < ks; i++) vstore(o + (k + i) * convNR, r[i]);
      }
  }
}
