// 3 x 3 convolutions of stride 1 with enough channels, by Winograd's F(2x2, 3x3): 16 products for four outputs, not 36.
//
// A tile of 2 x 2 outputs sees 4 x 4 inputs d. With V = B'dB and U = GgG' (the kernel, transformed when it is packed) each of
// the 16 places is a matrix product M = sum over channels of V*U, and y = A'MA. The matrices hold 0, 1, -1 and 1/2 only, so
// the error stays within a small multiple of the direct sum's. Infinities are the exception: one turns all four outputs of
// its tiles into NaN. The gradient of the input is the same with the kernel turned round.
//
// A strip of tiles at a time goes through, so that V and M stay in cache.

// What the transform needs to know of a convolution in either direction: from in [H][W][C] to out [OH][OW][O].
typedef struct Winograd {
  long H, W, C, OH, OW, O, top, left; // output (0,0) reads inputs from (-top, -left); pads may be negative
  long tiles_h, tiles_w;
  long strip;                         // tiles at a time
  long v_plane, m_plane, u_plane;     // floats from place to place
  float *u;                           // packed weights
  float *v, *m, *zeros;               // in scratch
} Winograd;

// Worth it where products are saved after the waste at odd edges, and where there are channels enough to fill the tiles. Its
// weights are 16/9 of the others: where they come from memory, for very few pixels, reading them takes longer than the products.
enum { winogradWeights = 1 << 18, winogradPixels = 24 };
static bool winograd_pays(const AccConv *c, bool backward) {
  if (c->KH != 3 || c->KW != 3 || c->stride_h != 1 || c->stride_w != 1 || c->dil_h != 1 || c->dil_w != 1 || c->groups != 1)
    return false;
  const long OH = backward ? c->H : c->OH, OW = backward ? c->W : c->OW;
  if (9 * c->C * c->O > winogradWeights && c->N * OH * OW < winogradPixels) return false;
  return c->C >= 16 && c->O >= 16 && ceil_div(OH, 2) * ceil_div(OW, 2) * 24 <= OH * OW * 9;
}

static Winograd winograd_plan(const AccConv *c, bool backward, Carver *packed, Carver *scratch) {
  Winograd p = {c->H, c->W, c->C, c->OH, c->OW, c->O, c->pad_top, c->pad_left, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL};
  if (backward) p = (Winograd){c->OH, c->OW, c->O, c->H, c->W, c->C, 2 - c->pad_top, 2 - c->pad_left, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL};
  p.tiles_h = ceil_div(p.OH, 2);
  p.tiles_w = ceil_div(p.OW, 2);
  const long depth = ceil_div(p.C, VL) * VL;
  p.strip = max_l(1, min_l(4, 131072 / (16 * depth * MR_MAX))) * MR_MAX;
  // A few tiles more rather than reading all weights once more for them.
  const long tiles = c->N * p.tiles_h * p.tiles_w;
  if (tiles > p.strip && 2 * tiles <= 3 * p.strip) p.strip = tiles;
  // An odd number of vectors between places, so that they do not all fall into one set of the cache.
  p.v_plane = p.strip * depth + (p.strip * depth / VL % 2 ? 2 * VL : VL);
  p.m_plane = p.strip * convNR + VL;
  p.u_plane = panel_floats(p.C, p.O);
  p.u = carve(packed, 4 * 16 * p.u_plane);
  p.v = carve(scratch, 4 * 16 * p.v_plane);
  p.m = carve(scratch, 4 * 16 * p.m_plane);
  p.zeros = carve(scratch, 4 * depth);
  return p;
}

