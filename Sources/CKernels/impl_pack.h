// Bringing operands into the order in which the tiles read them.

// Rows this far apart meet in few sets of the L1 cache.
INLINE bool awkward(long stride) { return stride % 512 == 0; }

// out[k*mr + m] = a[m*ars + k*acs] for m < mr; may write up to VL lanes beyond the end.
static void pack_columns(long mr, long kc, const float *a, long ars, long acs, float *out) {
  if (ars == 1) {
    const long whole = (mr - 1) / VL * VL; // what the last vector writes too much, the next k overwrites
    const vmask rest = mask_of(mr - whole);
    for (long k = 0; k < kc; k++) {
      for (long m = 0; m < whole; m += VL) vstore(out + k * mr + m, vload(a + k * acs + m));
      vstore(out + k * mr + whole, vload_m(a + k * acs + whole, rest));
    }
  } else {
    for (long k = 0; k < kc; k++) for (long m = 0; m < mr; m++) out[k * mr + m] = a[m * ars + k * acs];
  }
}

// out[m*ldo + k] = a[m*ars + k]: rows copied next to each other, off the strides that meet in the same cache set.
static void pack_rows(long m, long kc, const float *a, long ars, float *out, long ldo) {
  for (long i = 0; i < m; i++) {
    const float *p = a + i * ars;
    float *o = out + i * ldo;
    long k = 0;
    for (; k + 4 * VL <= kc; k += 4 * VL) UNROLL for (int u = 0; u < 4; u++) vstore(o + k + u * VL, vload(p + k + u * VL));
    for (; k < kc; k += VL) vstore_n(o + k, kc - k, vload_n(p + k, kc - k));
  }
}

// out[k*NR + n] = b[k*brs + n*bcs] for n < nc <= NR, zero beyond.
static void pack_b(long kc, long nc, const float *b, long brs, long bcs, float *out) {
  if (bcs == 1) {
    const long n0 = min_l(nc, VL), n1 = nc - n0;
    if (nc == NR) {
      for (long k = 0; k < kc; k++) {
        vstore(out + k * NR, vload(b + k * brs));
        vstore(out + k * NR + VL, vload(b + k * brs + VL));
      }
      return;
    }
    for (long k = 0; k < kc; k++) {
      const float *p = b + k * brs;
      vstore(out + k * NR, vload_n(p, n0));
      vstore(out + k * NR + VL, n1 > 0 ? vload_n(p + VL, n1) : (vf){0});
    }
  } else if (brs == 1) {
    for (int g = 0; g < 2; g++) {
      const long rows = max_l(0, min_l(VL, nc - g * VL));
      const float *p = b + g * VL * bcs;
      float *o = out + g * VL;
      if (rows == 0) {
        for (long k = 0; k < kc; k++) vstore(o + k * NR, (vf){0});
        continue;
      }
      for (long k = 0; k < kc; k += VL) {
        vf r[VL];
        const long ks = min_l(VL, kc - k);
        if (ks == VL && rows == VL && !awkward(bcs)) load_transposed(p + k, bcs, r);
        else if (ks == VL && rows == VL) { // whole lines at once, before they push each other out
          UNROLL for (int i = 0; i < VL; i++) r[i] = vload(p + i * bcs + k);
          transpose_tile(r);
        }
        else {
          for (long i = 0; i < VL; i++) r[i] = i < rows ? vload_n(p + i * bcs + k, ks) : (vf){0};
          transpose_tile(r);
        }
        if (ks == VL) { UNROLL for (int i = 0; i < VL; i++) vstore(o + (k + i) * NR, r[i]); }
        else UNROLL for (int i = 0; i < VL - 1; i++) if (i < ks) vstore(o + (k + i) * NR, r[i]);
      }
    }
  } else {
    for (long k = 0; k < kc; k++)
      for (long n = 0; n < NR; n++) out[k * NR + n] = n < nc ? b[k * brs + n * bcs] : 0.0f;
  }
}

// Panels of NR columns one after another, `step` floats apart. Goes along a few rows at a time, so that b is read in runs
// longer than a panel is wide.
static void pack_panels(long kc, long nc, const float *b, long brs, long bcs, float *out, long step) {
  const long chunk = bcs == 1 ? 16 : kc;
  for (long k = 0; k < kc; k += chunk)
    for (long j = 0; j < nc; j += NR)
      pack_b(min_l(chunk, kc - k), min_l(NR, nc - j), b + k * brs + j * bcs, brs, bcs, out + j / NR * step + k * NR);
}
