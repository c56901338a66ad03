// Convolutions to few channels (the gradient of an image, a last layer of one to four maps): lanes are pixels, since the
// channels would leave most lanes empty. Reads the same laid-out sample and the same offsets as the tile of pixels by
// channels; the weights are [k][channel].

enum { narrowVectors = VL == 16 ? 8 : 6, narrowChannels = 4 };

INLINE bool conv_is_narrow(long channels, long cols) { return channels <= max_l(VL / 2, 1) && cols >= max_l(VL / 2, 2); }

typedef struct NarrowTile {
  long K;
  const int32_t *off;
  const float *a[narrowVectors]; // the first pixel of each vector: a[p][off[k] + lane]
  const float *w;                // w[k*ldw + c]
  long ldw;
  vf *out;                       // out[c*narrowVectors + p]
} NarrowTile;

INLINE void narrow_tile_body(const NarrowTile *t, const int CN, const int P) {
  vf acc[narrowChannels][narrowVectors];
  const float *a[narrowVectors], *w = t->w;
  UNROLL for (int p = 0; p < P; p++) a[p] = t->a[p];
  UNROLL for (int c = 0; c < CN; c++) UNROLL for (int p = 0; p < P; p++) acc[c][p] = (vf){0};
  for (long k = 0; k < t->K; k++, w += t->ldw) {
    const long o = t->off[k];
    vf wv[narrowChannels];
    UNROLL for (int c = 0; c < CN; c++) wv[c] = vset(w[c]);
    UNROLL for (int p = 0; p < P; p++) {
      const vf v = vload(a[p] + o);
      UNROLL for (int c = 0; c < CN; c++) acc[c][p] = vfma(v, wv[c], acc[c][p]);
    }
  }
  UNROLL for (int c = 0; c < CN; c++) UNROLL for (int p = 0; p < P; p++) t->out[c * narrowVectors + p] = acc[c][p];
}
// As many vectors as the registers hold: 32 with AVX-512 and NEON, 16 elsewhere.
#if ACC_AVX512 || defined(__aarch64__)
enum { narrowFit1 = narrowVectors, narrowFit2 = narrowVectors, narrowFit3 = narrowVectors, narrowFit4 = 6 };
#else
enum { narrowFit1 = 6, narrowFit2 = 6, narrowFit3 = 4, narrowFit4 = 2 };
#endif
static void narrow_tile_1(const NarrowTile *t) { narrow_tile_body(t, 1, narrowFit1); }
static void narrow_tile_2(const NarrowTile *t) { narrow_tile_body(t, 2, narrowFit2); }
static void narrow_tile_3(const NarrowTile *t) { narrow_tile_body(t, 3, narrowFit3); }
static void narrow_tile_4(const NarrowTile *t) { narrow_tile_body(t, 4, narrowFit4); }

// `rows` x `cols` pixels, rows row_pitch apart in a; out pixel (i, j) channel c goes to out[i*out_row + j*out_col + c], where its
// residual is too.
static void narrow_pixels(const float *a, long row_pitch, long rows, long cols, const int32_t *off, long K, const float *w, long ldw,
                          long channels, float *out, long out_row, long out_col, const float *bias, const float *residual, bool relu) {
  static const long fits[narrowChannels] = {narrowFit1, narrowFit2, narrowFit3, narrowFit4};
  const long across = ceil_div(cols, VL), total = rows * across;
  vf results[narrowChannels * narrowVectors];
  NarrowTile t = {.K = K, .off = off, .ldw = ldw, .out = results};
  for (long c0 = 0; c0 < channels; c0 += narrowChannels) {
    const long cn = min_l(narrowChannels, channels - c0), fit = fits[cn - 1];
    t.w = w + c0;
    for (long v0 = 0; v0 < total; v0 += fit) {
      for (long p = 0; p < fit; p++) {
        const long v = min_l(v0 + p, total - 1); // the last vector stands in for those that do not exist
        t.a[p] = a + v / across * row_pitch + v % across * VL;
      }
      if (cn == 1) narrow_tile_1(&t);
      else if (cn == 2) narrow_tile_2(&t);
      else if (cn == 3) narrow_tile_3(&t);
      else narrow_tile_4(&t);
      for (long p = 0; p < min_l(fit, total - v0); p++) {
        const long i = (v0 + p) / across, j = (v0 + p) % across * VL, n = min_l(VL, cols - j);
        const long at = i * out_row + j * out_col + c0;
        float *o = out + at;
        for (long c = 0; c < cn; c++) {
          vf v = results[c * narrowVectors + p];
          if (bias) v += vset(bias[c0 + c]);
          if (residual && out_col == 1) v += vload_n(residual + at + c, n);
          else if (residual) for (long l = 0; l < n; l++) v[l] += residual[at + l * out_col + c];
          if (relu) v = (vf)((vi)v & ~(v < 0.0f));
          if (out_col == 1) vstore_n(o + c, n, v);
          else for (long l = 0; l < n; l++) o[l * out_col + c] = v[l];
        }
      }
    }
  }
}