// Channels first..<last of the kernel, transformed: U = GgG' with the rows (1,0,0), (1/2,1/2,1/2), (1/2,-1/2,1/2), (0,0,1).
static void winograd_pack(const AccConv *c, const Winograd *p, bool backward, const float *w, const float *scale, long part,
                          long parts) {
  const long first = p->C * part / parts, last = p->C * (part + 1) / parts;
  float taps[9][VL * convNR] __attribute__((aligned(64)));
  for (long o = 0; o < p->O; o += convNR) for (long k = first; k < last; k += VL) {
    const long kc = min_l(VL, last - k), nc = min_l(convNR, p->O - o);
    for (long t = 0; t < 9; t++) {
      const float *from = w + (backward ? 8 - t : t) * c->C * c->O;
      if (backward) pack_panel(kc, nc, from + o * c->O + k, 1, c->O, NULL, taps[t]);
      else pack_panel(kc, nc, from + k * c->O + o, c->O, 1, scale ? scale + o : NULL, taps[t]);
    }
    for (long i = 0; i < kc * convNR; i += VL) {
      vf g[9], r[4][3];
      UNROLL for (int t = 0; t < 9; t++) g[t] = vload(taps[t] + i);
      UNROLL for (int x = 0; x < 3; x++) {
        const vf outer = g[x] + g[6 + x];
        r[0][x] = g[x];
        r[1][x] = (outer + g[3 + x]) * 0.5f;
        r[2][x] = (outer - g[3 + x]) * 0.5f;
        r[3][x] = g[6 + x];
      }
      float *to = p->u + o * p->C + k * convNR + i;
      UNROLL for (int y = 0; y < 4; y++) {
        const vf outer = r[y][0] + r[y][2];
        vstore(to + (4 * y) * p->u_plane, r[y][0]);
        vstore(to + (4 * y + 1) * p->u_plane, (outer + r[y][1]) * 0.5f);
        vstore(to + (4 * y + 2) * p->u_plane, (outer - r[y][1]) * 0.5f);
        vstore(to + (4 * y + 3) * p->u_plane, r[y][2]);
      }
    }
  }
}

// One tile's inputs into pixel m of a group of mr: V = B'dB with the rows (1,0,-1,0), (0,1,1,0), (0,-1,1,0), (0,1,0,-1).
INLINE void winograd_input(const Winograd *p, const float *x, long h, long w, float *v, long mr) {
  const float *at[16];
  for (long i = 0; i < 4; i++) for (long j = 0; j < 4; j++) {
    const bool inside = h + i >= 0 && h + i < p->H && w + j >= 0 && w + j < p->W;
    at[4 * i + j] = inside ? x + ((h + i) * p->W + w + j) * p->C : p->zeros;
  }
  for (long c = 0; c < p->C; c += VL, v += mr * VL) {
    vf d[4][4], t[4][4];
    if (c + VL <= p->C) {
      UNROLL for (int i = 0; i < 4; i++) UNROLL for (int j = 0; j < 4; j++) d[i][j] = vload(at[4 * i + j] + c);
    } else {
      const vmask mask = mask_of(p->C - c);
      UNROLL for (int i = 0; i < 4; i++) UNROLL for (int j = 0; j < 4; j++) d[i][j] = vload_m(at[4 * i + j] + c, mask);
    }
    UNROLL for (int j = 0; j < 4; j++) {
      t[0][j] = d[0][j] - d[2][j];
      t[1][j] = d[1][j] + d[2][j];
      t[2][j] = d[2][j] - d[1][j];
      t[3][j] = d[1][j] - d[3][j];
    }
    UNROLL for (int i = 0; i < 4; i++) {
      vstore(v + (4 * i) * p->v_plane, t[i][0] - t[i][2]);
      vstore(v + (4 * i + 1) * p->v_plane, t[i][1] + t[i][2]);
      vstore(v + (4 * i + 2) * p->v_plane, t[i][2] - t[i][1]);
      vstore(v + (4 * i + 3) * p->v_plane, t[i][1] - t[i][3]);
    }
  }
}

