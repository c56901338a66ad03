// The gates of recurrent layers, row by row: everything between the product with the state and the next state, with its
// gradient. Each gate is one part of a row, as wide as the state.

// Long short-term memory: gates i, f, g, o.
static void lstm_gates_f32(const float *x, const float *s, const float *c, float *h, float *next, float *gates, long rows, long n) {
  for (long r = 0; r < rows; r++, x += 4 * n, s += 4 * n, gates += 4 * n, c += n, h += n, next += n)
    for (long k = 0; k < n; k += VL) {
      const long m = n - k;
      const vf i = vlogistic(vload_n(x + k, m) + vload_n(s + k, m));
      const vf f = vlogistic(vload_n(x + n + k, m) + vload_n(s + n + k, m));
      const vf g = vtanh(vload_n(x + 2 * n + k, m) + vload_n(s + 2 * n + k, m));
      const vf o = vlogistic(vload_n(x + 3 * n + k, m) + vload_n(s + 3 * n + k, m));
      const vf y = vfma(f, vload_n(c + k, m), i * g);
      vstore_n(gates + k, m, i);
      vstore_n(gates + n + k, m, f);
      vstore_n(gates + 2 * n + k, m, g);
      vstore_n(gates + 3 * n + k, m, o);
      vstore_n(next + k, m, y);
      vstore_n(h + k, m, o * vtanh(y));
    }
}

// dh and dnext are the gradients of h and next.
static void lstm_gates_backward_f32(const float *gates, const float *c, const float *next, const float *dh, const float *dnext, float *dz,
                                    float *dc, long rows, long n) {
  for (long r = 0; r < rows; r++, gates += 4 * n, dz += 4 * n, c += n, next += n, dh += n, dnext += n, dc += n)
    for (long k = 0; k < n; k += VL) {
      const long m = n - k;
      const vf i = vload_n(gates + k, m), f = vload_n(gates + n + k, m), g = vload_n(gates + 2 * n + k, m);
      const vf o = vload_n(gates + 3 * n + k, m), t = vtanh(vload_n(next + k, m)), e = vload_n(dh + k, m);
      const vf d = vfma(e * o, 1.0f - t * t, vload_n(dnext + k, m));
      vstore_n(dz + k, m, d * g * i * (1.0f - i));
      vstore_n(dz + n + k, m, d * vload_n(c + k, m) * f * (1.0f - f));
      vstore_n(dz + 2 * n + k, m, d * i * (1.0f - g * g));
      vstore_n(dz + 3 * n + k, m, e * t * o * (1.0f - o));
      vstore_n(dc + k, m, d * f);
    }
}

// The gated recurrent unit, its reset gate after the product: gates z and r, the candidate, and the candidate's part of the
// product, which the gradient needs.
static void gru_gates_f32(const float *x, const float *s, const float *h, float *next, float *gates, long rows, long n) {
  for (long r = 0; r < rows; r++, x += 3 * n, s += 3 * n, gates += 4 * n, h += n, next += n)
    for (long k = 0; k < n; k += VL) {
      const long m = n - k;
      const vf z = vlogistic(vload_n(x + k, m) + vload_n(s + k, m));
      const vf q = vlogistic(vload_n(x + n + k, m) + vload_n(s + n + k, m));
      const vf p = vload_n(s + 2 * n + k, m), y = vtanh(vfma(q, p, vload_n(x + 2 * n + k, m)));
      vstore_n(gates + k, m, z);
      vstore_n(gates + n + k, m, q);
      vstore_n(gates + 2 * n + k, m, y);
      vstore_n(gates + 3 * n + k, m, p);
      vstore_n(next + k, m, vfma(z, vload_n(h + k, m), (1.0f - z) * y));
    }
}

static void gru_gates_backward_f32(const float *gates, const float *h, const float *dnext, float *dx, float *ds, float *dh, long rows,
                                   long n) {
  for (long r = 0; r < rows; r++, gates += 4 * n, dx += 3 * n, ds += 3 * n, h += n, dnext += n, dh += n)
    for (long k = 0; k < n; k += VL) {
      const long m = n - k;
      const vf z = vload_n(gates + k, m), q = vload_n(gates + n + k, m), y = vload_n(gates + 2 * n + k, m);
      const vf p = vload_n(gates + 3 * n + k, m), d = vload_n(dnext + k, m);
      const vf dz = d * (vload_n(h + k, m) - y) * z * (1.0f - z), dy = d * (1.0f - z) * (1.0f - y * y), dq = dy * p * q * (1.0f - q);
      vstore_n(dx + k, m, dz);
      vstore_n(dx + n + k, m, dq);
      vstore_n(dx + 2 * n + k, m, dy);
      vstore_n(ds + k, m, dz);
      vstore_n(ds + n + k, m, dq);
      vstore_n(ds + 2 * n + k, m, dy * q);
      vstore_n(dh + k, m, d * z);
    }
}
