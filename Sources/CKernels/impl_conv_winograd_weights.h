// The gradient of the weights of a 3 x 3 convolution through the same transform as its forward pass: 16 products for each tile
// of 2 x 2 outputs, not 36. With D = A dy A' and V = B'dB, each of the 16 places is a product summed over the tiles of one
// sample, dU = sum of V'D, and dw += G'dU G once a sample. So what a sample adds does not depend on the other samples.

typedef struct WinogradWeights {
  Winograd in;          // geometry, and the transformed inputs: v[place][tile][depth]
  long tiles, strip, strips, depth;
  long v_plane, d_plane, m_plane;
  float *v, *d, *m;     // in scratch: inputs, output gradients and the sums of one panel of outputs
} WinogradWeights;

// The transform of dU is paid once a sample, so there must be tiles enough, and little waste at odd edges.
static bool winograd_weights_pay(const AccConv *c) {
  const long tiles = ceil_div(c->OH, 2) * ceil_div(c->OW, 2);
  return winograd_pays(c, false) && tiles >= 16 && tiles * 30 <= c->OH * c->OW * 9;
}

static WinogradWeights winograd_weights_plan(const AccConv *c, Carver *scratch) {
  WinogradWeights p = {.tiles = ceil_div(c->OH, 2) * ceil_div(c->OW, 2), .depth = ceil_div(c->C, VL) * VL};
  const long fit = max_l(16, 131072 / (16 * max_l(p.depth, convNR)));
  p.strips = ceil_div(p.tiles, fit);
  p.strip = ceil_div(p.tiles, p.strips);
  p.v_plane = p.strip * p.depth + (p.strip * p.depth / VL % 2 ? 2 * VL : VL);
  p.d_plane = p.strip * convNR + VL;
  p.m_plane = c->C * convNR + VL;
  p.v = carve(scratch, 4 * 16 * p.v_plane);
  p.d = carve(scratch, 4 * 16 * p.d_plane);
  p.m = carve(scratch, 4 * 16 * p.m_plane);
  p.in = (Winograd){.H = c->H, .W = c->W, .C = c->C, .OH = c->OH, .OW = c->OW, .O = c->O, .top = c->pad_top, .left = c->pad_left,
                    .tiles_h = ceil_div(c->OH, 2), .tiles_w = ceil_div(c->OW, 2), .v_plane = p.v_plane};
  p.in.zeros = carve(scratch, 4 * max_l(p.depth, convNR));
  return p;
}

// D = A dy A' with the rows (1,0), (1,1), (1,-1), (0,-1), for one tile and one panel of outputs.
INLINE void winograd_gradient(const WinogradWeights *p, const float *dy, long h, long w, long lanes, float *d) {
  const float *at[4];
  for (long i = 0; i < 2; i++) for (long j = 0; j < 2; j++)
    at[2 * i + j] = h + i < p->in.OH && w + j < p->in.OW ? dy + ((h + i) * p->in.OW + w + j) * p->in.O : p->in.zeros;
  for (long n = 0; n < lanes; n += VL, d += VL) {
    vf g[4], t[4][2];
    if (n + VL <= lanes) {
      UNROLL for (int i = 0; i < 4; i++) g[i] = vload(at[i] + n);
    } else {
      const vmask mask = mask_of(lanes - n);
      UNROLL for (int i = 0; i < 4; i++) g[i] = vload_m(at[i] + n, mask);
    }
    UNROLL for (int j = 0; j < 2; j++) {
      t[0][j] = g[j];
      t[1][j] = g[j] + g[2 + j];
      t[2][j] = g[j] - g[2 + j];
      t[3][j] = -g[2 + j];
    }
    UNROLL for (int i = 0; i < 4; i++) {
      vstore(d + (4 * i) * p->d_plane, t[i][0]);
      vstore(d + (4 * i + 1) * p->d_plane, t[i][0] + t[i][1]);
      vstore(d + (4 * i + 2) * p->d_plane, t[i][0] - t[i][1]);
      vstore(d + (4 * i + 3) * p->d_plane, -t[i][1]);
    }
  }
}

// dw (+)= G'dU G for one panel of outputs.
INLINE void winograd_weights_finish(const WinogradWeights *p, float *dw, long lanes, bool load) {
  const long C = p->in.C, O = p->in.O;
  for (long c = 0; c < C; c++) for (long n = 0; n < lanes; n += VL) {
    const float *m = p->m + c * convNR + n;
    vf t[3][4];
    UNROLL for (int j = 0; j < 4; j++) {
      const vf u0 = vload(m + j * p->m_plane), u1 = vload(m + (4 + j) * p->m_plane), u2 = vload(m + (8 + j) * p->m_plane),
               u3 = vload(m + (12 + j) * p->m_plane);
      const vf half = (u1 + u2) * 0.5f;
      t[0][j] = u0 + half;
      t[1][j] = (u1 - u2) * 0.5f;
      t[2][j] = half + u3;
    }
    const bool full = n + VL <= lanes;
    const vmask mask = mask_of(lanes - n);
    UNROLL for (int i = 0; i < 3; i++) {
      const vf half = (t[i][1] + t[i][2]) * 0.5f;
      const vf g[3] = {t[i][0] + half, (t[i][1] - t[i][2]) * 0.5f, half + t[i][3]};
      UNROLL for (int j = 0; j < 3; j++) {
        float *o = dw + ((3 * i + j) * C + c) * O + n;
        if (full) vstore(o, load ? vload(o) + g[j] : g[j]);
        else vstore_m(o, mask, load ? vload_m(o, mask) + g[j] : g[j]);
      }
    }
  }
}

static void winograd_weights(const AccConv *c, const WinogradWeights *p, const float *x, const float *dy, float *dw, long n0, long n1,
                             bool accumulate) {
  const long R = conv_tile_rows(c->C);
  memset(p->in.zeros, 0, sizeof(float) * (size_t)max_l(p->depth, convNR));
  for (long n = n0; n < n1; n++) {
    const float *src = x + n * c->H * c->W * c->C, *grad = dy + n * c->OH * c->OW * c->O;
    for (long o = 0; o < c->O; o += convNR) {
      const long lanes = min_l(convNR, c->O - o);
      const int nv = lanes > VL ? 2 : 1;
      WeightTile t = {.rows = 1, .a_col = p->depth, .b_col = convNR, .ldc = convNR, .lanes = VL};
      for (long s = 0; s < p->strips; s++) {
        const long t0 = s * p->strip, count = min_l(p->strip, p->tiles - t0);
        for (long i = 0; i < count; i++) {
          const long h = (t0 + i) / p->in.tiles_w * 2, w = (t0 + i) % p->in.tiles_w * 2;
          if (o == 0 || p->strips > 1) winograd_input(&p->in, src, h - p->in.top, w - p->in.left, p->v + i * p->depth, 1);
          winograd_gradient(p, grad + o, h, w, lanes, p->d + i * convNR);
        }
        t.cols = count;
        t.load_c = s > 0;
        for (long place = 0; place < 16; place++) {
          t.b = p->d + place * p->d_plane;
          for (long r = 0; r < c->C; r += R) {
            t.a[0] = p->v + place * p->v_plane + r;
            t.c[0] = p->m + place * p->m_plane + r * convNR;
            weight_tile_table[0][nv - 1][min_l(R, c->C - r) - 1][0](&t);
          }
        }
      }
      winograd_weights_finish(p, dw + o, lanes, accumulate || n > n0);
    }
  }
}