// One tile's outputs: y = A'MA with the rows (1,1,1,0), (0,1,-1,-1), then the epilogue. `rows` and `cols` of the 2 x 2 exist.
INLINE void winograd_output(const Winograd *p, const float *m, float *y, long rows, long cols, long lanes, const float *bias,
                            const float *residual, bool relu) {
  for (long n = 0; n < lanes; n += VL) {
    vf t[2][4];
    UNROLL for (int j = 0; j < 4; j++) {
      const float *q = m + n + j * p->m_plane;
      const vf b = vload(q + 4 * p->m_plane), c = vload(q + 8 * p->m_plane);
      t[0][j] = vload(q) + b + c;
      t[1][j] = b - c - vload(q + 12 * p->m_plane);
    }
    const bool full = n + VL <= lanes;
    const vmask mask = mask_of(lanes - n);
    const vf shift = !bias ? (vf){0} : full ? vload(bias + n) : vload_m(bias + n, mask);
    UNROLL for (int i = 0; i < 2; i++) UNROLL for (int j = 0; j < 2; j++) {
      vf v = j == 0 ? t[i][0] + t[i][1] + t[i][2] : t[i][1] - t[i][2] - t[i][3];
      if (i >= rows || j >= cols) continue;
      const long at = (i * p->OW + j) * p->O + n;
      if (bias) v += shift;
      if (residual) v += full ? vload(residual + at) : vload_m(residual + at, mask);
      if (relu) v = (vf)((vi)v & ~(v < 0.0f));
      float *o = y + at;
      if (full) vstore(o, v); else vstore_m(o, mask, v);
    }
  }
}

// Outputs o0..<o1 of tile rows r0..<r1 of `count` samples from x; y is where output row 2*r0 of the first goes, samples lie y_step
// apart there and in the residual.
static void winograd_rows(const Winograd *p, const float *x, long count, long r0, long r1, long o0, long o1, float *y, long y_step,
                          const AccEpilogue *ep, const float *residual) {
  const long each = (r1 - r0) * p->tiles_w, total = count * each, depth = ceil_div(p->C, VL) * VL;
  const bool relu = ep && ep->activation == accActivationRelu;
  memset(p->zeros, 0, sizeof(float) * (size_t)depth);
  // Strips of even size, groups of even size within them.
  const long strips = ceil_div(total, p->strip);
  for (long s = 0; s < strips; s++) {
    const long t0 = total * s / strips, n = total * (s + 1) / strips - t0, mr = conv_tile_rows(n);
    long sample = t0 / each, row = r0 + t0 % each / p->tiles_w, col = t0 % p->tiles_w;
    const long first_sample = sample, first_row = row, first_col = col;
#define NEXT_TILE if (++col == p->tiles_w) { col = 0; if (++row == r1) { row = r0; sample++; } }
    for (long i = 0; i < n; i++) {
      const long group = i / mr, inside = i - group * mr;
      winograd_input(p, x + sample * p->H * p->W * p->C, 2 * row - p->top, 2 * col - p->left,
                     p->v + group * mr * depth + inside * VL, min_l(mr, n - group * mr));
      NEXT_TILE
    }
    ConvTile t = {.K = p->C, .ldc = convNR};
    for (long o = o0; o < o1; o += convNR) {
      const long lanes = min_l(convNR, o1 - o);
      for (long place = 0; place < 16; place++) {
        t.b = p->u + place * p->u_plane + o * p->C;
        for (long g = 0; g < n; g += mr) {
          t.a = p->v + place * p->v_plane + g * depth;
          t.c = p->m + place * p->m_plane + g * convNR;
          run_conv_tile(&t, convBlocks, min_l(mr, n - g), lanes > VL ? convNR : VL);
        }
      }
      sample = first_sample, row = first_row, col = first_col;
      for (long i = 0; i < n; i++) {
        const long at = sample * y_step + ((2 * (row - r0)) * p->OW + 2 * col) * p->O + o;
        winograd_output(p, p->m + i * convNR, y + at, p->OH - 2 * row, p->OW - 2 * col, lanes, ep && ep->bias ? ep->bias + o : NULL,
                        residual ? residual + at : NULL, relu);
        NEXT_TILE
      }
    }
#undef NEXT_TILE
  }
}
